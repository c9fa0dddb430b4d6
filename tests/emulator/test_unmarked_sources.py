"""The service's own results come back as sources without the mark they were delivered with."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.engine.tasks import EngineResult
from tests.support.emulator_harness import BOUND_S, EmulatorHarness, FakeEngine, encode_plain_image
from tests.support.miaohua_member import MiaohuaMember

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.support.clock import ManualUnixClock

    NewSite = Callable[..., Awaitable[EmulatorHarness]]

MARKED, UNMARKED = encode_plain_image(colour="white"), encode_plain_image(colour="navy")
DAY_S = 86_400


class WatermarkingEngine(FakeEngine):
    """An engine whose marked pictures are white, and navy before the mark."""

    def _render(self, *, watermark: str | None = None, samples: int = 1, seed: int = 7, **_: Any) -> EngineResult:
        raw = MARKED if watermark else UNMARKED
        return EngineResult(
            images=tuple((raw, seed + index) for index in range(samples)),
            thumbnails=(encode_plain_image(16, 12, file_format="JPEG"),) * samples,
            unmarked_images=(UNMARKED,) * samples if watermark else (),
        )


@pytest.fixture
def engine() -> WatermarkingEngine:
    return WatermarkingEngine()


async def deliver_image(site: EmulatorHarness, **fields: Any) -> str:
    """A link to a result, whose bytes carry the mark."""
    task_id = await site.submit_task("/v1/imgenstd/imgen", model_id="artist_v0.4.0", prompt="a cat", **fields)
    await site.finish_task(task_id)
    (image, *_) = (await site.get(f"/v1/imgenstd/result/{task_id}")).json()["images"]
    assert (await site.client.get(image["raw"])).content == MARKED
    return image["raw"]


async def enlarge(site: EmulatorHarness, engine: FakeEngine, url: str) -> bytes:
    """What the engine is given to enlarge for a link."""
    body = {"model_id": "super_resolution_v1", "img_url": url}
    await site.finish_task(await site.submit_task("/v1/sup_res/imgen", **body))
    return engine.get_last_arguments("upscale")["image"]


async def test_a_link_to_a_result_leads_to_the_picture_without_its_mark(
    site: EmulatorHarness, engine: FakeEngine
) -> None:
    assert await enlarge(site, engine, await deliver_image(site)) == UNMARKED


async def test_a_result_kept_elsewhere_is_known_by_its_bytes(site: EmulatorHarness, engine: FakeEngine) -> None:
    await deliver_image(site)
    assert await enlarge(site, engine, await site.host_image(MARKED)) == UNMARKED


async def test_a_result_sent_as_base64_is_known(site: EmulatorHarness, engine: FakeEngine) -> None:
    await deliver_image(site)
    encoded = base64.b64encode(MARKED).decode()
    task_id = await site.submit_task("/v1/stylization/imgen", model_id="style_oil", img_base64=encoded)
    await site.finish_task(task_id)
    assert engine.get_last_arguments("stylise")["image"] == UNMARKED


async def test_sources_and_guides_of_a_generation_are_known(site: EmulatorHarness, engine: FakeEngine) -> None:
    url = await deliver_image(site)
    await deliver_image(site, img_url=url, controlnet_configs=[{"type": "canny", "img_url": url, "weight": 1}])
    arguments = engine.get_last_arguments("generate")
    assert arguments["source"] == UNMARKED
    assert arguments["controls"][0]["image"] == UNMARKED


async def test_faces_are_counted_and_swapped_without_the_mark(site: EmulatorHarness, engine: FakeEngine) -> None:
    url = await deliver_image(site)
    faces = [{"url": url, "index": 0, "base_index": 0}]
    body = {"model_id": "faceswap_v1", "base_img": {"url": url}, "faces": faces}
    await site.finish_task(await site.submit_task("/v1/face/imggen", **body))
    arguments = engine.get_last_arguments("swap")
    assert [arguments["base"], arguments["pairs"][0]["image"], engine.get_last_arguments("faces")["image"]] == [
        UNMARKED
    ] * 3


async def test_a_training_learns_no_mark(site: EmulatorHarness, engine: FakeEngine) -> None:
    url = await deliver_image(site)
    training = {"base_model_id": "artist_v0.4.0", "images": [url], "main_object": "Style"}
    await site.finish_task(await site.submit_task("/v1/lora/train", **training))
    assert engine.get_last_arguments("training_image")["image"] == UNMARKED


async def test_an_upload_keeps_the_mark_and_work_on_it_does_not(site: EmulatorHarness, engine: FakeEngine) -> None:
    """The mark of one service is known to the other too, as they are one house."""
    await deliver_image(site)
    member = await MiaohuaMember(site).log_in()
    (link,) = await member.upload_images(MARKED)
    assert (await site.client.get(link)).content == MARKED
    config = {"src_img": link, "outpaint_ratio": 1.5, "align_position": "middle"}
    await member.fetch_result(await member.submit_task(outpaint_config=config))
    assert engine.get_last_arguments("outpaint")["image"] == UNMARKED
    await member.post("/img2txt", init_img=link)
    assert engine.get_last_arguments("describe")["image"] == UNMARKED


async def test_another_instance_on_the_folder_knows_the_result(
    new_site: NewSite, engine: FakeEngine, tmp_path: Path
) -> None:
    first, second = await new_site(state_dir=tmp_path), await new_site(state_dir=tmp_path)
    await deliver_image(first)
    assert await enlarge(second, engine, await second.host_image(MARKED)) == UNMARKED


async def test_an_instance_elsewhere_does_not(new_site: NewSite, engine: FakeEngine) -> None:
    await deliver_image(await new_site())
    second = await new_site()
    assert await enlarge(second, engine, await second.host_image(MARKED)) == MARKED


async def test_equal_samples_are_kept_once_and_forgotten_with_their_task(
    new_site: NewSite, engine: FakeEngine, clock: ManualUnixClock, tmp_path: Path
) -> None:
    first = await new_site(state_dir=tmp_path)
    await deliver_image(first, samples=3)
    (kept,) = (tmp_path / "unmarked").iterdir()
    clock.now += 8 * DAY_S
    second = await new_site(state_dir=tmp_path)
    async with asyncio.timeout(BOUND_S):
        while await asyncio.to_thread(kept.exists):
            await asyncio.sleep(0)
    assert await enlarge(second, engine, await second.host_image(MARKED)) == MARKED
