"""A status beside SenseNova's code: how an answer failed that looks like a success."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.errors import AtelierError, ContentRefused, SubmitUnconfirmed
from atelier_mcp.server.images.exchange import OutputImage
from tests.support.sensenova_script import (
    CHAT_WITH_IMAGE_PATH,
    COMPLETIONS_PATH,
    DRAW,
    LINK,
    STOP_CHUNK,
    build_chunk,
    build_stream_response,
    submit,
)
from tests.support.upstream_script import build_response

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2

    from atelier_mcp.server.providers.sensenova.provider import SensenovaProvider
    from tests.support.upstream_script import UpstreamScript


def build_document(status: int, text: str, *, code: int = 200) -> httpx2.Response:
    """A whole answer that looks like success but for ``data.status``."""
    choices = [{"content": text, "finish_reason": "stop"}]
    usage = {"prompt_tokens": 6, "completion_tokens": 0, "total_tokens": 6}
    data = {"id": "4b44cd86cd2c000", "choices": choices, "usage": usage, "status": status}
    return build_response({"code": code, "msg": "ok", "data": data})


def build_stream_with_status(status: int, text: str) -> httpx2.Response:
    """The same as a stream: the words, and the status with the last chunk."""
    last = build_chunk(*STOP_CHUNK).replace(b'"status": 0', f'"status": {status}'.encode())
    return build_stream_response(build_chunk(text) + last)


@pytest.mark.parametrize("text", ["", "Half a"])
@pytest.mark.parametrize(
    ("status", "expected", "words"),
    [
        (1, SubmitUnconfirmed, "internal error"),
        (3, SubmitUnconfirmed, "ran out of time"),
        (4, ContentRefused, "breaks its rules"),
    ],
)
@pytest.mark.parametrize("build", [build_document, build_stream_with_status], ids=["whole", "streamed"])
async def test_a_status_beside_a_success_code_tells_how_the_answer_failed(
    sensenova: SensenovaProvider,
    script: UpstreamScript,
    build: Callable[[int, str], httpx2.Response],
    status: int,
    expected: type[AtelierError],
    words: str,
    text: str,
) -> None:
    """With an empty text or half of one; what came is told, unless it was refused for what it says."""
    script.set_steps(COMPLETIONS_PATH, build(status, text))
    with pytest.raises(expected, match=words) as caught:
        await submit(sensenova)
    assert (f'had said: "{text}"' in caught.value.message) == bool(text and status != 4)
    assert len(script.requests) == 1


async def test_a_status_nobody_has_explained_fails_only_an_answer_without_words(
    sensenova: SensenovaProvider, script: UpstreamScript
) -> None:
    script.set_steps(COMPLETIONS_PATH, [build_document(9, "Hi"), build_document(9, "", code=0)])
    assert (await submit(sensenova)).data["text"] == "Hi"
    with pytest.raises(SubmitUnconfirmed, match="unknown status 9"):
        await submit(sensenova)


async def test_a_picture_is_kept_whatever_the_status_beside_it(
    sensenova: SensenovaProvider, script: UpstreamScript
) -> None:
    """It was paid for."""
    stream = build_chunk(LINK, has_image=True) + build_chunk(*STOP_CHUNK).replace(b'"status": 0', b'"status": 1')
    script.set_steps(CHAT_WITH_IMAGE_PATH, build_stream_response(stream))
    assert (await submit(sensenova, DRAW)).outputs == (OutputImage(url=LINK),)
