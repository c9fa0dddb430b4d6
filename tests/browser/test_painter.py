"""The mask painter in a browser: by mouse, fingers and keys, and what becomes of the mask."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any, Final

import pytest
from PIL import Image
from playwright.async_api import expect

from tests.browser.hosts import CLAUDE, CURSOR, PHONE, VSCODE
from tests.support.tool_results import get_structured, get_text

if TYPE_CHECKING:
    from pathlib import Path

    from mcp import Client
    from playwright.async_api import Locator

    from tests.browser.conftest import OpenHost
    from tests.browser.host_frame import HostFrame
    from tests.browser.hosts import HostKind

SIZE: Final = (320, 214)


def encode_rocket(photos: Path) -> str:
    """A photo of a rocket as a data URL, half as large as it is: filling a hole takes a quarter of the time."""
    stream = io.BytesIO()
    with Image.open(photos / "rocket.jpg") as photo:
        photo.resize(SIZE).save(stream, "JPEG")
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"


async def open_painter(
    client: Client, new_host: OpenHost, photos: Path, *, why: str = "the rocket", **options: Any
) -> tuple[HostFrame, str]:
    """A painter that the model asked for, over the photo of a rocket; and the photo's handle."""
    result = await client.call_tool("import_image", {"image": encode_rocket(photos)})
    handle = get_structured(result)["image"]["handle"]
    host = await new_host(client, tool="ask_for_mask", **options)
    await host.run("ask_for_mask", {"image": handle, "why": why})
    await expect(host.frame.locator("canvas")).to_be_visible()
    await expect(host.frame.get_by_role("status")).to_have_text("Nothing is marked yet.")
    return host, handle


async def drag(host: HostFrame, *points: tuple[float, float]) -> None:
    """Draw through points given in shares of the canvas."""
    box = await host.frame.locator("canvas").bounding_box()
    assert box is not None
    (x, y), *others = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in points]
    await host.page.mouse.move(x, y)
    await host.page.mouse.down()
    for x, y in others:
        await host.page.mouse.move(x, y, steps=6)
    await host.page.mouse.up()


def read_share(text: str | None) -> float:
    """What the painter says is marked, in per cent."""
    return float((text or "").split(" %")[0])


async def get_share(host: HostFrame) -> float:
    """What the painter says is marked, in per cent."""
    return read_share(await host.frame.get_by_role("status").text_content())


async def load_mask(client: Client, handle: str) -> Image.Image:
    """A stored mask in grey."""
    read = await client.read_resource(f"atelier://images/{handle}")
    (content,) = read.contents
    return Image.open(io.BytesIO(base64.b64decode(content.blob))).convert("L")  # pyright: ignore[reportAttributeAccessIssue, reportUnknownArgumentType, reportUnknownMemberType]


def button(host: HostFrame, name: str) -> Locator:
    """A button by its whole name."""
    return host.frame.get_by_role("button", name=name, exact=True)


async def test_a_painted_part_is_erased(client: Client, new_host: OpenHost, photos: Path) -> None:
    """From the brush to the edit beside its source."""
    host, handle = await open_painter(client, new_host, photos)
    await drag(host, (0.5, 0.3), (0.5, 0.75))
    assert 1 < await get_share(host) < 15
    await host.frame.get_by_role("button", name="Erase").click()
    await expect(host.frame.get_by_role("slider", name="Before and after")).to_be_visible()
    await expect(host.frame.get_by_role("radio", checked=True)).to_have_accessible_name("erased, 320 by 214")
    assert host.calls.index("make_mask") < host.calls.index("erase_object")
    await host.wait_until_said(f"ran erase_object on {handle}")


async def test_a_painted_part_is_painted_anew_from_words(client: Client, new_host: OpenHost, photos: Path) -> None:
    host, _ = await open_painter(client, new_host, photos)
    await drag(host, (0.3, 0.3), (0.6, 0.5))
    await expect(host.frame.get_by_role("button", name="Repaint")).to_be_disabled()
    await host.frame.get_by_role("textbox").fill("a full moon")
    await host.frame.get_by_role("button", name="Repaint").click()
    await expect(host.frame.get_by_role("radio", checked=True)).to_have_accessible_name("repainted, 320 by 214")


async def test_the_stored_mask_is_what_was_drawn_at_the_pictures_size(
    client: Client, new_host: OpenHost, photos: Path
) -> None:
    """Black where it was marked, to the pixel."""
    host, handle = await open_painter(client, new_host, photos)
    await button(host, "Box").click()
    await drag(host, (0.25, 0.25), (0.75, 0.75))
    share = await get_share(host)
    await button(host, "Give to the assistant").click()
    await expect(host.frame.get_by_role("status")).to_contain_text("The assistant has the mask")
    asked = await client.call_tool("ask_for_mask", {"image": handle, "why": "the rocket"})
    mask = get_structured(asked)["mask"]
    assert "newest mask" in get_text(asked)
    assert mask["handle"] in str(await host.get_said())
    image = await load_mask(client, mask["handle"])
    assert image.size == SIZE
    assert set(image.get_flattened_data()) == {0, 255}
    assert image.histogram()[0] / (320 * 214) * 100 == pytest.approx(share, abs=0.6)
    assert image.getpixel((160, 107)) == 0
    assert image.getpixel((5, 5)) == 255


async def test_marks_are_rubbed_out_undone_redone_and_turned_round(
    client: Client, new_host: OpenHost, photos: Path
) -> None:
    host, _ = await open_painter(client, new_host, photos)
    await button(host, "Lasso").click()
    await drag(host, (0.3, 0.3), (0.7, 0.3), (0.7, 0.7), (0.3, 0.7))
    whole = await get_share(host)
    await button(host, "Brush").click()
    await button(host, "Rub out").click()
    await drag(host, (0.35, 0.5), (0.65, 0.5))
    rubbed = await get_share(host)
    assert rubbed < whole
    await button(host, "Undo").click()
    assert await get_share(host) == whole
    await button(host, "Redo").click()
    assert await get_share(host) == rubbed
    await button(host, "Invert").click()
    assert await get_share(host) == pytest.approx(100 - rubbed, abs=1.5)
    await button(host, "Clear").click()
    await expect(host.frame.get_by_role("status")).to_have_text("Nothing is marked yet.")


async def test_a_rough_mark_becomes_the_subject_and_is_painted_on(
    client: Client, new_host: OpenHost, photos: Path
) -> None:
    """One tap; the exact outline is then a mark like any other."""
    host, _ = await open_painter(client, new_host, photos)
    await button(host, "Box").click()
    await drag(host, (0.42, 0.2), (0.58, 0.85))
    rough = await get_share(host)
    await host.frame.get_by_role("button", name="Fit to the subject").click()
    await expect(host.frame.get_by_role("button", name="Fit to the subject")).to_be_enabled()
    exact = await get_share(host)
    assert 0 < exact != rough
    await button(host, "Rub out").click()
    await drag(host, (0.2, 0.2), (0.8, 0.8))
    assert await get_share(host) < exact
    await button(host, "Undo").click()
    await button(host, "Undo").click()
    assert await get_share(host) == rough


async def test_keys_alone_draw_a_mark(client: Client, new_host: OpenHost, photos: Path) -> None:
    """Arrows move the cross, Space puts the pen down and lifts it; what happens is said."""
    host, _ = await open_painter(client, new_host, photos)
    canvas = host.frame.locator("canvas")
    await canvas.focus()
    await canvas.press("Space")
    await expect(host.frame.get_by_role("status")).to_contain_text("Pen down at 160, 107.")
    for _ in range(4):
        await canvas.press("Shift+ArrowRight")
    await canvas.press("Space")
    await expect(host.frame.get_by_role("status")).to_contain_text("% marked.")
    await canvas.press("Control+z")
    await expect(host.frame.get_by_role("status")).to_have_text("Nothing is marked yet.")


async def test_two_fingers_zoom_and_take_the_first_fingers_dab_back(
    client: Client, new_host: OpenHost, photos: Path
) -> None:
    """A pinch begins as a touch."""
    host, _ = await open_painter(client, new_host, photos, kind=PHONE, has_touch=True)
    box = await host.frame.locator("canvas").bounding_box()
    assert box is not None
    session = await host.page.context.new_cdp_session(host.page)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    async def touch(kind: str, *spots: tuple[float, float]) -> None:
        touch_points = [{"x": spot[0], "y": spot[1], "id": index} for index, spot in enumerate(spots)]
        touches = {"type": kind, "touchPoints": touch_points}
        await session.send("Input.dispatchTouchEvent", touches)  # pyright: ignore[reportUnknownMemberType]  # not typed

    await touch("touchStart", (x, y))
    await touch("touchStart", (x, y), (x + 20, y))
    for step in range(1, 7):
        await touch("touchMove", (x - 10 * step, y), (x + 20 + 10 * step, y))
    await touch("touchEnd")
    await expect(host.frame.get_by_role("status")).to_have_text("Nothing is marked yet.")
    # One finger draws, and at this zoom the same way covers less of the picture.
    await touch("touchStart", (x - 60, y))
    await touch("touchMove", (x + 60, y))
    await touch("touchEnd")
    zoomed = await get_share(host)
    await button(host, "Whole picture").click()
    await button(host, "Clear").click()
    await touch("touchStart", (x - 60, y))
    await touch("touchMove", (x + 60, y))
    await touch("touchEnd")
    assert zoomed < await get_share(host)


@pytest.mark.parametrize("kind", [CLAUDE, VSCODE, CURSOR], ids=lambda kind: kind.name)
async def test_the_painter_takes_the_screen_where_it_is_offered(
    client: Client, new_host: OpenHost, photos: Path, kind: HostKind
) -> None:
    host, handle = await open_painter(client, new_host, photos, kind=kind)
    await expect(host.frame.locator("html.full")).to_have_count(1 if kind is CLAUDE else 0)
    await expect(host.frame.locator(".hint")).to_have_text("The assistant asks you to mark: the rocket")
    assert await host.get_sideways_px() <= 0
    await drag(host, (0.5, 0.3), (0.5, 0.6))
    await button(host, "Give to the assistant").click()
    await expect(host.frame.locator("canvas")).to_have_count(0)
    # Whether or not the host lets the view speak, the model finds the mask.
    asked = await client.call_tool("ask_for_mask", {"image": handle, "why": "the rocket"})
    assert get_structured(asked)["mask"]["handle"].startswith("img_")


async def test_a_large_picture_gives_a_small_exact_mask(client: Client, new_host: OpenHost, tmp_path: Path) -> None:
    """Twelve megapixels: the mask passes any host, in the picture's own pixels."""
    Image.new("RGB", (4032, 3024), "teal").save(tmp_path / "large.jpg")
    result = await client.call_tool("import_image", {"image": str(tmp_path / "large.jpg")})
    handle = get_structured(result)["image"]["handle"]
    host = await new_host(client, tool="ask_for_mask")
    await host.run("ask_for_mask", {"image": handle, "why": ""})
    await drag(host, (0.4, 0.4), (0.6, 0.6), (0.4, 0.6))
    await button(host, "Give to the assistant").click()
    await expect(host.frame.get_by_role("status")).to_contain_text("The assistant has the mask")
    asked = await client.call_tool("ask_for_mask", {"image": handle, "why": ""})
    assert (await load_mask(client, get_structured(asked)["mask"]["handle"])).size == (4032, 3024)
    assert max(host.sent_bytes.values()) < 60_000
