"""The emulator with the real engine: what comes out is what was asked for, in pixels."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import httpx2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from atelier_mcp.server.emulator.mhapi.stylization import STYLES
from atelier_mcp.server.emulator.settings import EmulatorSettings
from atelier_mcp.server.engine.pixels import decode
from atelier_mcp.server.engine.pool import EnginePool
from atelier_mcp.server.engine.watermark import stamp
from tests.support.clock import ManualUnixClock
from tests.support.emulator_harness import EmulatorHarness

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from numpy.typing import NDArray

FULL = "artist_v0.4.0"
STUDIO = "atelier_mcp.server.engine.worker_functions"
PATIENCE_S = 60
PHOTO_SIDES = (400, 267)
BOX = (250, 150, 310, 200)
"""Left, top, right and bottom of what the mask marks."""


@pytest.fixture(scope="module")
async def pool() -> AsyncGenerator[EnginePool]:
    async with EnginePool() as opened:
        yield opened


@pytest.fixture
async def site(pool: EnginePool) -> AsyncGenerator[EmulatorHarness]:
    async with EmulatorHarness(EmulatorSettings(), pool, ManualUnixClock()) as opened:
        opened.client.timeout = httpx2.Timeout(PATIENCE_S)
        yield opened


@pytest.fixture
def photo(photos: Path) -> bytes:
    """A cup of coffee, made small."""
    return shrink_photo(photos / "coffee.png", PHOTO_SIDES)


@pytest.fixture
def mask() -> bytes:
    """Black where there is work to do."""
    image = Image.new("L", PHOTO_SIDES, 255)
    ImageDraw.Draw(image).rectangle(BOX, fill=0)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def shrink_photo(path: Path, sides: tuple[int, int]) -> bytes:
    out = io.BytesIO()
    with Image.open(path) as opened:
        opened.convert("RGB").resize(sides).save(out, "PNG")
    return out.getvalue()


def decode_array(data: bytes) -> NDArray[np.int16]:
    with Image.open(io.BytesIO(data)) as opened:
        return np.asarray(opened).astype(np.int16)


async def run_task(site: EmulatorHarness, path: str, **body: Any) -> tuple[dict[str, Any], list[bytes]]:
    """A finished task's result, and its pictures."""
    task_id = await site.submit_task(path, **body)
    await site.finish_task(task_id)
    service = path.split("/")[2]
    result = (await site.get(f"/v1/{service}/result/{task_id}")).json()
    assert result["state"] == "SUCCESS", result
    return result, [(await site.client.get(image["raw"])).content for image in result["images"]]


async def test_a_picture_has_its_size_and_a_seed_its_picture(site: EmulatorHarness) -> None:
    body = {"model_id": FULL, "prompt": "a red boat on a lake", "width": 640, "height": 704}
    _, (first, second) = await run_task(site, "/v1/imgenstd/imgen", **body, seed=5, samples=2)
    _, (again,) = await run_task(site, "/v1/imgenstd/imgen", **body, seed=6)
    assert decode_array(first).shape == (704, 640, 3)
    assert second == again
    assert first != second


async def test_a_word_the_engine_does_not_know_is_told(site: EmulatorHarness) -> None:
    body = {"model_id": FULL, "prompt": "a zorblax on a lake", "width": 640, "height": 640}
    result, _ = await run_task(site, "/v1/imgenstd/imgen", **body)
    assert "zorblax" in result["state_message"]


async def test_the_mark_is_the_one_asked_for(site: EmulatorHarness) -> None:
    body = {"model_id": FULL, "prompt": "a lake", "width": 640, "height": 640, "seed": 1, "format": "PNG"}
    _, (default,) = await run_task(site, "/v1/imgenstd/imgen", **body)
    _, (logo,) = await run_task(site, "/v1/imgenstd/imgen", **body, watermark_config={"type": "MakaLogo"})
    rows, columns, _ = np.nonzero(decode_array(default) - decode_array(logo))
    assert rows.size
    assert rows.min() > 320
    assert columns.min() > 320


async def test_a_picture_worked_on_again_and_again_carries_one_mark(site: EmulatorHarness, pool: EnginePool) -> None:
    """It is the picture that was never marked on the way, marked once."""
    body = {"model_id": FULL, "prompt": "a lake", "width": 640, "height": 640, "seed": 1}
    generated, _ = await run_task(site, "/v1/imgenstd/imgen", **body)
    body = {"model_id": "super_resolution_v1", "img_url": generated["images"][0]["raw"], "hd_ratio": 1.1}
    enlarged, _ = await run_task(site, "/v1/sup_res/imgen", **body)
    body = {"model_id": "outpaint_v0.1", "img_url": enlarged["images"][0]["raw"], "width": 744, "height": 744}
    _, (last,) = await run_task(site, "/v1/outpaint/imgen_free", **body, format="PNG")
    plain = decode(await render_unmarked(pool))
    assert np.array_equal(decode_array(last), stamp(plain, "Default"))
    assert not np.array_equal(decode_array(last), plain)


async def render_unmarked(pool: EnginePool) -> bytes:
    """A lake generated, enlarged and continued by the engine alone."""

    async def run_engine(job: str, **arguments: Any) -> bytes:
        result = await pool.run(f"{STUDIO}:{job}", **arguments, seed=1, watermark=None, file_format="PNG")
        return result.images[0][0]

    lake = await run_engine("generate", prompt="a lake", width=640, height=640, controls=[], profiles=[])
    large = await run_engine("upscale", image=lake, ratio=1.1)
    return await run_engine("outpaint", image=large, left=0, top=0, right=40, bottom=40, samples=1)


async def test_erasing_works_where_the_mask_is_black_and_nowhere_else(
    site: EmulatorHarness, photo: bytes, mask: bytes
) -> None:
    links = {"img_url": await site.host_image(photo), "mask_img_url": await site.host_image(mask)}
    _, (one, other) = await run_task(
        site, "/v1/erase/imgen", model_id="erase_v0.1", **links, format="PNG", samples=2
    )  # fmt: skip
    left, top, right, bottom = BOX
    changed = np.abs(decode_array(one) - decode_array(photo)).max(axis=2) > 0
    assert changed[top:bottom, left:right].mean() > 0.5
    assert not changed[:, : left - 10].any()
    assert not changed[: top - 10].any()
    assert one != other


async def test_redrawing_puts_the_prompt_under_the_mask(site: EmulatorHarness, photo: bytes, mask: bytes) -> None:
    links = {"img_url": await site.host_image(photo), "mask_img_url": await site.host_image(mask)}
    body = {"model_id": "inpaint_v0.1", **links, "prompt": "a red flower", "format": "PNG", "seed": 4}
    _, (strong,) = await run_task(site, "/v1/inpaint/imgen", **body)
    _, (weak,) = await run_task(site, "/v1/inpaint/imgen", **body, repaint_strength=0.1)
    left, top, right, bottom = BOX
    difference = [
        np.abs(decode_array(data) - decode_array(photo))[top:bottom, left:right].mean() for data in (weak, strong)
    ]
    assert 0 < difference[0] < difference[1]


async def test_what_does_not_come_under_the_mask_is_told(site: EmulatorHarness, photo: bytes, mask: bytes) -> None:
    links = {"img_url": await site.host_image(photo), "mask_img_url": await site.host_image(mask)}
    body = {"model_id": "inpaint_v0.1", **links, "neg_prompt": "snow"}
    expected_messages = {
        "a red flower": "OK",
        "a zorblax and a flower": "Not understood, and left out: zorblax",
        "a flower and a cat in the snow by a lake, oil painting": (
            "Understood, but left out under a mask: cat, lake, oil painting"
        ),
        "three flowers": "Under a mask one flower is drawn, not several",
        "a lake at dawn": "OK",
    }
    for prompt, message in expected_messages.items():
        result, _ = await run_task(site, "/v1/inpaint/imgen", **body, prompt=prompt)
        assert result["state_message"] == message


async def test_what_the_engine_thinks_of_its_work_is_told(site: EmulatorHarness, photo: bytes) -> None:
    source = {"img_url": await site.host_image(photo)}
    cut, _ = await run_task(site, "/v1/split/imgen", model_id="split_v0.1", **source)
    assert "confidence 0." in cut["state_message"]
    body = {"model_id": "outpaint_v0.1", "outpaint_ratio": 1.05, "samples": 2}
    grown, _ = await run_task(site, "/v1/outpaint/imgen", **body, **source)
    assert "samples are equal" in grown["state_message"]


async def test_a_cutout_is_a_mask_black_on_the_subject(site: EmulatorHarness, photo: bytes) -> None:
    mark = Image.new("L", PHOTO_SIDES, 255)
    ImageDraw.Draw(mark).rectangle((60, 10, 340, 250), fill=0)
    out = io.BytesIO()
    mark.save(out, "PNG")
    links = {"img_url": await site.host_image(photo), "mask_img_url": await site.host_image(out.getvalue())}
    result, (cut,) = await run_task(
        site, "/v1/erase/cutout", model_id="erase_v0.1", **links, mask_type="box", format="PNG"
    )  # fmt: skip
    plane = decode_array(cut)
    assert plane.shape[:2] == PHOTO_SIDES[::-1]
    assert set(np.unique(plane)) == {0, 255}
    assert plane[:10].min() == 255
    assert 0.1 < (plane == 0).mean() < 0.7
    assert "confidence" in result["state_message"]


async def test_a_separated_subject_is_transparent_around_or_white_as_jpg(site: EmulatorHarness, photo: bytes) -> None:
    body = {"model_id": "split_v0.1", "img_url": await site.host_image(photo)}
    _, (png,) = await run_task(site, "/v1/split/imgen", **body)
    _, (jpg,) = await run_task(site, "/v1/split/imgen", **body, format="JPG")
    alpha = decode_array(png)[:, :, 3]
    assert alpha.shape == PHOTO_SIDES[::-1]
    assert alpha.min() == 0
    assert alpha.max() == 255
    assert decode_array(jpg)[alpha == 0].mean() > 245


async def test_the_source_stands_in_its_larger_canvas(site: EmulatorHarness, photo: bytes) -> None:
    body = {"model_id": "outpaint_v0.1", "img_url": await site.host_image(photo), "format": "PNG"}
    ratio = {"outpaint_ratio": 1.2, "align_position": "topleft"}
    _, (grown,) = await run_task(site, "/v1/outpaint/imgen", **body, **ratio)
    assert decode_array(grown).shape == (320, 480, 3)
    assert np.array_equal(decode_array(grown)[:267, :400], decode_array(photo))


async def test_upscaling_multiplies_the_sides(site: EmulatorHarness, photo: bytes) -> None:
    body = {"model_id": "super_resolution_v1", "img_url": await site.host_image(photo), "hd_ratio": 1.7}
    _, (large,) = await run_task(site, "/v1/sup_res/imgen", **body)
    assert decode_array(large).shape == (round(267 * 1.7), 680, 3)


async def test_a_styled_picture_has_the_size_asked_for(site: EmulatorHarness, photo: bytes) -> None:
    body = {"model_id": "style_poster", "img_url": await site.host_image(photo), "width": 960, "height": 641}
    _, (poster,) = await run_task(site, "/v1/stylization/imgen", **body)
    assert decode_array(poster).shape == (641, 960, 3)


async def test_faces_are_found_and_swapped(site: EmulatorHarness, photos: Path) -> None:
    base = await site.host_image(shrink_photo(photos / "astronaut.png", (512, 512)))
    with Image.open(photos / "grace_hopper.jpg") as opened:
        width, height = opened.size
    other = await site.host_image(shrink_photo(photos / "grace_hopper.jpg", (480, round(480 * height / width))))
    task_id = await site.submit_task("/v1/face/detect", img_url=base)
    await site.finish_task(task_id)
    (face,) = (await site.get(f"/v1/face/detect/{task_id}")).json()["task"]["faces"]
    box = face["coords"]
    body = {"model_id": "faceswap_v1", "base_img": {"url": base}, "format": "PNG"}
    faces = [{"url": other, "index": 0, "base_index": face["index"]}]
    task = (await site.post("/v1/face/imggen_sync", **body, faces=faces)).json()["task"]
    swapped = decode_array((await site.client.get(task["img_raw_url"])).content)
    changed = np.abs(swapped - decode_array(shrink_photo(photos / "astronaut.png", (512, 512)))).max(axis=2)
    assert changed[box["y1"] : box["y2"], box["x1"] : box["x2"]].mean() > 5
    assert changed[400:, :200].max() == 0


async def test_a_trained_style_and_a_built_in_one_change_the_picture(
    site: EmulatorHarness, photo: bytes, photos: Path
) -> None:
    links = [await site.host_image(photo), await site.host_image(shrink_photo(photos / "chelsea.png", (400, 266)))]
    training = {"base_model_id": FULL, "images": links}
    human, style = [
        await site.submit_task("/v1/lora/train", **training, main_object=kind) for kind in ("Human", "Style")
    ]
    for task_id in (human, style):
        await site.finish_task(task_id)
    failed = (await site.get(f"/v1/lora/result/{human}")).json()
    assert failed["state"] == "FAILED"
    assert "Human" in failed["state_message"]
    trained = (await site.get(f"/v1/lora/result/{style}")).json()["lora_id"]
    body = {"model_id": FULL, "prompt": "a lake", "width": 640, "height": 640, "seed": 1}
    images = [(await run_task(site, "/v1/imgenstd/imgen", **body))[1][0]]
    for lora in (trained, "lora_ink_v0.4.0"):
        loras = [{"model_id": lora, "merge_weight": 1}]
        images.append((await run_task(site, "/v1/imgenstd/imgen", **body, lora_configs=loras))[1][0])
    assert len(set(images)) == 3


async def test_a_mask_with_nothing_marked_fails_with_the_engines_reason(site: EmulatorHarness, photo: bytes) -> None:
    out = io.BytesIO()
    Image.new("L", PHOTO_SIDES, 255).save(out, "PNG")
    links = {"img_url": await site.host_image(photo), "mask_img_url": await site.host_image(out.getvalue())}
    task_id = await site.submit_task("/v1/erase/imgen", model_id="erase_v0.1", **links)
    await site.finish_task(task_id)
    result = (await site.get(f"/v1/erase/result/{task_id}")).json()
    assert result["state"] == "FAILED"
    assert "empty" in result["state_message"]


async def test_a_truncated_picture_fails_and_does_not_break_the_engine(site: EmulatorHarness, photo: bytes) -> None:
    body = {"model_id": "style_oil", "img_url": await site.host_image(photo[: len(photo) // 2])}
    task_id = await site.submit_task("/v1/stylization/imgen", **body)
    await site.finish_task(task_id)
    result = (await site.get(f"/v1/stylization/result/{task_id}")).json()
    assert (result["state"], result["state_message"]) == (
        "FAILED",
        "the picture cannot be read: its data is damaged",
    )


def test_the_listed_styles_are_those_of_the_engine() -> None:
    from atelier_mcp.server.engine.style import STYLES as DRAWN

    assert tuple(STYLES) == DRAWN
