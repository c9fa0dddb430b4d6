"""What the SenseNova provider promises whatever the service does."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from atelier_mcp.server.errors import (
    AtelierError,
    AuthenticationFailed,
    ConfigurationError,
    ContentRefused,
    InvalidRequest,
    ProviderUnavailable,
    RateLimited,
    Spent,
    SubmitUnconfirmed,
)
from atelier_mcp.server.images.exchange import OutputImage
from atelier_mcp.server.providers.sensenova.miaohua_tokens import build_fixed_source
from atelier_mcp.server.providers.sensenova.provider import SensenovaProvider
from atelier_mcp.server.testing import provider_calls
from tests.support.sensenova_script import (
    API_KEY,
    CHAT_WITH_IMAGE_PATH,
    COMPLETIONS_PATH,
    DRAW,
    LINK,
    STOP_CHUNK,
    TALK,
    UNSURE,
    ScriptedTokenSource,
    build_chunk,
    build_chunked_step,
    build_stream_body,
    build_stream_response,
    create_provider,
    submit,
)
from tests.support.upstream_script import build_response

if TYPE_CHECKING:
    from atelier_mcp.server.providers.provider import Provider
    from atelier_mcp.server.providers.sensenova.provider import SensenovaProvider
    from atelier_mcp.server.requests.chat import ChatWithImage
    from tests.support.clock import AutoAdvanceClock
    from tests.support.upstream_script import SentRequest, UpstreamScript

BROKEN = httpx2.ReadError("broken")
CHINESE = build_chunk("然后")
INSIDE_A_CHARACTER = CHINESE[: CHINESE.index("然".encode()) + 1]


def build_refusal(status: int, message: str = "no", headers: dict[str, str] | None = None) -> httpx2.Response:
    """An error as it is assumed."""
    return build_response({"code": status, "msg": message, "data": None}, status, headers)


async def test_it_is_a_provider(sensenova: SensenovaProvider) -> None:
    provider: Provider = sensenova
    assert provider.name == "sensenova"
    assert provider.account.startswith("sensenova:")
    assert "KEY" not in provider.account
    assert provider.operations.keys() == {"chat", "chat_with_image"}
    assert provider.model_kinds == ()


async def test_nothing_is_left_to_look_at_to_cancel_or_to_list(sensenova: SensenovaProvider) -> None:
    provider: Provider = sensenova
    assert await provider.poll([]) == {}
    with pytest.raises(InvalidRequest):
        await provider.list_models("checkpoint", base=None, offset=0, limit=10)
    assert "generate_image" not in provider.operations


async def test_the_text_grows_before_the_readers_eyes(sensenova: SensenovaProvider, script: UpstreamScript) -> None:
    script.set_steps(
        COMPLETIONS_PATH, build_chunked_step(*map(build_chunk, ("One", " two,\n", " three")), build_chunk(*STOP_CHUNK))
    )
    heard: list[tuple[float | None, str]] = []
    await provider_calls.submit(sensenova, TALK, {}, lambda share, words: heard.append((share, words)))
    assert heard == [(None, "asked"), (None, "One"), (None, "One two,"), (None, "One two, three")]


async def test_of_a_long_text_the_last_words_are_shown(sensenova: SensenovaProvider, script: UpstreamScript) -> None:
    script.set_steps(
        COMPLETIONS_PATH, build_chunked_step(build_chunk("first " + "word " * 100 + "last"), build_chunk(*STOP_CHUNK))
    )
    heard: list[str] = []
    await provider_calls.submit(sensenova, TALK, {}, lambda share, words: heard.append(words))
    assert heard[-1].startswith("…")
    assert heard[-1].endswith("word last")
    assert len(heard[-1]) < 100


@pytest.mark.parametrize(
    ("request_", "pieces"),
    [
        (DRAW, [build_chunk("https://oss", has_image=True), build_chunk(".example.com/p.png", has_image=True)]),
        (UNSURE, [build_chunk(" This is a"), build_chunk(" drawing request*&^"), build_chunk("**#")]),
    ],
    ids=["a link", "the mark of an intent"],
)
async def test_what_is_not_for_eyes_is_not_shown_on_the_way(
    sensenova: SensenovaProvider, script: UpstreamScript, request_: ChatWithImage, pieces: list[bytes]
) -> None:
    script.set_steps(
        CHAT_WITH_IMAGE_PATH, build_chunked_step(*pieces, build_chunk(*STOP_CHUNK, has_image=request_.draw))
    )
    heard: list[str] = []
    await provider_calls.submit(sensenova, request_, {}, lambda share, words: heard.append(words))
    assert set(heard) <= {"asked", "answering", "drawn"}


async def test_no_end_mark_is_waited_for(sensenova: SensenovaProvider, script: UpstreamScript) -> None:
    """After the last chunk the connection may stay open for ever: here, reading on would break."""
    script.set_steps(
        COMPLETIONS_PATH, build_chunked_step(build_stream_body("Hi"), end=AssertionError("read past the end"))
    )
    assert (await submit(sensenova)).data["text"] == "Hi"


async def test_an_unfinished_text_is_complete_where_its_end_can_be_told(
    sensenova: SensenovaProvider, script: UpstreamScript
) -> None:
    script.set_steps(COMPLETIONS_PATH, build_stream_response(build_chunk("Hi")))
    assert (await submit(sensenova)).data == {"text": "Hi", "would_draw": False, "finish_reason": ""}


@pytest.mark.parametrize(
    "torn",
    [
        build_chunked_step(build_chunk("Half a"), build_chunk(" sentence"), end=BROKEN),
        build_chunked_step(build_chunk("Half a"), build_chunk(" sentence"), end=httpx2.ReadTimeout("silent")),
        build_chunked_step(build_chunk("Half a"), build_chunk(" sentence")),
        build_chunked_step(build_chunk("Half a sentence"), build_chunk(" and more")[:40]),
        build_chunked_step(build_chunk("Half a sentence"), INSIDE_A_CHARACTER, end=BROKEN),
        build_stream_response(build_chunk("Half a sentence") + b'data: {"code": 0, "da'),
        build_stream_response(
            build_chunk("Half a sentence") + b'data: {"code": 500, "msg": "overload", "data": null}\n\n'
        ),
        build_stream_response(build_chunk("Half a sentence") + b'data: "what"\n\n'),
    ],
    ids=["broken", "silent", "closed", "closed in a line", "broken in a character", "half", "given up", "nonsense"],
)
async def test_an_answer_that_breaks_off_is_told_as_far_as_it_came_and_not_asked_for_again(
    sensenova: SensenovaProvider, script: UpstreamScript, torn: Any
) -> None:
    script.set_steps(COMPLETIONS_PATH, [torn, build_stream_response(build_stream_body("second"))])
    with pytest.raises(SubmitUnconfirmed) as caught:
        await submit(sensenova)
    assert 'SenseNova had said: "Half a sentence"' in caught.value.message
    assert "\ufffd" not in caught.value.message
    assert caught.value.spent is Spent.MAYBE
    assert len(script.requests) == 1


async def test_a_drawn_picture_is_kept_even_if_the_stream_breaks_after_its_link(
    sensenova: SensenovaProvider, script: UpstreamScript
) -> None:
    """It was paid for, and its link is whole: a chunk is one line."""
    for end in (BROKEN, None):
        script.set_steps(CHAT_WITH_IMAGE_PATH, build_chunked_step(build_chunk(LINK, has_image=True), end=end))
        assert (await submit(sensenova, DRAW)).outputs == (OutputImage(url=LINK),)


async def test_a_link_in_words_that_broke_off_is_no_picture(
    sensenova: SensenovaProvider, script: UpstreamScript
) -> None:
    script.set_steps(CHAT_WITH_IMAGE_PATH, build_chunked_step(build_chunk("https://example.com"), end=BROKEN))
    with pytest.raises(SubmitUnconfirmed):
        await submit(sensenova, DRAW)


async def test_a_picture_is_one_even_if_the_last_chunk_no_longer_says_so(
    sensenova: SensenovaProvider, script: UpstreamScript
) -> None:
    script.set_steps(
        CHAT_WITH_IMAGE_PATH,
        build_stream_response(build_chunk(LINK, has_image=True) + build_chunk(*STOP_CHUNK, has_image=False)),
    )
    assert (await submit(sensenova, DRAW)).outputs == (OutputImage(url=LINK),)


@pytest.mark.parametrize(
    "lost",
    [
        httpx2.ReadError("broken"),
        httpx2.ReadTimeout("late"),
        httpx2.RemoteProtocolError("cut"),
        build_response("<html>", 200),
        build_response("", 200),
        build_response("null", 200),
        build_response({}, 200),
        build_response({"code": 0, "msg": "OK", "data": None}),
        build_refusal(500),
        build_refusal(502),
        build_response({"code": 500, "msg": "no", "data": None}, 200),
        build_stream_response(b""),
        build_stream_response(b"data: nonsense\n\n"),
        build_stream_response(b": only a comment\n\n"),
        build_chunked_step(end=BROKEN),
    ],
    ids=[
        "reset",
        "late",
        "cut",
        "a page",
        "nothing",
        "null",
        "an empty object",
        "no data",
        "500",
        "502",
        "code 500",
        "an empty stream",
        "nonsense",
        "only a comment",
        "a broken stream",
    ],
)
async def test_a_question_whose_fate_is_open_is_unconfirmed_and_not_repeated(
    sensenova: SensenovaProvider, script: UpstreamScript, lost: Any
) -> None:
    script.set_steps(COMPLETIONS_PATH, [lost, build_stream_response(build_stream_body("second"))])
    with pytest.raises(SubmitUnconfirmed):
        await submit(sensenova)
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    "refused",
    [
        httpx2.ConnectError("no"),
        build_refusal(429),
        build_refusal(429, headers={"retry-after": "3"}),
        build_stream_response(b'data: {"code": 429, "msg": "too fast", "data": null}\n\n'),
    ],
    ids=["no connection", "429", "429 with a hint", "429 in a stream"],
)
async def test_a_question_that_was_certainly_refused_is_asked_again(
    sensenova: SensenovaProvider, script: UpstreamScript, clock: AutoAdvanceClock, refused: Any
) -> None:
    script.set_steps(COMPLETIONS_PATH, [refused, refused, build_stream_response(build_stream_body("Hi"))])
    assert (await submit(sensenova)).data["text"] == "Hi"
    assert len(clock.sleeps_s) == 2


async def test_three_refusals_are_enough_and_a_long_wait_is_the_callers(
    sensenova: SensenovaProvider, script: UpstreamScript
) -> None:
    script.set_steps(COMPLETIONS_PATH, httpx2.ConnectError("no"))
    with pytest.raises(ProviderUnavailable):
        await submit(sensenova)
    assert len(script.requests) == 3
    script.set_steps(COMPLETIONS_PATH, build_refusal(429, headers={"retry-after": "60"}))
    with pytest.raises(RateLimited) as caught:
        await submit(sensenova)
    assert len(script.requests) == 4
    assert caught.value.retry_after_s == 60


@pytest.mark.parametrize(
    ("refused", "expected"),
    [
        (build_refusal(400), InvalidRequest),
        (build_refusal(422), InvalidRequest),
        (build_response("", 400), InvalidRequest),
        (build_refusal(401), AuthenticationFailed),
        (build_refusal(403), AuthenticationFailed),
        (build_response({"code": 401, "msg": "no", "data": None}, 200), AuthenticationFailed),
        (build_refusal(301), ConfigurationError),
    ],
    ids=repr,
)
async def test_a_refusal_costs_nothing_and_says_who_can_mend_it(
    sensenova: SensenovaProvider, script: UpstreamScript, refused: httpx2.Response, expected: type[AtelierError]
) -> None:
    script.set_steps(COMPLETIONS_PATH, refused)
    with pytest.raises(expected) as caught:
        await submit(sensenova)
    assert type(caught.value) is expected
    assert caught.value.spent not in {Spent.MAYBE, Spent.YES}
    assert len(script.requests) == 1


async def test_at_404_the_swapped_path_is_tried_once(sensenova: SensenovaProvider, script: UpstreamScript) -> None:
    script.set_steps(COMPLETIONS_PATH, build_refusal(404))
    script.set_steps("/v1/nlp/chat/completions", build_stream_response(build_stream_body("Hi")))
    assert (await submit(sensenova)).data["text"] == "Hi"
    script.set_steps("/v1/nlp/chat/completions", build_refusal(404))
    with pytest.raises(ConfigurationError, match="nothing at that address"):
        await submit(sensenova)
    script.set_steps(CHAT_WITH_IMAGE_PATH, build_refusal(404))
    with pytest.raises(ConfigurationError, match="nothing at that address"):
        await submit(sensenova, DRAW)
    assert script.list_paths() == [COMPLETIONS_PATH, "/v1/nlp/chat/completions"] * 2 + [CHAT_WITH_IMAGE_PATH]


async def test_an_address_may_name_the_endpoint_itself(script: UpstreamScript, clock: AutoAdvanceClock) -> None:
    """Gateways have paths of their own."""
    provider = create_provider(
        script,
        clock,
        chat_url="https://gateway.example/v1/llm/chat-completions",
        fusion_url="https://gateway.example/fusion/v1/chat-with-image/",
    )
    script.set_steps("/v1/llm/chat-completions", build_stream_response(build_stream_body("Hi")))
    script.set_steps("/fusion/v1/chat-with-image", build_stream_response(build_stream_body("Hi")))
    await submit(provider)
    await submit(provider, DRAW)
    await provider.close()
    assert script.list_paths() == ["/v1/llm/chat-completions", "/fusion/v1/chat-with-image"]


async def test_without_a_way_to_pay_for_pictures_the_settings_are_named_before_anything_is_sent(
    script: UpstreamScript, clock: AutoAdvanceClock
) -> None:
    provider = create_provider(script, clock, miaohua_token=None)
    with pytest.raises(ConfigurationError) as caught:
        await provider_calls.plan(provider, DRAW)
    for name in ("SENSENOVA_MIAOHUA_TOKEN", "MIAOHUA_EMAIL", "MIAOHUA_PASSWORD"):
        assert name in caught.value.hint
    assert script.requests == []
    assert (await provider_calls.plan(provider, TALK)).request == TALK
    await provider.close()


async def test_a_refused_token_is_renewed_once(script: UpstreamScript, clock: AutoAdvanceClock) -> None:
    provider = create_provider(script, clock, miaohua_token=ScriptedTokenSource("old", "new"))

    def answer_fusion(sent: SentRequest) -> httpx2.Response:
        return (
            build_stream_response(build_stream_body("Hi"))
            if sent.body["mh_key"] == "new"
            else build_refusal(401, "mh_key has expired")
        )

    script.set_steps(CHAT_WITH_IMAGE_PATH, answer_fusion)
    assert (await submit(provider, DRAW)).data["text"] == "Hi"
    script.set_steps(CHAT_WITH_IMAGE_PATH, build_refusal(401, "the key is unknown"))
    with pytest.raises(AuthenticationFailed) as caught:
        await submit(provider, DRAW)
    await provider.close()
    assert [sent.body["mh_key"] for sent in script.requests] == ["old", "new", "new"]
    assert "SENSENOVA_API_KEY" in caught.value.hint


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("我们检测到您的提示词中有敏感词语。请勿使用违反社区条约的提示词。", ContentRefused),
        ("不支持的模型: Artist V9", InvalidRequest),
        ("暂时无法作画", ContentRefused),
        ("https://oss.example.com/a.png was not drawn", ContentRefused),
        ("", ContentRefused),
    ],
    ids=["sensitive", "model", "other", "no link", "nothing"],
)
async def test_a_refusal_that_looks_like_success_is_none(
    sensenova: SensenovaProvider, script: UpstreamScript, words: str, expected: type[AtelierError]
) -> None:
    script.set_steps(
        CHAT_WITH_IMAGE_PATH, build_stream_response(build_stream_body(*words[:5], words[5:], has_image=True))
    )
    with pytest.raises(expected) as caught:
        await submit(sensenova, DRAW)
    assert caught.value.spent is Spent.NOTHING
    assert len(script.requests) == 1


async def test_a_link_in_words_is_words(sensenova: SensenovaProvider, script: UpstreamScript) -> None:
    script.set_steps(CHAT_WITH_IMAGE_PATH, build_stream_response(build_stream_body("https://example.com")))
    done = await submit(sensenova, DRAW)
    assert done.outputs == ()
    assert done.data["text"] == "https://example.com"


async def test_words_alone_count_as_no_picture(sensenova: SensenovaProvider, script: UpstreamScript) -> None:
    assert (DRAW.image_count(), UNSURE.image_count(), TALK.image_count()) == (1, 0, 0)
    script.set_steps(CHAT_WITH_IMAGE_PATH, build_stream_response(build_stream_body("Hi")))
    assert (await submit(sensenova, DRAW)).image_count == 0
    script.set_steps(CHAT_WITH_IMAGE_PATH, build_stream_response(build_stream_body(LINK, has_image=True)))
    assert (await submit(sensenova, DRAW)).image_count is None


async def test_an_answer_without_end_is_not_heard_out(
    sensenova: SensenovaProvider, script: UpstreamScript, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atelier_mcp.server.providers.sensenova.chat_client.MAX_BYTES", 1000)
    script.set_steps(COMPLETIONS_PATH, build_chunked_step(*[build_chunk("la")] * 20))
    with pytest.raises(SubmitUnconfirmed, match="does not end"):
        await submit(sensenova)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"chat_url": "chat.example"}, "SENSENOVA_CHAT_URL"),
        ({"fusion_url": "fusion.example"}, "base address of SenseNova"),
        ({"api_key": "two\nlines"}, "SENSENOVA_API_KEY"),
        ({"api_key": "Schlüssel"}, "SENSENOVA_API_KEY"),
    ],
    ids=str,
)
def test_what_no_request_can_be_made_with_is_a_setting_to_mend(
    script: UpstreamScript, clock: AutoAdvanceClock, wrong: dict[str, str], named: str
) -> None:
    with pytest.raises(ConfigurationError, match=named):
        create_provider(script, clock, **wrong)


async def test_secrets_questions_and_signed_links_stay_inside(
    script: UpstreamScript, clock: AutoAdvanceClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Even when the service says them back."""
    caplog.set_level(logging.INFO)

    def echo(sent: SentRequest) -> httpx2.Response:
        return build_refusal(400, f"{sent.headers['authorization']} {sent.body['mh_key']}-is-bad {LINK}")

    script.set_steps(CHAT_WITH_IMAGE_PATH, echo)
    token = "MIAOHUA-hidden-everywhere"
    provider = create_provider(script, clock, miaohua_token=build_fixed_source(token))
    with pytest.raises(InvalidRequest) as caught:
        await submit(provider, DRAW)
    await provider.close()
    logged = [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
    for word in (API_KEY, token, "Signature=secret"):
        assert not [text for text in (str(caught.value), repr(caught.value), *logged) if word in text]
    assert not [text for text in logged if "private question" in text]
