"""Source pictures: fetched when submitted, and taken for what their bytes say."""

from __future__ import annotations

import io
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from emulated import error_code, picture
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from emulated import PaintBox, Site

    NewSite = Callable[..., Awaitable[Site]]


async def refusal(site: Site, data: bytes) -> str:
    """Why a picture is refused, empty when it is accepted."""
    return await refusal_of(site, await site.hosted(data))


async def refusal_of(site: Site, url: str) -> str:
    answer = await site.post("/v1/imgenstd/imgen", model_id="artist_v0.4.0", prompt="a cat", img_url=url)
    if answer.status_code == 200:
        return ""
    assert error_code(answer) == 3
    return answer.json()["error"]["message"]


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
async def test_the_usual_formats_are_accepted(site: Site, file_format: str) -> None:
    assert await refusal(site, picture(file_format=file_format)) == ""


@pytest.mark.parametrize("file_format", ["GIF", "BMP", "TIFF"])
async def test_other_formats_are_refused_by_content(site: Site, file_format: str) -> None:
    assert f"img_url is {file_format}" in await refusal(site, picture(file_format=file_format))


async def test_both_ends_of_the_size_are_allowed_and_no_pixel_more(site: Site) -> None:
    assert await refusal(site, picture(256, 256)) == ""
    assert await refusal(site, picture(6000, 256, file_format="JPEG")) == ""
    assert "255x256" in await refusal(site, picture(255, 256))
    assert "6001x256" in await refusal(site, picture(6001, 256))


async def test_a_picture_above_the_size_in_bytes_is_refused(new_site: NewSite, site: Site) -> None:
    await site.control("PATCH", "/settings", {"mhapi": {"max_source_bytes": 500}})
    data = picture(file_format="JPEG")
    assert len(data) > 500
    assert "larger than 500 bytes" in await refusal(site, data)


async def test_what_is_no_picture_or_not_there_is_refused(site: Site) -> None:
    url = await site.hosted(picture())
    async with hosting(b"<html>hello</html>") as elsewhere:
        assert "not a picture" in await refusal_of(site, elsewhere)
    assert "ConnectError" in await refusal_of(site, elsewhere)
    assert "HTTP 403" in await refusal_of(site, url.replace("signature=", "signature=0"))


async def test_a_link_elsewhere_on_loopback_is_fetched(site: Site, engine: PaintBox) -> None:
    data = picture(colour="pink")
    async with hosting(data) as url:
        task_id = await site.submitted("/v1/imgenstd/imgen", model_id="artist_v0.4.0", prompt="a cat", img_url=url)
    await site.finished(task_id)
    assert engine.last("generate")["source"] == data


async def test_an_expired_link_of_ours_is_refused(site: Site) -> None:
    url = await site.hosted(picture())
    await site.control("POST", "/clock", {"advance_s": 86_401})
    assert "expired" in await refusal_of(site, url)


async def test_a_mask_must_have_the_ratio_of_the_picture_upright(site: Site) -> None:
    """A photo taken sideways is stored lying and shown standing; the mask is drawn on what is shown."""
    turned = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (400, 300)).save(turned, "JPEG", exif=exif)
    source = await site.hosted(turned.getvalue())

    async def code(width: int, height: int) -> int:
        mask = await site.hosted(picture(width, height))
        answer = await site.post("/v1/erase/imgen", model_id="erase_v0.1", img_url=source, mask_img_url=mask)
        return 0 if answer.status_code == 200 else error_code(answer)

    assert [await code(300, 400), await code(600, 800), await code(302, 400)] == [0, 0, 0]
    assert [await code(400, 300), await code(306, 400)] == [3, 3]


@asynccontextmanager
async def hosting(data: bytes) -> AsyncGenerator[str]:
    """A bare web server on loopback that answers everything with ``data``."""
    import asyncio

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/picture.png"
