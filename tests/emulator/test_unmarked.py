"""The service's own results come back as sources without the mark they were delivered with."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

import pytest
from emulated import BOUND_S, HandClock, PaintBox, Site, picture
from miaohua_member import Member

from atelier_mcp.server.engine.orders import Generated

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    NewSite = Callable[..., Awaitable[Site]]

MARKED, UNMARKED = picture(colour="white"), picture(colour="navy")
DAY_S = 86_400


class StampingBox(PaintBox):
    """An engine whose marked pictures are white, and navy before the mark."""

    def _drawn(self, *, watermark: str | None = None, samples: int = 1, seed: int = 7, **_: Any) -> Generated:
        raw = MARKED if watermark else UNMARKED
        return Generated(
            pictures=tuple((raw, seed + index) for index in range(samples)),
            small=(picture(16, 12, file_format="JPEG"),) * samples,
            unmarked=(UNMARKED,) * samples if watermark else (),
        )


@pytest.fixture
def engine() -> StampingBox:
    return StampingBox()


async def delivered(site: Site, **fields: Any) -> str:
    """A link to a result, whose bytes carry the mark."""
    task_id = await site.submitted("/v1/imgenstd/imgen", model_id="artist_v0.4.0", prompt="a cat", **fields)
    await site.finished(task_id)
    (image, *_) = (await site.get(f"/v1/imgenstd/result/{task_id}")).json()["images"]
    assert (await site.client.get(image["raw"])).content == MARKED
    return image["raw"]


async def enlarged(site: Site, engine: PaintBox, url: str) -> bytes:
    """What the engine is given to enlarge for a link."""
    body = {"model_id": "super_resolution_v1", "img_url": url}
    await site.finished(await site.submitted("/v1/sup_res/imgen", **body))
    return engine.last("upscale")["picture"]


async def test_a_link_to_a_result_leads_to_the_picture_without_its_mark(site: Site, engine: PaintBox) -> None:
    assert await enlarged(site, engine, await delivered(site)) == UNMARKED


async def test_a_result_kept_elsewhere_is_known_by_its_bytes(site: Site, engine: PaintBox) -> None:
    await delivered(site)
    assert await enlarged(site, engine, await site.hosted(MARKED)) == UNMARKED


async def test_a_result_sent_as_base64_is_known(site: Site, engine: PaintBox) -> None:
    await delivered(site)
    encoded = base64.b64encode(MARKED).decode()
    task_id = await site.submitted("/v1/stylization/imgen", model_id="style_oil", img_base64=encoded)
    await site.finished(task_id)
    assert engine.last("stylise")["picture"] == UNMARKED


async def test_sources_and_guides_of_a_generation_are_known(site: Site, engine: PaintBox) -> None:
    url = await delivered(site)
    await delivered(site, img_url=url, controlnet_configs=[{"type": "canny", "img_url": url, "weight": 1}])
    order = engine.last("generate")
    assert order["source"] == UNMARKED
    assert order["controls"][0]["picture"] == UNMARKED


async def test_faces_are_counted_and_swapped_without_the_mark(site: Site, engine: PaintBox) -> None:
    url = await delivered(site)
    faces = [{"url": url, "index": 0, "base_index": 0}]
    body = {"model_id": "faceswap_v1", "base_img": {"url": url}, "faces": faces}
    await site.finished(await site.submitted("/v1/face/imggen", **body))
    order = engine.last("swap")
    assert [order["base"], order["pairs"][0]["picture"], engine.last("faces")["picture"]] == [UNMARKED] * 3


async def test_a_training_learns_no_mark(site: Site, engine: PaintBox) -> None:
    url = await delivered(site)
    training = {"base_model_id": "artist_v0.4.0", "images": [url], "main_object": "Style"}
    await site.finished(await site.submitted("/v1/lora/train", **training))
    assert engine.last("training_picture")["picture"] == UNMARKED


async def test_an_upload_keeps_the_mark_and_work_on_it_does_not(site: Site, engine: PaintBox) -> None:
    """The mark of one service is known to the other too, as they are one house."""
    await delivered(site)
    member = await Member(site).log_in()
    (link,) = await member.uploaded(MARKED)
    assert (await site.client.get(link)).content == MARKED
    config = {"src_img": link, "outpaint_ratio": 1.5, "align_position": "middle"}
    await member.result(await member.submitted(outpaint_config=config))
    assert engine.last("outpaint")["picture"] == UNMARKED
    await member.post("/img2txt", init_img=link)
    assert engine.last("describe")["picture"] == UNMARKED


async def test_another_instance_on_the_folder_knows_the_result(
    new_site: NewSite, engine: PaintBox, tmp_path: Path
) -> None:
    first, second = await new_site(state_dir=tmp_path), await new_site(state_dir=tmp_path)
    await delivered(first)
    assert await enlarged(second, engine, await second.hosted(MARKED)) == UNMARKED


async def test_an_instance_elsewhere_does_not(new_site: NewSite, engine: PaintBox) -> None:
    await delivered(await new_site())
    second = await new_site()
    assert await enlarged(second, engine, await second.hosted(MARKED)) == MARKED


async def test_equal_samples_are_kept_once_and_forgotten_with_their_task(
    new_site: NewSite, engine: PaintBox, clock: HandClock, tmp_path: Path
) -> None:
    first = await new_site(state_dir=tmp_path)
    await delivered(first, samples=3)
    (kept,) = (tmp_path / "unmarked").iterdir()
    clock.now += 8 * DAY_S
    second = await new_site(state_dir=tmp_path)
    async with asyncio.timeout(BOUND_S):
        while await asyncio.to_thread(kept.exists):
            await asyncio.sleep(0)
    assert await enlarged(second, engine, await second.hosted(MARKED)) == MARKED
