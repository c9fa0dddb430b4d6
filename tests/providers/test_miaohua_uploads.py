"""Pictures that Miaohua is given to keep: each once, at whichever address takes it, as what the service wants."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.errors import (
    ImageRefused,
    ProviderUnavailable,
)
from atelier_mcp.server.providers.base import (
    UpstreamTask,
)
from tests.support.miaohua_script import (
    JPEG_MAGIC,
    add_default_steps,
    build_refusal,
    build_success,
)
from tests.support.upstream_script import SentRequest, UpstreamScript, build_response

if TYPE_CHECKING:
    import httpx2

    from atelier_mcp.server.providers.miaohua.provider import MiaohuaProvider
    from tests.support.clock import AutoAdvanceClock

SUBMIT = "/task_submit"
ACCEPTED = build_success({"task_id": "t1"})
ONE, TWO = UpstreamTask("t1", "pictures"), UpstreamTask("t2", "pictures")
TRAINING = UpstreamTask("t1", "training")


@pytest.fixture(autouse=True)
def _prepared(script: UpstreamScript) -> None:  # pyright: ignore[reportUnusedFunction]  # an autouse fixture
    add_default_steps(script)


async def test_a_picture_is_uploaded_once_in_half_an_hour(
    miaohua: MiaohuaProvider, script: UpstreamScript, clock: AutoAdvanceClock
) -> None:
    for _ in range(3):
        assert (
            await miaohua.upload(JPEG_MAGIC + b"https://oss.example.com/a", "image/jpeg") == "https://oss.example.com/a"
        )
    assert script.list_paths().count("/upload_imgs") == 1
    clock.advance(1800)
    await miaohua.upload(JPEG_MAGIC + b"https://oss.example.com/a", "image/jpeg")
    assert script.list_paths().count("/upload_imgs") == 2


async def test_a_service_that_wants_the_token_as_a_part_gets_it_there(
    miaohua: MiaohuaProvider, script: UpstreamScript
) -> None:
    """Among the files, so with a file name: a part without one would not be found there."""

    def answer_upload(sent: SentRequest) -> httpx2.Response:
        has_token = re.search(rb'name="token"; filename="[^"]+"\r\n[^\x00]*?\r\n\r\nTOKEN\r\n', sent.content)
        return build_success(["https://oss.example.com/a"]) if has_token else build_refusal(401)

    script.set_steps("/upload_imgs", answer_upload)
    for number in range(2):
        await miaohua.upload(JPEG_MAGIC + bytes([number]), "image/jpeg")
    assert script.list_paths().count("/upload_imgs") == 4


async def test_a_service_without_the_upload_of_many_is_given_one_at_the_other_address(
    miaohua: MiaohuaProvider, script: UpstreamScript
) -> None:
    script.set_steps("/upload_imgs", build_response("", 404))
    script.set_steps("/upload_img", build_success(["https://oss.example.com/a"]))
    for number in range(2):
        assert await miaohua.upload(JPEG_MAGIC + bytes([number]), "image/jpeg") == "https://oss.example.com/a"
    assert script.list_paths().count("/upload_imgs") == 1


@pytest.mark.parametrize("listed", [[], ["https://a.example/1", "https://a.example/2"], ["no link"], None], ids=repr)
async def test_an_upload_that_is_not_answered_with_one_link_failed(
    miaohua: MiaohuaProvider, script: UpstreamScript, listed: Any
) -> None:
    script.set_steps("/upload_imgs", build_success(listed))
    with pytest.raises(ProviderUnavailable):
        await miaohua.upload(JPEG_MAGIC, "image/jpeg")


async def test_only_pictures_it_takes_are_uploaded(miaohua: MiaohuaProvider, script: UpstreamScript) -> None:
    with pytest.raises(ImageRefused):
        await miaohua.upload(b"II*\x00", "image/tiff")
    assert script.requests == []
