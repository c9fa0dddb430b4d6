"""How requests are made ready for MHAPI: what is chosen, what is refused before anything is spent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.errors import ConfigurationError, InvalidRequest, ProviderUnavailable
from atelier_mcp.server.images.exchange import DeliveryMethod
from atelier_mcp.server.images.finish_plan import Join, Reframe
from atelier_mcp.server.images.probe import ImageHeader
from atelier_mcp.server.providers.routing import Router
from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.requests.edit import (
    CutOutSubject,
    EraseObject,
    InpaintImage,
    OutpaintImage,
    StylizeImage,
    UpscaleImage,
)
from atelier_mcp.server.requests.faces import DetectFaces, SwapFaces
from atelier_mcp.server.requests.train import TrainLora
from atelier_mcp.server.requests.understand import DescribeImage
from atelier_mcp.server.testing import provider_calls
from tests.support.upstream_script import SentRequest, UpstreamScript, build_mhapi_error, build_response

if TYPE_CHECKING:
    from atelier_mcp.server.providers.base import Plan
    from atelier_mcp.server.providers.mhapi.provider import MhapiProvider
    from atelier_mcp.server.requests.base import Request
    from tests.support.clock import AutoAdvanceClock

CHECKPOINTS = ["artist_v1.0", "artist_v0.4.0", "mini 0.5.0极速版", "artist_050", "artist_v0.4.0-turbo", "dream"]
LORAS: list[dict[str, str]] = [
    {"id": "ink", "name": "Ink", "base_model_type": "artist_v0.4.0", "trigger_words": "ink style, sepia"},
    {"id": "neon", "base_model_type": "minixl", "model_type": "LORA"},
]


def build_list_answer(ids: list[str]) -> Any:
    return build_response({"have_next": False, "data": [{"id": name} for name in ids]})


@pytest.fixture(autouse=True)
def model_lists(script: UpstreamScript) -> None:
    """What the service has."""

    def answer_models(sent: SentRequest) -> Any:
        return build_list_answer(CHECKPOINTS) if sent.query["mtp"] == "Checkpoint" else build_response({"data": LORAS})

    script.set_steps("/v1/imgenstd/models", answer_models)
    for service in ("inpaint", "erase", "outpaint", "sup_res", "split", "stylization", "lora"):
        script.set_steps(f"/v1/{service}/models", build_list_answer([f"{service}_first", f"{service}_second"]))
    script.set_steps("/v1/face/models", build_list_answer(["faceswap_yw", "faceswap_v1"]))
    for model in CHECKPOINTS:
        script.set_steps(
            f"/v1/imgenstd/model_cn/{model}", build_response({"data": [{"cn": "canny"}, {"cn": "lineartanime"}]})
        )


def build_header(width: int, height: int, size_bytes: int = 100_000) -> ImageHeader:
    return ImageHeader("JPEG", "image/jpeg", width, height, size_bytes)


async def plan(mhapi: MhapiProvider, kind: type[Request], source: ImageHeader | None = None, /, **fields: Any) -> Plan:
    request = kind.model_validate(fields)
    return await provider_calls.plan(mhapi, request, {"image": source or build_header(900, 900)})


async def plan_generation(mhapi: MhapiProvider, source: ImageHeader | None = None, /, **fields: Any) -> GenerateImage:
    planned = (await plan(mhapi, GenerateImage, source, prompt="a fox", **fields)).request
    assert isinstance(planned, GenerateImage)
    return planned


async def test_everything_left_open_is_chosen_and_told(mhapi: MhapiProvider) -> None:
    result = await plan(mhapi, GenerateImage, prompt="a fox")
    request = result.request
    assert isinstance(request, GenerateImage)
    assert (request.model, request.steps, request.guidance) == ("artist_050", 50, 6.0)
    assert (request.width, request.height) == (960, 960)
    assert result.notes == ("model artist_050, 50 steps, guidance 6, 960x960",)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"image": "img_a"}, "artist_v0.4.0"),
        ({"controls": [{"type": "canny", "image": "img_a"}]}, "artist_v0.4.0"),
        ({"loras": [{"model": "ink"}]}, "artist_v0.4.0"),
        (
            {"image": "img_a", "loras": [{"model": "ink"}], "controls": [{"type": "canny", "image": "img_b"}]},
            "artist_v0.4.0",
        ),
    ],
)
async def test_a_checkpoint_is_chosen_that_can_do_what_is_asked(
    mhapi: MhapiProvider, fields: dict[str, Any], expected: str
) -> None:
    assert (await plan_generation(mhapi, **fields)).model == expected


@pytest.mark.parametrize(
    ("model", "steps", "guidance"),
    [
        ("artist_v1.0", 50, 8.0),
        ("artist_v0.4.0", 50, 7.0),
        ("artist_v0.4.0-turbo", 5, 1.2),
        ("mini 0.5.0极速版", 6, 1.5),
        ("artist_050", 50, 6.0),
        ("dream", None, None),
    ],
)
async def test_steps_and_guidance_follow_the_family(
    mhapi: MhapiProvider, model: str, steps: int | None, guidance: float | None
) -> None:
    planned = await plan_generation(mhapi, model=model)
    assert (planned.steps, planned.guidance) == (steps, guidance)


async def test_what_the_caller_says_stays(mhapi: MhapiProvider) -> None:
    asked: dict[str, Any] = {"model": "artist_v1.0", "steps": 12, "guidance": 3, "width": 640, "height": 1920}
    planned = await plan_generation(mhapi, **asked)
    assert {name: getattr(planned, name) for name in asked} == asked


@pytest.mark.parametrize(
    ("source", "size"),
    [((1500, 1000), (1440, 960)), ((300, 600), (960, 1920)), ((6000, 300), (6000, 640)), ((256, 256), (960, 960))],
)
async def test_a_source_picture_sets_the_ratio(
    mhapi: MhapiProvider, source: tuple[int, int], size: tuple[int, int]
) -> None:
    planned = await plan_generation(mhapi, build_header(*source), image="img_a")
    assert (planned.width, planned.height) == size


async def test_one_side_is_completed_in_the_sources_ratio(mhapi: MhapiProvider) -> None:
    planned = await plan_generation(mhapi, build_header(1500, 1000), image="img_a", width=1200)
    assert (planned.width, planned.height) == (1200, 800)


async def test_pre_processors_are_sent_explicitly(mhapi: MhapiProvider, script: UpstreamScript) -> None:
    types = ["canny", "tile", "depth"]
    script.set_steps("/v1/imgenstd/model_cn/artist_v0.4.0", build_response({"data": [{"cn": name} for name in types]}))
    planned = await plan_generation(mhapi, controls=[{"type": name, "image": "img_a"} for name in types])
    assert [control.pre_processor for control in planned.controls] == ["canny", "tile_resample", None]


async def test_a_ready_made_map_for_a_type_without_pre_processors_is_sent_plain(
    mhapi: MhapiProvider, script: UpstreamScript
) -> None:
    script.set_steps("/v1/imgenstd/model_cn/artist_v0.4.0", build_response({"data": [{"cn": "depth"}]}))
    planned = await plan_generation(mhapi, controls=[{"type": "depth", "image": "img_a", "pre_processor": "pass"}])
    assert planned.controls[0].pre_processor is None


async def test_trigger_words_are_added_once(mhapi: MhapiProvider) -> None:
    result = await plan(mhapi, GenerateImage, prompt="a fox in Ink Style", loras=[{"model": "ink"}])
    assert isinstance(result.request, GenerateImage)
    assert result.request.prompt == "a fox in Ink Style, sepia"
    assert "trigger words of the LoRAs added to the prompt" in result.notes


async def test_a_model_may_be_given_by_its_name(mhapi: MhapiProvider) -> None:
    planned = await plan_generation(mhapi, loras=[{"model": "INK"}])
    assert planned.loras[0].model == "ink"


async def test_no_zero_is_sent_that_could_be_read_as_not_given(mhapi: MhapiProvider) -> None:
    planned = await plan_generation(
        mhapi, image="img_a", strength=0, controls=[{"type": "canny", "image": "img_b", "end": 0}]
    )
    assert planned.strength == planned.controls[0].end == 0.01


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"model": "ink"}, "model: ink is a LoRA; give it in loras and a checkpoint as model"),
        ({"model": "nothing"}, "model: MHAPI lists no 'nothing'; there is artist_v1.0, artist_v0.4.0"),
        ({"loras": [{"model": "dream"}]}, "loras[0].model: dream is a checkpoint"),
        ({"loras": [{"model": "nothing"}]}, "loras[0].model: MHAPI lists no 'nothing'; there is ink, neon"),
        ({"model": "artist_v1.0", "loras": [{"model": "ink"}]}, "loras[0].model: ink was made for artist_v0.4.0"),
        ({"loras": [{"model": "ink"}, {"model": "Ink"}]}, "loras[1].model: Ink is given twice"),
        ({"seed": 99_999_998, "samples": 2}, "seed: with 2 samples it can be at most 99999997"),
        (
            {"controls": [{"type": "depth", "image": "a"}]},
            "controls[0].type: artist_v0.4.0 has no depth control; there is canny, lineart_anime",
        ),
        (
            {"controls": [{"type": "canny", "image": "a", "pre_processor": "openpose"}]},
            "takes canny, invert, pass; not 'openpose'",
        ),
        (
            {"controls": [{"type": "canny", "image": "a", "tile_rate": 2}]},
            "controls[0].tile_rate: only a tile control has it",
        ),
        (
            {"controls": [{"type": "depth", "image": "a", "canny_low": 9}]},
            "controls[0].canny_low: only a canny control has it",
        ),
        ({"negative_prompt": "海" * 1001}, "negative_prompt: 2002 characters, MHAPI takes 2000"),
    ],
)
async def test_what_cannot_be_done_is_refused_in_one_sentence(
    mhapi: MhapiProvider, script: UpstreamScript, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await plan_generation(mhapi, **fields)
    assert words in caught.value.message
    assert {sent.method for sent in script.requests} <= {"GET"}


async def test_a_chinese_character_counts_as_two(mhapi: MhapiProvider) -> None:
    await plan(mhapi, GenerateImage, prompt="海" * 1000)
    with pytest.raises(InvalidRequest, match="prompt: 2001 characters"):
        await plan(mhapi, GenerateImage, prompt="海" * 1000 + "x")


async def test_without_a_model_list_an_explicit_model_still_works(mhapi: MhapiProvider, script: UpstreamScript) -> None:
    script.set_steps("/v1/imgenstd/models", build_response("", 503))
    result = await plan(mhapi, GenerateImage, prompt="a fox", model="artist_v0.4.0")
    assert isinstance(result.request, GenerateImage)
    assert (result.request.model, result.request.guidance) == ("artist_v0.4.0", 7.0)
    assert "model artist_v0.4.0 unchecked: the list could not be read" in result.notes
    with pytest.raises(ProviderUnavailable):
        await plan(mhapi, GenerateImage, prompt="a fox")


async def test_a_family_that_is_not_known_to_do_it_is_used_with_a_warning(mhapi: MhapiProvider) -> None:
    """The vendor's table is incomplete: a hint must not refuse what the caller named."""
    result = await plan(mhapi, GenerateImage, prompt="a fox", model="artist_v1.0", image="img_a")
    assert "the v1.0 family is not known to do image" in result.notes


async def test_model_lists_are_kept_for_five_minutes_and_read_again_for_a_new_name(
    mhapi: MhapiProvider, script: UpstreamScript, clock: AutoAdvanceClock
) -> None:
    for _ in range(3):
        await plan_generation(mhapi)
    assert len(script.requests) == 2
    clock.advance(301)
    await plan_generation(mhapi)
    assert len(script.requests) == 4
    clock.advance(60)
    script.set_steps("/v1/imgenstd/models", lambda sent: build_list_answer(["brand_new"]))  # pyright: ignore[reportUnknownLambdaType]  # a step of the script
    assert (await plan_generation(mhapi, model="brand_new")).model == "brand_new"


async def test_many_plans_at_once_read_each_list_once(mhapi: MhapiProvider, script: UpstreamScript) -> None:
    async with asyncio.TaskGroup() as plans:
        for _ in range(20):
            plans.create_task(plan_generation(mhapi))
    assert len(script.requests) == 2


async def test_a_list_that_cannot_be_read_is_left_alone_for_a_while(
    mhapi: MhapiProvider, script: UpstreamScript, clock: AutoAdvanceClock
) -> None:
    script.set_steps("/v1/imgenstd/models", build_mhapi_error(9))
    for pause_s, asked in ((0, 1), (1, 1), (15, 2)):
        clock.advance(pause_s)
        await plan_generation(mhapi, model="dream")
        assert len(script.requests) == asked


async def test_long_lists_are_read_to_their_end(mhapi: MhapiProvider, script: UpstreamScript) -> None:
    def answer_page(sent: SentRequest) -> Any:
        start = int(sent.query["offset"])
        ids = [f"style_{n}" for n in range(start, min(start + 100, 150))]
        return build_response({"have_next": start + 100 < 150, "data": [{"id": name} for name in ids]})

    script.set_steps("/v1/stylization/models", answer_page)
    result = await plan(mhapi, StylizeImage, image="img_a", style="style_149")
    assert isinstance(result.request, StylizeImage)
    assert [sent.query["offset"] for sent in script.requests] == ["0", "100"]


@pytest.mark.parametrize(
    ("kind", "fields", "model"),
    [
        (InpaintImage, {"mask": "img_m", "prompt": "a door"}, "inpaint_first"),
        (EraseObject, {"mask": "img_m"}, "erase_first"),
        (CutOutSubject, {"mask": "img_m"}, "erase_first"),
        (CutOutSubject, {}, "split_first"),
        (OutpaintImage, {}, "outpaint_first"),
        (UpscaleImage, {}, "sup_res_first"),
    ],
)
async def test_edits_use_the_first_listed_model(
    mhapi: MhapiProvider, kind: type[Request], fields: dict[str, Any], model: str
) -> None:
    result = await plan(mhapi, kind, build_header(900, 900), image="img_a", **fields)
    assert result.request.model_dump()["model"] == model
    assert f"model {model}" in result.notes
    chosen = await plan(
        mhapi, kind, build_header(900, 900), image="img_a", model=model.replace("first", "second"), **fields
    )
    assert chosen.request.model_dump()["model"] == model.replace("first", "second")


async def test_edits_without_a_list_use_the_model_the_contract_names(
    mhapi: MhapiProvider, script: UpstreamScript
) -> None:
    script.set_steps("/v1/sup_res/models", build_mhapi_error(7, status=403))
    result = await plan(mhapi, UpscaleImage, image="img_a")
    assert result.notes == ("model super_resolution_v1, unchecked: the list could not be read",)


async def test_pictures_have_the_limits_of_their_operation(mhapi: MhapiProvider) -> None:
    small = (await plan(mhapi, UpscaleImage, image="img_a")).image_rules["image"]
    assert (small.min_side_px, small.max_side_px, small.max_bytes) == (256, 2000, 8_000_000)
    masked = (await plan(mhapi, EraseObject, image="img_a", mask="img_m")).image_rules
    assert masked["mask"].same_ratio_as == "image"
    assert masked["image"].formats == {"JPEG", "PNG", "WEBP"}
    free = (
        await plan(mhapi, OutpaintImage, build_header(900, 900), image="img_a", width=1600, height=1024)
    ).image_rules
    assert free["image"].max_side_px == 5999
    guided = await plan(mhapi, GenerateImage, prompt="x", controls=[{"type": "canny", "image": "img_b"}])
    assert set(guided.image_rules) == {"controls[0].image"}


async def test_a_small_source_of_a_style_may_travel_inside_the_request(mhapi: MhapiProvider) -> None:
    for size_bytes, expected in (
        (5_000_000, (DeliveryMethod.LINK, DeliveryMethod.BASE64)),
        (5_300_000, (DeliveryMethod.LINK,)),
    ):
        result = await plan(
            mhapi, StylizeImage, build_header(900, 900, size_bytes), image="img_a", style="stylization_first"
        )
        assert result.image_rules["image"].deliveries == expected


async def test_a_style_in_another_ratio_is_drawn_in_the_sources_and_cropped(mhapi: MhapiProvider) -> None:
    """The service keeps the source's ratio (contract: stylization.imgen)."""
    fields = {"image": "a", "style": "stylization_first", "width": 900, "height": 900}
    result = await plan(mhapi, StylizeImage, build_header(900, 600), **fields)
    assert isinstance(result.sent_request, StylizeImage)
    assert (result.sent_request.width, result.sent_request.height) == (1350, 900)
    assert result.finish == Reframe(size=(900, 900), canvas=(1350, 900), region=(225, 0, 1125, 900))
    assert any("cropped to the shape of 900x900" in note for note in result.notes)


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({"width": 1280}, (1280, 854)),
        ({"height": 427}, (959, 640)),
        ({"aspect": "1:1"}, (959, 640)),
        ({}, (None, None)),
    ],
)
async def test_one_side_of_a_style_is_enough(
    mhapi: MhapiProvider, fields: dict[str, Any], sent: tuple[int | None, int | None]
) -> None:
    fields = {"image": "a", "style": "stylization_first", **fields}
    result = (await plan(mhapi, StylizeImage, build_header(640, 427), **fields)).sent_request
    assert isinstance(result, StylizeImage)
    assert (result.width, result.height) == sent


async def test_inpainting_has_the_smaller_range_of_seeds(mhapi: MhapiProvider) -> None:
    with pytest.raises(InvalidRequest, match="at most 9999998"):
        await plan(mhapi, InpaintImage, image="a", mask="m", prompt="x", seed=9_999_999)


async def test_a_large_source_is_enlarged_in_tiles_that_are_counted(mhapi: MhapiProvider) -> None:
    result = await plan(mhapi, UpscaleImage, build_header(3000, 2500), image="img_a", ratio=1.5)
    boxes = result.tiles["image"]
    assert result.image_count == len(boxes) == 4
    assert max(max(right - left, bottom - top) for left, top, right, bottom in boxes) <= 2000
    assert isinstance(result.finish, Join)
    assert result.finish.size == (4500, 3750)
    assert "4 tiles of at most 2000 pixels a side, each counts as a picture" in result.notes
    with pytest.raises(InvalidRequest, match="100 megapixels"):
        await plan(mhapi, UpscaleImage, build_header(6000, 5000), image="img_a", ratio=3)


@pytest.mark.parametrize(
    ("kind", "fields", "size"),
    [
        (InpaintImage, {"mask": "img_m", "prompt": "a door"}, (200, 133)),
        (EraseObject, {"mask": "img_m"}, (200, 133)),
        (StylizeImage, {"style": "stylization_first"}, (200, 133)),
    ],
)
async def test_what_comes_of_an_enlarged_source_has_the_size_that_was_asked_for(
    mhapi: MhapiProvider, kind: type[Request], fields: dict[str, Any], size: tuple[int, int]
) -> None:
    small = await plan(mhapi, kind, build_header(200, 133), image="img_a", **fields)
    assert small.finish == Reframe(size=size)
    assert (await plan(mhapi, kind, image="img_a", **fields)).finish is None


@pytest.mark.parametrize(("width", "height", "size"), [(200, 133, (600, 399)), (451, 300, (1353, 900))])
async def test_an_enlarged_picture_has_exactly_its_ratio(
    mhapi: MhapiProvider, width: int, height: int, size: tuple[int, int]
) -> None:
    """However the service rounds, and whatever it was given to enlarge."""
    result = await plan(mhapi, UpscaleImage, build_header(width, height), image="img_a", ratio=3)
    assert result.finish == Reframe(size=size)


async def test_faces_left_open_are_numbered_in_order(mhapi: MhapiProvider) -> None:
    result = await plan(
        mhapi,
        SwapFaces,
        image="a",
        faces=[{"image": "b"}, {"image": "c", "target_index": 0}, {"image": "d", "index": 2}],
    )
    assert isinstance(result.request, SwapFaces)
    assert [(face.index, face.target_index) for face in result.request.faces] == [(0, 1), (0, 0), (2, 2)]
    assert result.request.model == "faceswap_v1"
    assert set(result.image_rules) == {"image", "faces[0].image", "faces[1].image", "faces[2].image"}


async def test_drawn_faces_get_the_model_for_drawings(mhapi: MhapiProvider) -> None:
    result = await plan(mhapi, SwapFaces, image="a", faces=[{"image": "b"}], style="anime", likeness=0)
    assert isinstance(result.request, SwapFaces)
    assert (result.request.model, result.request.likeness) == ("faceswap_yw", 0.01)


async def test_detection_needs_nothing(mhapi: MhapiProvider, script: UpstreamScript) -> None:
    result = await plan(mhapi, DetectFaces, image="a")
    assert (result.notes, set(result.image_rules), script.requests) == ((), {"image"}, [])


async def test_training_needs_ten_different_pictures(mhapi: MhapiProvider) -> None:
    twelve = [f"img_{n}" for n in range(9)] + ["img_0"] * 3
    with pytest.raises(InvalidRequest, match="at least 10 different pictures are needed, not 9"):
        await plan(mhapi, TrainLora, images=twelve, base="lora_first")
    result = await plan(mhapi, TrainLora, images=[*twelve, "img_9"], base="lora_first")
    assert isinstance(result.request, TrainLora)
    assert len(result.request.images) == len(result.image_rules) == 10
    assert result.request.queue == "normal"


async def test_what_mhapi_does_not_have_is_refused(mhapi: MhapiProvider) -> None:
    with pytest.raises(ConfigurationError, match="No configured service can describe image"):
        Router([mhapi]).find_candidates(DescribeImage.model_validate({"image": "a"}))


async def test_a_mask_that_was_never_made_is_not_sent(mhapi: MhapiProvider, script: UpstreamScript) -> None:
    box = {"type": "box", "points": [1, 1, 5, 5]}
    request = EraseObject.model_validate({"image": "a", "shapes": [box], "model": "erase_first"})
    with pytest.raises(InvalidRequest, match="mask: a picture is needed"):
        await provider_calls.submit(mhapi, request, {"image": "https://x.example/a.png"})
    assert script.requests == []
