"""Source pictures: fetched when submitted, and taken for what their bytes say."""

from __future__ import annotations

import io
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tests.support.emulator_harness import encode_plain_image, read_error_code

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from tests.support.emulator_harness import EmulatorHarness, FakeEngine

    NewSite = Callable[..., Awaitable[EmulatorHarness]]


async def get_refusal(site: EmulatorHarness, data: bytes) -> str:
    """Why a picture is refused, empty when it is accepted."""
    return await get_url_refusal(site, await site.host_image(data))


async def get_url_refusal(site: EmulatorHarness, url: str) -> str:
    response = await site.post("/v1/imgenstd/imgen", model_id="artist_v0.4.0", prompt="a cat", img_url=url)
    if response.status_code == 200:
        return ""
    assert read_error_code(response) == 3
    return response.json()["error"]["message"]


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
async def test_the_usual_formats_are_accepted(site: EmulatorHarness, file_format: str) -> None:
    assert await get_refusal(site, encode_plain_image(file_format=file_format)) == ""


@pytest.mark.parametrize("file_format", ["GIF", "BMP", "TIFF"])
async def test_other_formats_are_refused_by_content(site: EmulatorHarness, file_format: str) -> None:
    assert f"img_url is {file_format}" in await get_refusal(site, encode_plain_image(file_format=file_format))


async def test_both_ends_of_the_size_are_allowed_and_no_pixel_more(site: EmulatorHarness) -> None:
    assert await get_refusal(site, encode_plain_image(256, 256)) == ""
    assert await get_refusal(site, encode_plain_image(6000, 256, file_format="JPEG")) == ""
    assert "255x256" in await get_refusal(site, encode_plain_image(255, 256))
    assert "6001x256" in await get_refusal(site, encode_plain_image(6001, 256))


async def test_a_picture_above_the_size_in_bytes_is_refused(new_site: NewSite, site: EmulatorHarness) -> None:
    await site.call_control("PATCH", "/settings", {"mhapi": {"max_source_bytes": 500}})
    data = encode_plain_image(file_format="JPEG")
    assert len(data) > 500
    assert "larger than 500 bytes" in await get_refusal(site, data)


async def test_what_is_no_picture_or_not_there_is_refused(site: EmulatorHarness) -> None:
    url = await site.host_image(encode_plain_image())
    async with serve_bytes(b"<html>hello</html>") as elsewhere:
        assert "not a picture" in await get_url_refusal(site, elsewhere)
    assert "ConnectError" in await get_url_refusal(site, elsewhere)
    assert "HTTP 403" in await get_url_refusal(site, url.replace("signature=", "signature=0"))


async def test_a_link_elsewhere_on_loopback_is_fetched(site: EmulatorHarness, engine: FakeEngine) -> None:
    data = encode_plain_image(colour="pink")
    async with serve_bytes(data) as url:
        task_id = await site.submit_task("/v1/imgenstd/imgen", model_id="artist_v0.4.0", prompt="a cat", img_url=url)
    await site.finish_task(task_id)
    assert engine.get_last_arguments("generate")["source"] == data


async def test_an_expired_link_of_ours_is_refused(site: EmulatorHarness) -> None:
    url = await site.host_image(encode_plain_image())
    await site.call_control("POST", "/clock", {"advance_s": 86_401})
    assert "expired" in await get_url_refusal(site, url)


async def test_a_mask_must_have_the_ratio_of_the_picture_upright(site: EmulatorHarness) -> None:
    """A photo taken sideways is stored lying and shown standing; the mask is drawn on what is shown."""
    turned = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (400, 300)).save(turned, "JPEG", exif=exif)
    source = await site.host_image(turned.getvalue())

    async def get_code(width: int, height: int) -> int:
        mask = await site.host_image(encode_plain_image(width, height))
        response = await site.post("/v1/erase/imgen", model_id="erase_v0.1", img_url=source, mask_img_url=mask)
        return 0 if response.status_code == 200 else read_error_code(response)

    assert [await get_code(300, 400), await get_code(600, 800), await get_code(302, 400)] == [0, 0, 0]
    assert [await get_code(400, 300), await get_code(306, 400)] == [3, 3]


@asynccontextmanager
async def serve_bytes(data: bytes) -> AsyncGenerator[str]:
    """A bare web server on loopback that answers everything with ``data``."""
    import asyncio

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
        writer.close()

    async with await asyncio.start_server(respond, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/picture.png"
