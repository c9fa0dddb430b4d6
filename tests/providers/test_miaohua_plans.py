"""How requests are made ready for Miaohua: what is chosen, what is refused before anything is spent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from atelier_mcp.server.errors import ConfigurationError, InvalidRequest, ProviderUnavailable
from atelier_mcp.server.images.exchange import DeliveryMethod
from atelier_mcp.server.images.finish_plan import Reframe
from atelier_mcp.server.images.probe import ImageHeader
from atelier_mcp.server.providers.discovery import discover_own_specs
from atelier_mcp.server.providers.operation_index import OperationIndex
from atelier_mcp.server.providers.routing import Router
from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.requests.datasets import CreateDataset, ListDatasets
from atelier_mcp.server.requests.edit import EraseObject, OutpaintImage
from atelier_mcp.server.requests.train import TrainLora
from atelier_mcp.server.requests.understand import DescribeImage
from atelier_mcp.server.testing import provider_calls
from tests.support.miaohua_script import add_default_steps, build_model_page, build_refusal, build_success
from tests.support.upstream_script import UpstreamScript, build_response

if TYPE_CHECKING:
    from atelier_mcp.server.providers.base import Plan
    from atelier_mcp.server.providers.mhapi.provider import MhapiProvider
    from atelier_mcp.server.providers.miaohua.provider import MiaohuaProvider
    from atelier_mcp.server.requests.base import Request
    from tests.support.clock import AutoAdvanceClock

DEFAULT = "sgl_artist_v0.3.5_0925"
CHECKPOINTS: list[dict[str, Any]] = [
    {"versionid": "community", "model_name": "Community", "is_opensource": True},
    {"versionid": "fast", "model_name": "Artist Turbo", "is_opensource": False},
    {"versionid": DEFAULT, "model_name": "Artist v0.3.5 0925", "is_opensource": False},
]
LORAS = [{"versionid": "ink", "model_name": "Ink"}, {"versionid": "neon", "base_model": "community", "model_name": "N"}]


@pytest.fixture(autouse=True)
def _lists(script: UpstreamScript) -> None:  # pyright: ignore[reportUnusedFunction]  # an autouse fixture
    add_default_steps(script)
    script.set_steps("/models/base", build_model_page(*CHECKPOINTS))
    script.set_steps("/models/lora", build_model_page(*LORAS))
    script.set_steps("/cn/list", build_success([{"name": "canny"}, {"name": "tile"}, {"name": "openpose"}]))


async def plan(miaohua: MiaohuaProvider, request: Request, **images: tuple[int, int]) -> Plan:
    headers = {
        place: ImageHeader("JPEG", "image/jpeg", width, height, 1000) for place, (width, height) in images.items()
    }
    return await provider_calls.plan(miaohua, request, headers)


async def plan_generation(miaohua: MiaohuaProvider, **fields: Any) -> GenerateImage:
    planned = await plan(miaohua, GenerateImage.model_validate({"prompt": "a cat", **fields}))
    assert isinstance(planned.request, GenerateImage)
    return planned.request


async def catch_refusal(miaohua: MiaohuaProvider, request: Request) -> str:
    with pytest.raises(InvalidRequest) as caught:
        await provider_calls.plan(miaohua, request)
    return str(caught.value)


async def test_without_a_model_the_documented_one_is_taken_and_said(miaohua: MiaohuaProvider) -> None:
    planned = await plan(miaohua, GenerateImage.model_validate({"prompt": "a cat"}))
    assert planned.notes == (f"model {DEFAULT}, 50 steps, guidance 7, 960x960",)


async def test_where_that_is_not_listed_a_standard_model_of_the_vendor_is_taken(
    miaohua: MiaohuaProvider, script: UpstreamScript
) -> None:
    own = {"versionid": "own", "model_name": "Own", "is_opensource": False}
    script.set_steps("/models/base", build_model_page(*CHECKPOINTS[:2], own))
    assert (await plan_generation(miaohua)).model == "own"


@pytest.mark.parametrize("name", ["fast", "artist_turbo", "ARTIST TURBO"])
async def test_a_model_may_be_named_and_brings_its_own_pace(miaohua: MiaohuaProvider, name: str) -> None:
    request = await plan_generation(miaohua, model=name)
    assert (request.model, request.steps, request.guidance) == ("fast", 5, 1.2)
    request = await plan_generation(miaohua, model=name, steps=9, guidance=3)
    assert (request.steps, request.guidance) == (9, 3)


async def test_an_unlisted_model_is_refused_with_those_there_are(miaohua: MiaohuaProvider) -> None:
    request = GenerateImage.model_validate({"prompt": "a cat", "model": "gone"})
    assert "community, fast, sgl_artist" in await catch_refusal(miaohua, request)


async def test_one_lora_chooses_its_base_and_a_second_is_refused(miaohua: MiaohuaProvider) -> None:
    request = await plan_generation(miaohua, loras=[{"model": "N"}])
    assert (request.model, request.loras[0].model) == ("community", "neon")
    assert (await plan_generation(miaohua, loras=[{"model": "ink"}])).model == DEFAULT
    assert (await plan_generation(miaohua, loras=[{"model": "train_model1"}])).loras[0].model == "v3"
    fields = {"prompt": "a cat", "loras": [{"model": "ink"}, {"model": "neon"}]}
    assert "one LoRA" in await catch_refusal(miaohua, GenerateImage.model_validate(fields))
    fields = {"prompt": "a cat", "loras": [{"model": "neon"}], "model": "fast"}
    assert "was made for community" in await catch_refusal(miaohua, GenerateImage.model_validate(fields))


async def test_controls_get_their_processor_and_must_be_offered(miaohua: MiaohuaProvider) -> None:
    request = await plan_generation(
        miaohua, controls=[{"type": "openpose", "image": "a"}, {"type": "tile", "image": "b"}]
    )
    assert [control.pre_processor for control in request.controls] == ["dw_openpose_full", "tile_colorfix"]
    wrong = {
        "there is canny, tile, openpose": {"type": "depth"},
        "takes canny, invert": {"type": "canny", "pre_processor": "pass"},
        "only a tile control has it": {"type": "canny", "tile_rate": 2},
    }
    for words, control in wrong.items():
        fields = {"prompt": "a cat", "controls": [{"image": "a", **control}]}
        assert words in await catch_refusal(miaohua, GenerateImage.model_validate(fields))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"prompt": "x" * 1001}, "Miaohua takes 1000"),
        ({"seed": 10_000_000}, "at most 9999999"),
    ],
    ids=str,
)
async def test_what_is_out_of_bounds_is_refused(miaohua: MiaohuaProvider, fields: dict[str, Any], words: str) -> None:
    assert words in await catch_refusal(miaohua, GenerateImage.model_validate({"prompt": "a cat", **fields}))


async def test_what_it_has_no_word_for_is_said(miaohua: MiaohuaProvider) -> None:
    fields = {"prompt": "a cat", "format": "png", "watermark": "logo", "translate_prompt": True}
    notes = (await plan(miaohua, GenerateImage.model_validate(fields))).notes
    assert [note.split()[1] for note in notes[1:]] == ["chooses", "puts", "reads"]


async def test_every_picture_is_uploaded_within_its_limits(miaohua: MiaohuaProvider) -> None:
    fields = {"prompt": "a cat", "image": "a", "controls": [{"type": "canny", "image": "b"}]}
    planned = await plan(miaohua, GenerateImage.model_validate(fields), image=(1200, 800))
    assert isinstance(planned.request, GenerateImage)
    assert (planned.request.width, planned.request.height) == (1440, 960)
    assert set(planned.image_rules) == {"image", "controls[0].image"}
    for rule in planned.image_rules.values():
        assert rule.deliveries == (DeliveryMethod.UPLOAD,)
        assert (rule.min_side_px, rule.max_side_px, rule.max_bytes) == (256, 6144, 5_000_000)


@pytest.mark.parametrize("unreadable", [httpx2.ReadError("no"), build_refusal(500), build_response("<html>")], ids=repr)
async def test_a_named_model_is_taken_as_it_is_where_the_lists_cannot_be_read(
    miaohua: MiaohuaProvider, script: UpstreamScript, unreadable: Any
) -> None:
    for path in ("/models/base", "/models/lora", "/cn/list"):
        script.set_steps(path, unreadable)
    request = await plan_generation(
        miaohua, model="mine", loras=[{"model": "ink"}], controls=[{"type": "seg", "image": "a"}]
    )
    assert (request.model, request.loras[0].model) == ("mine", "ink")


async def test_lists_are_kept_for_five_minutes(
    miaohua: MiaohuaProvider, script: UpstreamScript, clock: AutoAdvanceClock
) -> None:
    for _ in range(3):
        await plan_generation(miaohua)
    assert script.list_paths().count("/models/base") == 1
    clock.advance(300)
    await plan_generation(miaohua)
    assert script.list_paths().count("/models/base") == 2


async def test_a_model_listed_since_is_found(
    miaohua: MiaohuaProvider, script: UpstreamScript, clock: AutoAdvanceClock
) -> None:
    await plan_generation(miaohua)
    script.set_steps("/models/base", build_model_page(*CHECKPOINTS, {"versionid": "new"}))
    clock.advance(16)
    assert (await plan_generation(miaohua, model="new")).model == "new"


@pytest.mark.parametrize(
    ("fields", "sent", "size"),
    [
        ({}, (1.5, "middle"), (1200, 900)),
        ({"scale": 1.3}, (1.5, "middle"), (1040, 780)),
        ({"left": 200}, (1.25, "bottomright"), (1000, 600)),
        ({"right": 100, "top": 90}, (1.25, "bottommiddle"), (900, 690)),
        ({"width": 1600, "height": 1200, "x": 0, "y": 0}, (2.0, "topleft"), (1600, 1200)),
    ],
)
async def test_an_extension_is_the_smallest_of_three_that_holds_the_canvas(
    miaohua: MiaohuaProvider, fields: dict[str, Any], sent: tuple[float, str], size: tuple[int, int]
) -> None:
    header = ImageHeader("JPEG", "image/jpeg", 800, 600, 100_000)
    result = await provider_calls.plan(
        miaohua, OutpaintImage.model_validate({"image": "a", **fields}), {"image": header}
    )
    assert isinstance(result.sent_request, OutpaintImage)
    assert (result.sent_request.scale, result.sent_request.position) == sent
    assert isinstance(result.finish, Reframe)
    assert result.finish.size == size


@pytest.mark.parametrize("fields", [{"scale": 3}, {"left": 800, "right": 1}, {"model": "any"}])
async def test_an_extension_that_none_of_them_holds_is_refused(
    miaohua: MiaohuaProvider, fields: dict[str, Any]
) -> None:
    header = ImageHeader("JPEG", "image/jpeg", 800, 600, 100_000)
    with pytest.raises(InvalidRequest):
        await provider_calls.plan(miaohua, OutpaintImage.model_validate({"image": "a", **fields}), {"image": header})


async def test_a_description_answers_no_question(miaohua: MiaohuaProvider) -> None:
    await plan(miaohua, DescribeImage.model_validate({"image": "a"}))
    assert "no question" in await catch_refusal(
        miaohua, DescribeImage.model_validate({"image": "a", "question": "who?"})
    )


@pytest.mark.parametrize(
    ("base", "expected"),
    [("auto", "auto"), ("AUTO", "auto"), (DEFAULT, DEFAULT), ("artist_v0.3.5_0925", DEFAULT)],
)
async def test_a_training_takes_a_base_from_the_form(miaohua: MiaohuaProvider, base: str, expected: str) -> None:
    request = TrainLora.model_validate({"dataset_ids": [1], "base": base, "queue": "vip"})
    planned = await plan(miaohua, request)
    assert isinstance(planned.request, TrainLora)
    assert (planned.request.base, planned.request.name) == (expected, "Untitled LoRA")
    assert len(planned.notes) == 2


async def test_a_training_that_cannot_be_is_refused(miaohua: MiaohuaProvider) -> None:
    many = [f"img_{number}" for number in range(101)]
    for fields in ({"base": "unknown"}, {"images": many}):
        await catch_refusal(miaohua, TrainLora.model_validate({"dataset_ids": [1], "base": "auto", **fields}))


async def test_data_sets_need_no_plan_but_for_their_pictures(miaohua: MiaohuaProvider, script: UpstreamScript) -> None:
    made = await plan(miaohua, CreateDataset.model_validate({"name": "n", "images": ["a", "b"]}))
    assert set(made.image_rules) == {"images[0]", "images[1]"}
    assert (await plan(miaohua, ListDatasets.model_validate({}))).image_rules == {}
    assert script.requests == []


async def test_what_it_does_not_offer_is_refused(miaohua: MiaohuaProvider) -> None:
    with pytest.raises(ConfigurationError, match="No configured service can erase object"):
        Router([miaohua]).find_candidates(EraseObject.model_validate({"image": "a", "mask": "b"}))


async def test_without_a_list_and_without_a_name_the_documented_model_is_taken(
    miaohua: MiaohuaProvider, script: UpstreamScript
) -> None:
    script.set_steps("/models/base", httpx2.ReadError("no"))
    assert (await plan_generation(miaohua)).model == DEFAULT
    with pytest.raises(ProviderUnavailable):
        await miaohua.list_models("checkpoint", base=None, offset=0, limit=10)


async def test_who_names_data_sets_means_the_service_that_has_them(
    miaohua: MiaohuaProvider, mhapi: MhapiProvider
) -> None:
    router = Router([mhapi, miaohua], operations=OperationIndex(discover_own_specs()))
    with_sets = TrainLora.model_validate({"dataset_ids": [1], "base": "auto"})
    with_images = TrainLora.model_validate({"images": ["a"], "base": "auto"})
    assert router.find_candidates(with_sets) == (miaohua,)
    assert router.find_candidates(with_images)[0] is mhapi
