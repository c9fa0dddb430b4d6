"""The gallery with ten thousand pictures: few elements in the page, and figures to look at (``-s`` prints them)."""

from __future__ import annotations

import io
import json
import os
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from PIL import Image
from playwright.async_api import expect

from atelier_mcp.server.images.handles import compute_handle
from tests.browser.gallery_server import serve_gallery
from tests.browser.test_gallery import open_page

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Browser

COUNT: Final = 10_000
DAYS: Final = 40
MAX_ELEMENTS: Final = 400
PAINT_BOUND_MS: Final = 5_000
"""Of a first paint; under a second on a machine with nothing else to do."""
SCROLL: Final = """async () => {
  const gaps = [];
  let last = performance.now();
  for (let step = 0; step < 120; step++) {
    scrollBy(0, 180);
    await new Promise(requestAnimationFrame);
    gaps.push(performance.now() - last);
    last = performance.now();
  }
  gaps.sort((a, b) => a - b);
  return gaps[60];
}"""


def fill_library(home: Path) -> None:
    """Plain pictures of four shapes over forty days, as the store keeps them."""
    shapes = [(1024, 768), (768, 1024), (1024, 1024), (1280, 720)]
    encoded: list[bytes] = []
    for index, (width, height) in enumerate(shapes):
        stream = io.BytesIO()
        Image.new("RGB", (width // 4, height // 4), ("teal", "navy", "olive", "maroon")[index]).save(stream, "JPEG")
        encoded.append(stream.getvalue())
    now = datetime.now(UTC)
    for index in range(COUNT):
        width, height = (side // 4 for side in shapes[index % 4])
        data = encoded[index % 4] + index.to_bytes(4)  # behind the end of the picture, so that each is its own
        created_at = now - timedelta(days=DAYS) * (index / COUNT)
        day = home / "images" / created_at.date().isoformat()
        day.mkdir(parents=True, exist_ok=True)
        handle = compute_handle(data)
        (day / f"{handle}.jpg").write_bytes(data)
        made = {"kind": "imported", "imported_from": f"picture-{index}.jpg"}
        sizes = {"width": width, "height": height, "size_bytes": len(data)}
        record = {"media_type": "image/jpeg", **sizes, "created_at": created_at.isoformat(), "made": made}
        (day / f"{handle}.json").write_text(json.dumps(record), "utf-8")


async def test_ten_thousand_pictures_stay_smooth(browser: Browser, environ: dict[str, str], tmp_path: Path) -> None:
    fill_library(tmp_path / "home")
    async with serve_gallery(environ) as address:
        started_s = time.perf_counter()
        async with open_page(browser, address) as page:
            await expect(page.get_by_role("status").first).to_contain_text(f"{COUNT:,} pictures")
            await page.wait_for_function("() => document.querySelectorAll('.tile img[src]').length > 5")
            tiles_s = time.perf_counter() - started_s
            paint_ms = await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
            frame_ms = await page.evaluate(SCROLL)
            await page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
            await page.wait_for_function(
                "() => { const seen = [...document.querySelectorAll('.tile img')].filter((image) => {"
                "const box = image.getBoundingClientRect(); return box.top < innerHeight && box.bottom > 0; });"
                "return seen.length && seen.every((image) => image.complete && image.naturalWidth); }"
            )
            elements = await page.evaluate("document.querySelectorAll('*').length")
            started_s = time.perf_counter()
            await page.get_by_role("searchbox").fill("picture-4711.jpg")
            await expect(page.locator(".tile")).to_have_count(1)
            search_s = time.perf_counter() - started_s
        print(  # noqa: T201  # figures for whoever asks with -s
            f"paint {paint_ms:.0f} ms, tiles {tiles_s:.1f} s, frame {frame_ms:.0f} ms median, "
            f"{elements} elements, search {search_s:.1f} s, load {os.getloadavg()[0]:.0f}"
        )
    assert elements < MAX_ELEMENTS
    assert paint_ms < PAINT_BOUND_MS
