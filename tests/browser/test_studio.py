"""The studio in a browser: what a person sees of a result, and what the five verbs do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from playwright.async_api import expect

from tests.browser.hosts import ALL_HOSTS, CHATGPT, CLAUDE, CLAUDE_WEB, CURSOR, DESKTOP, PHONE, VSCODE, HostKind
from tests.support.tool_results import get_structured

if TYPE_CHECKING:
    from pathlib import Path

    from mcp import Client

    from tests.browser.conftest import OpenHost
    from tests.browser.host_frame import HostFrame

KITE: Final[dict[str, Any]] = {"prompt": "a red kite over dunes", "width": 800, "height": 600, "seed": 7}


async def import_photo(client: Client, photos: Path, name: str = "rocket.jpg") -> str:
    """The handle of a photo."""
    result = await client.call_tool("import_image", {"image": str(photos / name)})
    return get_structured(result)["image"]["handle"]


async def wait_for_width(host: HostFrame, least_px: int, most_px: int = 10_000) -> None:
    """Until the picture that is shown has so many pixels of its own."""
    await host.frame.wait_for_function(
        "([least, most]) => [...document.querySelectorAll('.compare img')].some("
        "({ naturalWidth }) => least <= naturalWidth && naturalWidth <= most)",
        arg=[least_px, most_px],
    )


async def wait_for_image(host: HostFrame) -> None:
    """Until the chosen picture and what made it are there."""
    await expect(host.frame.locator(".compare img").last).to_have_js_property("complete", value=True)
    await expect(host.frame.locator(".verbs button")).to_have_count(5)
    await expect(host.frame.get_by_role("progressbar")).to_have_count(0)


@pytest.mark.parametrize("kind", ALL_HOSTS, ids=lambda kind: kind.name)
async def test_a_result_is_shown_in_every_host(client: Client, new_host: OpenHost, kind: HostKind) -> None:
    """Also where the host drops the facts, or the whole result: the server has them."""
    host = await new_host(client, kind=kind)
    await host.run("generate_image", KITE)
    await wait_for_image(host)
    if kind is not CHATGPT:  # its frame has room for picture and verbs alone
        await expect(host.frame.locator(".prompt")).to_have_text("a red kite over dunes")
        await expect(host.frame.get_by_role("button", name="7", exact=True)).to_be_visible()
    # Larger than a preview, as far as the host's limit goes.
    await wait_for_width(host, 640)
    assert await host.get_sideways_px() <= 0


async def test_the_frame_has_the_shape_that_was_asked_for_before_the_picture_is_there(
    client: Client, new_host: OpenHost
) -> None:
    """Nothing jumps when it comes."""
    host = await new_host(client)
    await host.deliver_input({"prompt": "a tall tower", "aspect": "3:4"})
    box = await host.frame.locator(".compare").bounding_box()
    assert box is not None
    assert box["width"] / box["height"] == pytest.approx(3 / 4, abs=0.02)


async def test_several_pictures_stand_in_a_grid_and_one_click_shows_one_large(
    client: Client, new_host: OpenHost
) -> None:
    host = await new_host(client)
    await host.run("generate_image", {**KITE, "samples": 3})
    await expect(host.frame.locator(".grid button")).to_have_count(3)
    await host.frame.locator(".grid button").nth(1).click()
    await wait_for_image(host)
    await expect(host.frame.get_by_role("radio", checked=True)).to_have_accessible_name("2, 800 by 600")
    await host.frame.get_by_role("radio", checked=True).press("ArrowRight")
    await expect(host.frame.get_by_role("radio", checked=True)).to_have_accessible_name("3, 800 by 600")


async def test_an_edit_stands_beside_its_source_and_the_slider_moves(
    client: Client, new_host: OpenHost, photos: Path
) -> None:
    """By pointer and by keys."""
    handle = await import_photo(client, photos)
    host = await new_host(client, tool="upscale_image")
    await host.run("upscale_image", {"image": handle, "ratio": 1.5})
    slider = host.frame.get_by_role("slider", name="Before and after")
    await slider.press("ArrowLeft")
    await expect(slider).to_have_value("49")
    box = await slider.bounding_box()
    assert box is not None
    await host.page.mouse.click(box["x"] + box["width"] * 0.8, box["y"] + box["height"] / 2)
    await expect(slider).not_to_have_value("49")
    assert int(await slider.input_value()) > 70
    hold = host.frame.get_by_role("button", name="Hold: original")
    await hold.dispatch_event("pointerdown")
    await expect(hold).to_have_attribute("aria-pressed", "true")
    await hold.dispatch_event("pointerup")
    await expect(hold).to_have_attribute("aria-pressed", "false")


async def test_an_upscale_runs_to_its_end_in_the_view(client: Client, new_host: OpenHost, photos: Path) -> None:
    """The button says what it spends; the result is a version of the picture."""
    host = await new_host(client)
    await host.run("generate_image", {**KITE, "width": 640, "height": 480})
    await wait_for_image(host)
    button = host.frame.get_by_role("button", name="Upscale 2×")
    await expect(button).to_contain_text("1 picture")
    await button.click()
    await expect(host.frame.get_by_role("radio", name="upscaled, 1280 by 960")).to_be_checked()
    await expect(host.frame.get_by_role("slider", name="Before and after")).to_be_visible()
    await host.wait_until_said("ran upscale_image")


async def test_variations_are_versions_of_the_chosen_picture(client: Client, new_host: OpenHost) -> None:
    host = await new_host(client)
    await host.run("generate_image", {**KITE, "width": 640, "height": 480})
    await wait_for_image(host)
    await host.frame.get_by_role("button", name="Variations").click()
    await expect(host.frame.get_by_role("radio")).to_have_count(3)
    await expect(host.frame.get_by_role("radio", name="variation 2 ↰1", exact=False)).to_be_visible()


@pytest.mark.parametrize(
    ("kind", "expected"), [(CLAUDE, "Use img_"), (VSCODE, None), (CURSOR, None)], ids=["message", "context", "neither"]
)
async def test_this_one_reaches_the_model_or_the_clipboard(
    client: Client, new_host: OpenHost, kind: HostKind, expected: str | None
) -> None:
    """Not every host hears the view."""
    host = await new_host(client, kind=kind)
    await host.run("generate_image", KITE)
    await wait_for_image(host)
    await host.frame.get_by_role("button", name="Use this one").click()
    if expected:
        await expect(host.frame.get_by_role("status")).to_have_text("The assistant knows.")
        assert expected in str(await host.get_said())
    else:
        await expect(host.frame.get_by_role("status")).to_contain_text("img_")


async def test_a_picture_is_saved_through_the_host(client: Client, new_host: OpenHost) -> None:
    host = await new_host(client)
    await host.run("generate_image", KITE)
    await wait_for_image(host)
    await host.frame.get_by_role("button", name="Save").click()
    await expect(host.frame.get_by_role("status")).to_have_text("Saved.")
    (saved,) = [words for words in await host.get_said() if "file" in words]
    assert saved["file"].endswith(".jpg")
    assert saved["size"] > 1000


async def test_a_refused_call_is_told_in_the_servers_words(client: Client, new_host: OpenHost) -> None:
    host = await new_host(client)
    await host.run("generate_image", {"prompt": "x", "image": "img_aaaaaaaaaaaaaaaa"})
    await expect(host.frame.get_by_role("status")).to_contain_text("No picture is stored")


async def test_a_cancelled_call_is_told(client: Client, new_host: OpenHost) -> None:
    host = await new_host(client)
    await host.page.evaluate("later(() => send({ method: 'ui/notifications/tool-cancelled', params: {} }))")
    await expect(host.frame.get_by_role("status")).to_have_text("Cancelled.")


async def test_what_was_made_of_a_picture_is_there_again_in_a_new_frame(
    client: Client, new_host: OpenHost, photos: Path
) -> None:
    """Hosts mount a view anew when a conversation is opened again; its state is the server's."""
    result = await client.call_tool("generate_image", {**KITE, "width": 640, "height": 480})
    handle = get_structured(result)["images"][0]["handle"]
    await client.call_tool("upscale_image", {"image": handle, "ratio": 2})
    host = await new_host(client)
    await host.deliver_input(KITE)
    await host.deliver_result(result)
    await expect(host.frame.get_by_role("radio", name="upscaled, 1280 by 960")).to_be_visible()


@pytest.mark.parametrize("kind", [DESKTOP, CLAUDE_WEB], ids=["facts dropped", "result lost"])
async def test_a_local_tools_result_is_found_again(
    client: Client, new_host: OpenHost, photos: Path, kind: HostKind
) -> None:
    """It has no job; asked once more it answers the same, at once and for nothing."""
    handle = await import_photo(client, photos)
    host = await new_host(client, kind=kind, tool="transform_image")
    await host.run("transform_image", {"image": handle, "crop": [0, 0, 300, 300]})
    await wait_for_width(host, 300, 300)


async def test_markup_in_a_prompt_is_text(client: Client, new_host: OpenHost) -> None:
    """A prompt may come from anywhere."""
    prompt = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script> a kite"
    host = await new_host(client)
    await host.run("generate_image", {**KITE, "prompt": prompt})
    await wait_for_image(host)
    await expect(host.frame.locator(".prompt p")).to_have_text(prompt)
    assert await host.frame.title() == "Atelier"


async def test_only_the_host_is_heard(client: Client, new_host: OpenHost) -> None:
    """Not another window, nor the page itself: either could put words into a person's mouth."""
    host = await new_host(client)
    await host.run("generate_image", KITE)
    await wait_for_image(host)
    forged = {"content": [{"type": "text", "text": "owned"}], "isError": True}
    message = {"jsonrpc": "2.0", "method": "ui/notifications/tool-result", "params": forged}
    await host.page.evaluate(
        """message => new Promise((done) => {
        const stranger = document.createElement('iframe');
        stranger.srcdoc = `<script>
          parent.frames[0].postMessage(${JSON.stringify(message)}, '*');
          parent.postMessage('sent', '*');
        <${'/'}script>`;
        addEventListener('message', ({ data }) => data === 'sent' && done());
        document.body.append(stranger);
    })""",
        message,
    )
    await host.frame.evaluate("message => postMessage(message, '*')", message)
    # What the host itself says afterwards is heard, and nothing came before it.
    await host.page.evaluate("send({ method: 'ui/notifications/tool-cancelled', params: {} })")
    await expect(host.frame.get_by_role("status")).to_have_text("Cancelled.")
    await host.page.evaluate("message => send(message)", message)
    await expect(host.frame.get_by_role("status")).to_have_text("owned")


async def test_it_speaks_chinese_where_the_host_does(client: Client, new_host: OpenHost) -> None:
    host = await new_host(client, locale="zh-CN")
    await host.run("generate_image", KITE)
    await wait_for_image(host)
    await expect(host.frame.get_by_role("button", name="就用这张")).to_be_visible()
    assert await host.frame.evaluate("document.documentElement.lang") == "zh-CN"


async def test_it_follows_a_change_of_theme(client: Client, new_host: OpenHost) -> None:
    host = await new_host(client)
    await host.run("generate_image", KITE)
    await wait_for_image(host)
    light = await host.frame.evaluate("getComputedStyle(document.body).backgroundColor")
    await host.set_theme("dark")
    await host.frame.wait_for_function("light => getComputedStyle(document.body).backgroundColor !== light", arg=light)


async def test_nothing_stands_out_sideways(client: Client, new_host: OpenHost) -> None:
    arguments = {**KITE, "samples": 2}
    result = await client.call_tool("generate_image", arguments)
    for width in (320, 400, 720, 1200, 2560):
        host = await new_host(client, kind=PHONE if width < 400 else CLAUDE, width=width)
        await host.deliver_input(arguments)
        await host.deliver_result(result)
        await expect(host.frame.locator(".grid img")).to_have_count(2)
        assert await host.get_sideways_px() <= 0, width
        await host.frame.locator(".grid button").first.click()
        await expect(host.frame.locator(".compare img")).to_be_visible()
        assert await host.get_sideways_px() <= 0, width
