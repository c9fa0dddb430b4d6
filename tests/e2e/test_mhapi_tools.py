"""Every MHAPI tool through an MCP client: what a tool is told, what the service hears, what a reader is told."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from tests.support.emulator_harness import encode_plain_image, get_non_loopback_mhapi_url, read_image_size
from tests.support.mhapi_cases import (
    BASE64_PLACEHOLDER,
    CASES,
    LOGO,
    MASK_BOX,
    MODEL_KINDS,
    NOTICE,
    PHOTO_SIDES,
    SHAPES,
    TWO_FACES,
    fill_placeholders,
    wait_for_bodies,
    write_case_files,
)
from tests.support.tool_results import decode_previews, get_refusal, get_structured, get_text, read_access_log

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    import mcp_types as types
    from mcp import Client

    from tests.support.emulator_harness import EmulatorHarness, FakeEngine
    from tests.support.mhapi_cases import ToolCase

    Call = Callable[..., Awaitable[types.CallToolResult]]
    NewClient = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    """With the toolsets that are not offered by default."""
    return {**environ, "ATELIER_TOOLSETS": "all"}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """The files that the cases name."""
    return write_case_files(tmp_path)


@pytest.fixture
def photo(files: dict[str, str]) -> str:
    """A picture of 800 x 600 pixels."""
    return files["PHOTO"]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """What the emulator was asked."""
    return tmp_path / "access.jsonl"


def open_grey_image(data: bytes) -> Image.Image:
    """A mask as it was sent."""
    return Image.open(io.BytesIO(data)).convert("L")


def get_case_name(case: ToolCase) -> str:
    """The name of a case in the report."""
    return case.name


@pytest.mark.parametrize("case", CASES, ids=get_case_name)
async def test_every_argument_arrives_under_the_services_own_name(
    call: Call, engine: FakeEngine, files: dict[str, str], log: Path, case: ToolCase
) -> None:
    """And nothing else arrives: the body is compared whole."""
    engine.faces = TWO_FACES
    content = get_structured(await call(case.tool, **fill_placeholders(case.arguments, files)))
    assert content["state"] == "succeeded"
    assert await wait_for_bodies(log, case.endpoint) == [case.body]
    assert bool(content["images"]) == (case.tool not in {"detect_faces", "train_lora"})


async def test_each_face_is_told_with_its_number_and_its_box(call: Call, engine: FakeEngine, photo: str) -> None:
    """In words, for a reader who does not look at structured content, and in numbers."""
    engine.faces = TWO_FACES
    result = await call("detect_faces", image=photo)
    assert [(face["index"], face["box"]) for face in get_structured(result)["data"]["faces"]] == [
        (0, [40, 30, 100, 100]),
        (1, [240, 35, 290, 95]),
    ]
    assert "Face 0: box 40, 30, 100, 100 (left, top, right, bottom)" in get_text(result)
    assert "Face 1: box 240, 35, 290, 95 (left, top, right, bottom)" in get_text(result)


async def test_a_picture_without_faces_is_an_answer_with_advice(call: Call, engine: FakeEngine, photo: str) -> None:
    """It is no failure: the question was answered."""
    engine.faces = []
    result = await call("detect_faces", image=photo)
    assert get_structured(result)["data"]["faces"] == []
    assert "No face was found" in get_text(result)
    assert "anime" in get_text(result)


@pytest.mark.parametrize("direct", [False, True])
async def test_faces_left_open_are_paired_in_order_and_told(
    call: Call, engine: FakeEngine, photo: str, log: Path, direct: bool
) -> None:
    """One face each needs no numbers, called either way."""
    engine.faces = TWO_FACES
    result = await call("swap_faces", image=photo, faces=[{"image": photo}, {"image": photo}], direct=direct)
    (image,) = get_structured(result)["images"]
    assert Path(image["path"]).exists()
    assert "face 1 replaces face 1" in get_text(result)
    (body,) = await wait_for_bodies(log, "/v1/face/imggen_sync" if direct else "/v1/face/imggen")
    assert [(face["index"], face["base_index"]) for face in body["faces"]] == [(0, 0), (0, 1)]


@pytest.mark.parametrize("mark", ["smear", "box", "circle", "line", "point"])
async def test_a_mask_can_be_said_to_be_any_kind_of_mark(
    call: Call, files: dict[str, str], log: Path, mark: str
) -> None:
    """The result is PNG whatever the output defaults: it is a mask."""
    get_structured(await call("cut_out_subject", image=files["PHOTO"], mask=files["MASK"], mark=mark))
    (body,) = await wait_for_bodies(log, "/v1/erase/cutout")
    assert (body["mask_type"], body["format"], body["model_id"]) == (mark, "PNG", "erase_v0.1")


@pytest.mark.parametrize(
    ("shape", "mark"),
    [
        ({"type": "box", "points": [200, 100, 500, 400]}, "box"),
        ({"type": "ellipse", "points": [200, 100, 500, 400]}, "circle"),
        ({"type": "polygon", "points": [200, 100, 500, 100, 350, 400]}, "smear"),
        ({"type": "stroke", "points": [200, 250, 500, 250], "width": 40}, "smear"),
    ],
)
async def test_a_shape_says_itself_what_kind_of_mark_it_is(
    call: Call, engine: FakeEngine, photo: str, log: Path, shape: dict[str, Any], mark: str
) -> None:
    """And is drawn black on white at exactly the picture's size."""
    get_structured(await call("cut_out_subject", image=photo, shapes=[shape]))
    (body,) = await wait_for_bodies(log, "/v1/erase/cutout")
    assert body["mask_type"] == mark
    mask = open_grey_image(engine.get_last_arguments("cutout")["mark"])
    assert mask.size == PHOTO_SIDES
    assert (mask.getpixel((350, 250)), mask.getpixel((20, 20))) == (0, 255)


async def test_a_cut_out_says_what_its_mask_is_for_and_shows_it_on_the_picture(call: Call, photo: str) -> None:
    """The preview is as large as the photo's, red where the mask is black; so is a later look at the job."""
    result = await call("cut_out_subject", image=photo, shapes=SHAPES)
    assert "other tools take its handle as mask" in get_text(result)
    assert "shown at 512x384; coordinates are in 800x600 pixels, times 1.56." in get_text(result)
    assert [image["label"] for image in get_structured(result)["images"]] == ["cut-out", "mask"]
    previews = decode_previews(result)
    assert [read_image_size(preview) for preview in previews] == [(512, 384)] * 2
    again = await call("wait_for_jobs", job_ids=[get_structured(result)["job_id"]])
    assert decode_previews(again) == previews


async def test_what_the_service_remarks_reaches_the_reader(call: Call, engine: FakeEngine, photo: str) -> None:
    """In quotation marks: these are the service's words."""
    engine.notes = ("low confidence: give a box", "confidence 0.31")
    result = await call("cut_out_subject", image=photo, shapes=SHAPES)
    assert 'The service remarks: "low confidence: give a box; confidence 0.31"' in get_text(result)


async def test_shapes_become_the_mask_of_what_is_erased_or_repainted(
    call: Call, engine: FakeEngine, photo: str, log: Path
) -> None:
    """Several at once; a shape that reaches over the edge ends there."""
    shapes = [*SHAPES, {"type": "ellipse", "points": [600, 500, 900, 700]}]
    get_structured(await call("erase_object", image=photo, shapes=shapes))
    get_structured(await call("inpaint_image", image=photo, shapes=shapes, prompt="grass"))
    for operation in ("erase", "inpaint"):
        mask = open_grey_image(engine.get_last_arguments(operation)["mask"])
        assert mask.size == PHOTO_SIDES
        spots = ((11, 21), (299, 399), (300, 400), (750, 595), (610, 505))
        assert [mask.getpixel(spot) for spot in spots] == [0, 0, 255, 0, 255]
    assert (await wait_for_bodies(log, "/v1/erase/imgen"))[0]["mask_type"] == "smear"


@pytest.mark.parametrize(
    ("arguments", "size", "place"),
    [
        ({"width": 1000, "height": 1024, "x": 101, "y": 200}, (1000, 1024), (101, 200)),
        ({"left": 0.25, "bottom": 33}, (1000, 633), (200, 0)),
        ({"aspect": "21:9"}, (1400, 600), (300, 0)),
        ({"scale": 1.1, "position": "bottomright"}, (880, 660), (80, 60)),
    ],
)
async def test_a_canvas_comes_out_as_it_was_asked_for(
    call: Call, photo: str, arguments: dict[str, Any], size: tuple[int, int], place: tuple[int, int]
) -> None:
    """The service works in steps; what it makes is cut to the canvas, and the source put back where it belongs."""
    result = await call("outpaint_image", image=photo, format="png", **arguments)
    (image,) = get_structured(result)["images"]
    assert f"canvas {size[0]}x{size[1]} with the source at {place[0]},{place[1]}" in get_text(result)
    with Image.open(image["path"]) as canvas, Image.open(photo) as source:
        assert canvas.size == size
        middle = (place[0] + 100, place[1] + 100, place[0] + 300, place[1] + 300)
        assert (
            canvas.convert("RGB").crop(middle).tobytes() == source.convert("RGB").crop((100, 100, 300, 300)).tobytes()
        )


async def test_another_shape_of_canvas_needs_no_offsets(call: Call, photo: str, log: Path) -> None:
    """The position places the source; the free operation is chosen, and the place is told."""
    result = await call("outpaint_image", image=photo, width=1600, height=640, position="bottomleft")
    assert "canvas 1600x640 with the source at 0,40" in get_text(result)
    (body,) = await wait_for_bodies(log, "/v1/outpaint/imgen_free")
    assert (body["width"], body["height"], body["free_x"], body["free_y"]) == (1600, 704, 0, 96)


async def test_a_canvas_too_small_for_the_service_is_cut_out_of_a_larger_one(
    call: Call, tmp_path: Path, log: Path
) -> None:
    """A result of its has at least 640 pixels a side, a source at least 256."""
    (tmp_path / "little.png").write_bytes(encode_plain_image(400, 200))
    result = await call("outpaint_image", image=str(tmp_path / "little.png"))
    (image,) = get_structured(result)["images"]
    assert (image["width"], image["height"]) == (600, 300)
    assert "enlarged 400x200 to 512x256 first" in get_text(result)
    (body,) = await wait_for_bodies(log, "/v1/outpaint/imgen_free")
    assert (body["width"], body["height"]) == (768, 640)


async def test_a_large_picture_is_enlarged_in_tiles_as_one_job(call: Call, tmp_path: Path, log: Path) -> None:
    (tmp_path / "large.png").write_bytes(encode_plain_image(2100, 1200))
    result = await call("upscale_image", image=str(tmp_path / "large.png"), ratio=1.5)
    (image,) = get_structured(result)["images"]
    assert (image["width"], image["height"]) == (3150, 1800)
    assert "2 tiles of at most 2000 pixels a side, each counts as a picture" in get_text(result)
    assert len(await wait_for_bodies(log, "/v1/sup_res/imgen", count=2)) == 2


@pytest.mark.parametrize("side", [{"width": 1024}, {"height": 767}])
async def test_a_picture_is_enlarged_to_exactly_the_side_that_was_asked_for(
    call: Call, tmp_path: Path, side: dict[str, int]
) -> None:
    (tmp_path / "photo.png").write_bytes(encode_plain_image(451, 300))
    (image,) = get_structured(await call("upscale_image", image=str(tmp_path / "photo.png"), **side))["images"]
    ((name, pixels),) = side.items()
    assert image[name] == pixels
    assert image["width"] / image["height"] == pytest.approx(451 / 300, rel=0.002)


async def test_what_comes_of_a_small_source_has_the_size_that_was_asked_for(call: Call, tmp_path: Path) -> None:
    (tmp_path / "small.png").write_bytes(encode_plain_image(200, 150))
    small = str(tmp_path / "small.png")
    for tool, arguments, size in (
        ("upscale_image", {"ratio": 3}, (600, 450)),
        ("erase_object", {"shapes": [{"type": "box", "points": [20, 20, 90, 90]}]}, (200, 150)),
        ("cut_out_subject", {}, (200, 150)),
        ("stylize_image", {"style": "style_oil", "aspect": "1:1"}, (150, 150)),
    ):
        result = await call(tool, image=small, **arguments)
        image = get_structured(result)["images"][0]
        assert (image["width"], image["height"]) == size, tool
        assert "enlarged 200x150 to 341x256 first" in get_text(result)


async def test_a_cut_out_keeps_to_the_marks_when_told(call: Call, photo: str) -> None:
    """The fake service's subject is larger than the mark."""
    box = {"type": "box", "points": [250, 250, 500, 750], "unit": "permille"}
    loose, strict = [
        get_structured(await call("cut_out_subject", image=photo, shapes=[box], strict=is_strict))["images"][0]
        for is_strict in (False, True)
    ]
    with Image.open(strict["path"]) as cut_out:
        left, top, right, bottom = cut_out.getchannel("A").getbbox() or (0, 0, 0, 0)
    assert (left >= 200, top >= 150, right <= 400, bottom <= 450) == (True,) * 4
    assert loose["handle"] != strict["handle"]


@pytest.mark.parametrize("style", ["watercolor", "Water Colour", "style_watercolour", "colored pencil"])
async def test_a_style_is_found_by_its_name_however_it_is_spelled(call: Call, photo: str, style: str) -> None:
    result = await call("stylize_image", image=photo, style=style)
    assert result.is_error == (style == "colored pencil"), "another word is no spelling"
    assert "style_colour_pencil" in get_text(result) or not result.is_error


@pytest.mark.parametrize("tool", ["cut_out_subject", "erase_object"])
async def test_past_a_half_every_answer_asks_which_part_is_meant(call: Call, photo: str, tool: str) -> None:
    box = {"type": "box", "points": [0, 0, 900, 1000], "unit": "permille"}
    assert "Was the rest meant?" in get_text(await call(tool, image=photo, shapes=[box]))


@pytest.mark.parametrize("tool", ["cut_out_subject", "erase_object", "make_mask"])
@pytest.mark.parametrize(("invert", "first", "last"), [(True, 0, 100), (False, 0, 900), (True, 0, 5), (False, 0, 995)])
async def test_who_says_which_way_round_a_mask_is_is_not_asked(
    call: Call, photo: str, tool: str, invert: bool, first: int, last: int
) -> None:
    """Nor refused where nearly everything is marked: that is then what is meant."""
    box = {"type": "box", "points": [first, 0, last, 1000], "unit": "permille"}
    text = get_text(await call(tool, image=photo, shapes=[box], invert=invert))
    assert "% of the picture is marked" in text
    assert "Was the rest meant?" not in text


async def test_a_mask_that_was_turned_round_when_it_was_made_is_not_asked_about_again(call: Call, photo: str) -> None:
    box = {"type": "box", "points": [0, 0, 100, 1000], "unit": "permille"}
    mask = get_structured(await call("make_mask", image=photo, shapes=[box], invert=True))["image"]["handle"]
    text = get_text(await call("erase_object", image=photo, mask=mask))
    assert "90 % of the picture is marked" in text
    assert "Was the rest meant?" not in text


@pytest.mark.parametrize(
    ("tool", "more"), [("erase_object", {}), ("inpaint_image", {"prompt": "a pond"}), ("cut_out_subject", {})]
)
async def test_a_mask_that_a_call_draws_is_named_in_its_answer_and_works_again(
    call: Call, photo: str, tool: str, more: dict[str, str]
) -> None:
    box = {"type": "box", "points": [100, 100, 400, 400], "unit": "permille"}
    text = get_text(await call(tool, image=photo, shapes=[box], **more))
    named = re.search(r"^mask: 9 % of the picture is marked\. It is kept as (img_\w+)\.$", text, re.MULTILINE)
    assert named, text
    again = get_text(await call(tool, image=photo, mask=named[1], **more))
    assert "mask: 9 % of the picture is marked." in again
    assert "It is kept as" not in again, "whoever names a mask by its handle has it"


@pytest.mark.parametrize(
    ("direct", "endpoint"), [(False, "/v1/stylization/imgen"), (True, "/v1/stylization/imgen_sync")]
)
async def test_a_service_that_cannot_reach_us_is_sent_the_picture_itself(
    new_client: NewClient, site: EmulatorHarness, photo: str, log: Path, direct: bool, endpoint: str
) -> None:
    """And sends its picture back in the answer."""
    async with new_client(MHAPI_BASE_URL=get_non_loopback_mhapi_url(site)) as client:
        result = await client.call_tool("stylize_image", {"image": photo, "style": "style_ink", "direct": direct})
    (image,) = get_structured(result)["images"]
    assert Path(image["path"]).read_bytes()
    (body,) = await wait_for_bodies(log, endpoint)
    assert (body.get("img_url"), body["img_base64"]) == (None, BASE64_PLACEHOLDER)
    if direct:
        assert body["get_type"] == "base64"
    else:
        queries = [entry["query"] for entry in read_access_log(log) if "/stylization/result/" in entry["path"]]
        assert {"get_type": "base64"} in queries


async def test_a_cut_out_without_marks_is_a_png_and_carries_no_mark(call: Call, photo: str, log: Path) -> None:
    """Transparency needs PNG whatever the output defaults, and this service knows no watermark."""
    get_structured(await call("cut_out_subject", image=photo))
    (body,) = await wait_for_bodies(log, "/v1/split/imgen")
    assert set(body) == {"model_id", "img_url", "format"}
    assert body["format"] == "PNG"


async def test_the_house_style_is_the_operators_and_a_call_may_differ(
    new_client: NewClient, photo: str, log: Path
) -> None:
    """ATELIER_FORMAT and ATELIER_WATERMARK, and what a call says itself."""
    async with new_client(ATELIER_FORMAT="png", ATELIER_WATERMARK="logo") as client:
        get_structured(await client.call_tool("upscale_image", {"image": photo}))
        await wait_for_bodies(log, "/v1/sup_res/imgen")
        get_structured(
            await client.call_tool("upscale_image", {"image": photo, "format": "jpg", "watermark": "notice"})
        )
    default_body, explicit_body = await wait_for_bodies(log, "/v1/sup_res/imgen", count=2)
    assert (default_body["format"], default_body["watermark_config"]) == ("PNG", LOGO)
    assert (explicit_body["format"], explicit_body["watermark_config"]) == ("JPG", NOTICE)


@pytest.mark.parametrize("kind", MODEL_KINDS)
async def test_every_kind_of_model_is_listed_by_the_id_that_tools_take(call: Call, kind: str) -> None:
    """One numbered line each, which says whose it is."""
    base = {"base": "artist_v0.4.0"} if kind == "controlnet" else {}
    result = await call("list_models", kind=kind, **base)
    assert MODEL_KINDS[kind] in {model["id"] for model in get_structured(result)["models"]}
    assert re.search(rf"^\d+\. {re.escape(MODEL_KINDS[kind])} \({kind} at mhapi\)", get_text(result), re.MULTILINE)


async def test_a_kind_that_no_service_lists_takes_nothing_from_the_others(call: Call) -> None:
    text = get_text(await call("list_models", kind=["style", "workflow"]))
    assert "(style at mhapi)" in text
    assert "There is no workflow to list here." in text
    assert "kind: there is no workflow to list here" in get_refusal(await call("list_models", kind=["workflow"]))


async def test_models_come_in_pages(call: Call, log: Path) -> None:
    """As many as asked for, from where asked for, and whether there are more."""
    first = get_structured(await call("list_models", kind="style", limit=4))
    second = await call("list_models", kind="style", limit=4, offset=4)
    names = [model["id"] for page in (first, get_structured(second)) for model in page["models"]]
    assert len(set(names)) == 8
    assert "raise offset" in get_text(second)
    await wait_for_bodies(log, "/v1/stylization/models", count=2)
    queries = [entry["query"] for entry in read_access_log(log) if entry["path"] == "/v1/stylization/models"]
    assert queries == [{"size": "4", "offset": "0"}, {"size": "4", "offset": "4"}]


async def test_a_finished_lora_is_named_listed_and_used_at_once(call: Call, files: dict[str, str], log: Path) -> None:
    """Its id is in the words of the answer; its trigger goes into the prompt by itself."""
    images = [files[f"TRAINING-{number}"] for number in range(10)]
    await call("list_models", kind="lora")
    result = await call("train_lora", images=images, base="artist_v0.4.0", name="Ten colours", trigger="tencol")
    lora = get_structured(result)["data"]["model"]
    assert f"The LoRA is {lora}: give it to generate_image" in get_text(result)
    listed = get_structured(await call("list_models", kind="trained_lora"))["models"]
    assert [(model["id"], model["name"]) for model in listed] == [(lora, "Ten colours")]
    get_structured(await call("generate_image", prompt="a red kite", loras=[{"model": lora, "weight": 0.5}]))
    (body,) = await wait_for_bodies(log, "/v1/imgenstd/imgen")
    assert body["lora_configs"] == [{"model_id": lora, "merge_weight": 0.5}]
    assert body["prompt"] == "a red kite, tencol"


async def test_a_training_that_waits_can_be_stopped(
    call: Call, site: EmulatorHarness, files: dict[str, str], log: Path
) -> None:
    """The one thing MHAPI can stop: the answer says that it did."""
    await site.call_control("PATCH", "/settings", {"task_seconds": 3600})
    images = [files[f"TRAINING-{number}"] for number in range(10)]
    started = get_structured(await call("train_lora", images=images, base="artist_v0.4.0", wait_s=0))
    await wait_for_bodies(log, "/v1/lora/train")
    stopped = await call("cancel_jobs", job_ids=[started["job_id"]])
    assert get_structured(stopped)["jobs"][0]["state"] == "cancelled"
    assert "mhapi stopped: nothing is charged." in get_text(stopped)
    (body,) = await wait_for_bodies(log, "/v1/lora/cancel")
    assert set(body) == {"task_id"}


@pytest.mark.parametrize(
    ("shape", "heart", "edge", "outside"),
    [
        ({"type": "box", "points": [100, 100, 300, 200]}, (200, 150), (299, 199), (300, 200)),
        ({"type": "ellipse", "points": [100, 100, 300, 200]}, (200, 150), (200, 101), (105, 105)),
        ({"type": "polygon", "points": [100, 100, 300, 100, 200, 300]}, (200, 150), (200, 290), (120, 250)),
        ({"type": "stroke", "points": [100, 100, 300, 100], "width": 40}, (200, 100), (200, 115), (200, 125)),
        ({"type": "stroke", "points": [400, 300], "width": 80}, (400, 300), (400, 335), (400, 345)),
    ],
)
async def test_a_mask_is_drawn_from_any_shape(
    call: Call,
    photo: str,
    shape: dict[str, Any],
    heart: tuple[int, int],
    edge: tuple[int, int],
    outside: tuple[int, int],
) -> None:
    """Black inside, white outside, at the picture's size, and shown in red on the picture."""
    result = await call("make_mask", image=photo, shapes=[shape])
    image = get_structured(result)["image"]
    with Image.open(image["path"]) as mask:
        assert mask.size == PHOTO_SIDES
        assert [mask.getpixel(spot) for spot in (heart, edge, outside)] == [0, 0, 255]
    (preview_bytes,) = decode_previews(result)
    with Image.open(io.BytesIO(preview_bytes)) as preview:
        assert preview.size == (512, 384)
        colours = [preview.getpixel((x * 512 // 800, y * 512 // 800)) for x, y in (heart, (700, 500))]
    assert colours == [pytest.approx((219, 101, 106), abs=8), pytest.approx((210, 180, 140), abs=8)]
    assert image["handle"] in get_text(result)
    assert "% of the picture is marked" in get_text(result)


async def test_a_mask_can_start_from_another_and_be_turned_round(call: Call, files: dict[str, str]) -> None:
    """Added to, then inverted; the handle goes straight into a tool."""
    box = {"type": "box", "points": [500, 400, 600, 500]}
    image = get_structured(
        await call("make_mask", image=files["PHOTO"], mask=files["MASK"], shapes=[box], invert=True)
    )["image"]
    with Image.open(image["path"]) as mask:
        spots = ((250, 200), (550, 450), (20, 20), (MASK_BOX[2] + 2, 200))
        assert [mask.getpixel(spot) for spot in spots] == [255, 255, 0, 0]
    assert get_structured(await call("erase_object", image=files["PHOTO"], mask=image["handle"]))["images"]


async def test_a_start_of_another_size_is_scaled(call: Call, files: dict[str, str], tmp_path: Path) -> None:
    """Half as large, the same shape, saved as JPEG: the drawn mask is black and white all the same."""
    with Image.open(files["MASK"]) as mask:
        mask.resize((400, 300)).save(tmp_path / "half.jpg")
    image = get_structured(await call("make_mask", image=files["PHOTO"], mask=str(tmp_path / "half.jpg")))["image"]
    with Image.open(image["path"]) as mask:
        assert mask.size == PHOTO_SIDES
        assert {value for _, value in mask.getcolors() or []} == {0, 255}
        assert mask.getpixel((300, 225)) == 0
