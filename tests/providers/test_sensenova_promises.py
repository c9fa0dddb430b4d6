"""What the SenseNova provider promises whatever the service does."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from scripted import answer
from scripted_sensenova import (
    API_KEY,
    COMPLETIONS,
    FUSION,
    MIAOHUA_TOKEN,
    STOP,
    Payer,
    chunk,
    parts,
    provider_for,
    said,
    stream,
)

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
from atelier_mcp.server.providers.base import Done, Output, Provider
from atelier_mcp.server.providers.sensenova.provider import SensenovaProvider, settled
from atelier_mcp.server.requests.chat import Chat, ChatWithImage
from atelier_mcp.server.requests.create import GenerateImage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from scripted import HandClock, Script, Sent

    from atelier_mcp.server.requests.base import Request

LINK = "https://oss.example.com/picture.png?Signature=secret"
TALK = Chat.model_validate({"messages": [{"role": "user", "content": "a very private question"}]})
DRAW = ChatWithImage.model_validate({"messages": [{"role": "user", "content": "draw a boat"}]})
UNSURE = DRAW.model_copy(update={"draw": False})
BROKEN = httpx2.ReadError("broken")
CHINESE = chunk("然后")
INSIDE_A_CHARACTER = CHINESE[: CHINESE.index("然".encode()) + 1]


@pytest.fixture
async def sensenova(script: Script, clock: HandClock) -> AsyncGenerator[SensenovaProvider]:
    provider = provider_for(script, clock)
    yield provider
    await provider.close()


def refusal(status: int, message: str = "no", headers: dict[str, str] | None = None) -> httpx2.Response:
    """An error as it is assumed."""
    return answer({"code": status, "msg": message, "data": None}, status, headers)


async def submit(provider: SensenovaProvider, request: Request = TALK) -> Done:
    return await provider.submit(request, {}, lambda share, words: None)


async def test_it_is_a_provider(sensenova: SensenovaProvider) -> None:
    provider: Provider = sensenova
    assert provider.name == "sensenova"
    assert provider.account.startswith("sensenova:")
    assert "KEY" not in provider.account
    assert provider.capabilities == {"chat", "chat_with_image"}
    assert provider.model_kinds == ()


async def test_nothing_is_left_to_look_at_to_cancel_or_to_list(sensenova: SensenovaProvider) -> None:
    provider: Provider = sensenova
    assert await provider.look([]) == {}
    with pytest.raises(InvalidRequest):
        await provider.list_models("checkpoint", base=None, offset=0, limit=10)
    with pytest.raises(InvalidRequest):
        await provider.plan(GenerateImage.model_validate({"prompt": "a boat"}), {})


async def test_the_text_grows_before_the_readers_eyes(sensenova: SensenovaProvider, script: Script) -> None:
    script.on(COMPLETIONS, parts(*map(chunk, ("One", " two,\n", " three")), chunk(*STOP)))
    heard: list[tuple[float | None, str]] = []
    await sensenova.submit(TALK, {}, lambda share, words: heard.append((share, words)))
    assert heard == [(None, "asked"), (None, "One"), (None, "One two,"), (None, "One two, three")]


async def test_of_a_long_text_the_last_words_are_shown(sensenova: SensenovaProvider, script: Script) -> None:
    script.on(COMPLETIONS, parts(chunk("first " + "word " * 100 + "last"), chunk(*STOP)))
    heard: list[str] = []
    await sensenova.submit(TALK, {}, lambda share, words: heard.append(words))
    assert heard[-1].startswith("…")
    assert heard[-1].endswith("word last")
    assert len(heard[-1]) < 100


@pytest.mark.parametrize(
    ("request_", "pieces"),
    [
        (DRAW, [chunk("https://oss", picture=True), chunk(".example.com/p.png", picture=True)]),
        (UNSURE, [chunk(" This is a"), chunk(" drawing request*&^"), chunk("**#")]),
    ],
    ids=["a link", "the mark of an intent"],
)
async def test_what_is_not_for_eyes_is_not_shown_on_the_way(
    sensenova: SensenovaProvider, script: Script, request_: ChatWithImage, pieces: list[bytes]
) -> None:
    script.on(FUSION, parts(*pieces, chunk(*STOP, picture=request_.draw)))
    heard: list[str] = []
    await sensenova.submit(request_, {}, lambda share, words: heard.append(words))
    assert set(heard) <= {"asked", "answering", "drawn"}


async def test_no_end_mark_is_waited_for(sensenova: SensenovaProvider, script: Script) -> None:
    """After the last chunk the connection may stay open for ever: here, reading on would break."""
    script.on(COMPLETIONS, parts(said("Hi"), end=AssertionError("read past the end")))
    assert (await submit(sensenova)).data["text"] == "Hi"


async def test_an_unfinished_text_is_complete_where_its_end_can_be_told(
    sensenova: SensenovaProvider, script: Script
) -> None:
    script.on(COMPLETIONS, stream(chunk("Hi")))
    assert (await submit(sensenova)).data == {"text": "Hi", "would_draw": False, "finish_reason": ""}


@pytest.mark.parametrize(
    "torn",
    [
        parts(chunk("Half a"), chunk(" sentence"), end=BROKEN),
        parts(chunk("Half a"), chunk(" sentence"), end=httpx2.ReadTimeout("silent")),
        parts(chunk("Half a"), chunk(" sentence")),
        parts(chunk("Half a sentence"), chunk(" and more")[:40]),
        parts(chunk("Half a sentence"), INSIDE_A_CHARACTER, end=BROKEN),
        stream(chunk("Half a sentence") + b'data: {"code": 0, "da'),
        stream(chunk("Half a sentence") + b'data: {"code": 500, "msg": "overload", "data": null}\n\n'),
        stream(chunk("Half a sentence") + b'data: "what"\n\n'),
    ],
    ids=["broken", "silent", "closed", "closed in a line", "broken in a character", "half", "given up", "nonsense"],
)
async def test_an_answer_that_breaks_off_is_told_as_far_as_it_came_and_not_asked_for_again(
    sensenova: SensenovaProvider, script: Script, torn: Any
) -> None:
    script.on(COMPLETIONS, [torn, stream(said("second"))])
    with pytest.raises(SubmitUnconfirmed) as caught:
        await submit(sensenova)
    assert 'SenseNova had said: "Half a sentence"' in caught.value.what
    assert "\ufffd" not in caught.value.what
    assert caught.value.spent is Spent.MAYBE
    assert len(script.sent) == 1


async def test_a_drawn_picture_is_kept_even_if_the_stream_breaks_after_its_link(
    sensenova: SensenovaProvider, script: Script
) -> None:
    """It was paid for, and its link is whole: a chunk is one line."""
    for end in (BROKEN, None):
        script.on(FUSION, parts(chunk(LINK, picture=True), end=end))
        assert (await submit(sensenova, DRAW)).outputs == (Output(url=LINK),)


async def test_a_link_in_words_that_broke_off_is_no_picture(sensenova: SensenovaProvider, script: Script) -> None:
    script.on(FUSION, parts(chunk("https://example.com"), end=BROKEN))
    with pytest.raises(SubmitUnconfirmed):
        await submit(sensenova, DRAW)


async def test_a_picture_is_one_even_if_the_last_chunk_no_longer_says_so(
    sensenova: SensenovaProvider, script: Script
) -> None:
    script.on(FUSION, stream(chunk(LINK, picture=True) + chunk(*STOP, picture=False)))
    assert (await submit(sensenova, DRAW)).outputs == (Output(url=LINK),)


@pytest.mark.parametrize(
    "lost",
    [
        httpx2.ReadError("broken"),
        httpx2.ReadTimeout("late"),
        httpx2.RemoteProtocolError("cut"),
        answer("<html>", 200),
        answer("", 200),
        answer("null", 200),
        answer({}, 200),
        answer({"code": 0, "msg": "OK", "data": None}),
        refusal(500),
        refusal(502),
        answer({"code": 500, "msg": "no", "data": None}, 200),
        stream(b""),
        stream(b"data: nonsense\n\n"),
        stream(b": only a comment\n\n"),
        parts(end=BROKEN),
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
    sensenova: SensenovaProvider, script: Script, lost: Any
) -> None:
    script.on(COMPLETIONS, [lost, stream(said("second"))])
    with pytest.raises(SubmitUnconfirmed):
        await submit(sensenova)
    assert len(script.sent) == 1


@pytest.mark.parametrize(
    "refused",
    [
        httpx2.ConnectError("no"),
        refusal(429),
        refusal(429, headers={"retry-after": "3"}),
        stream(b'data: {"code": 429, "msg": "too fast", "data": null}\n\n'),
    ],
    ids=["no connection", "429", "429 with a hint", "429 in a stream"],
)
async def test_a_question_that_was_certainly_refused_is_asked_again(
    sensenova: SensenovaProvider, script: Script, clock: HandClock, refused: Any
) -> None:
    script.on(COMPLETIONS, [refused, refused, stream(said("Hi"))])
    assert (await submit(sensenova)).data["text"] == "Hi"
    assert len(clock.slept) == 2


async def test_three_refusals_are_enough_and_a_long_wait_is_the_callers(
    sensenova: SensenovaProvider, script: Script
) -> None:
    script.on(COMPLETIONS, httpx2.ConnectError("no"))
    with pytest.raises(ProviderUnavailable):
        await submit(sensenova)
    assert len(script.sent) == 3
    script.on(COMPLETIONS, refusal(429, headers={"retry-after": "60"}))
    with pytest.raises(RateLimited) as caught:
        await submit(sensenova)
    assert len(script.sent) == 4
    assert caught.value.retry_after_s == 60


@pytest.mark.parametrize(
    ("refused", "expected"),
    [
        (refusal(400), InvalidRequest),
        (refusal(422), InvalidRequest),
        (answer("", 400), InvalidRequest),
        (refusal(401), AuthenticationFailed),
        (refusal(403), AuthenticationFailed),
        (answer({"code": 401, "msg": "no", "data": None}, 200), AuthenticationFailed),
        (refusal(301), ConfigurationError),
    ],
    ids=repr,
)
async def test_a_refusal_costs_nothing_and_says_who_can_mend_it(
    sensenova: SensenovaProvider, script: Script, refused: httpx2.Response, expected: type[AtelierError]
) -> None:
    script.on(COMPLETIONS, refused)
    with pytest.raises(expected) as caught:
        await submit(sensenova)
    assert type(caught.value) is expected
    assert caught.value.spent not in {Spent.MAYBE, Spent.YES}
    assert len(script.sent) == 1


async def test_at_404_the_swapped_path_is_tried_once(sensenova: SensenovaProvider, script: Script) -> None:
    script.on(COMPLETIONS, refusal(404))
    script.on("/v1/nlp/chat/completions", stream(said("Hi")))
    assert (await submit(sensenova)).data["text"] == "Hi"
    script.on("/v1/nlp/chat/completions", refusal(404))
    with pytest.raises(ConfigurationError, match="nothing at that address"):
        await submit(sensenova)
    script.on(FUSION, refusal(404))
    with pytest.raises(ConfigurationError, match="nothing at that address"):
        await submit(sensenova, DRAW)
    assert script.paths() == [COMPLETIONS, "/v1/nlp/chat/completions"] * 2 + [FUSION]


async def test_an_address_may_name_the_endpoint_itself(script: Script, clock: HandClock) -> None:
    """Gateways have paths of their own."""
    provider = provider_for(
        script,
        clock,
        chat_url="https://gateway.example/v1/llm/chat-completions",
        fusion_url="https://gateway.example/fusion/v1/chat-with-image/",
    )
    script.on("/v1/llm/chat-completions", stream(said("Hi")))
    script.on("/fusion/v1/chat-with-image", stream(said("Hi")))
    await submit(provider)
    await submit(provider, DRAW)
    await provider.close()
    assert script.paths() == ["/v1/llm/chat-completions", "/fusion/v1/chat-with-image"]


async def test_without_a_way_to_pay_for_pictures_the_settings_are_named_before_anything_is_sent(
    script: Script, clock: HandClock
) -> None:
    provider = provider_for(script, clock, miaohua_token=None)
    with pytest.raises(ConfigurationError) as caught:
        await provider.plan(DRAW, {})
    for name in ("SENSENOVA_MIAOHUA_TOKEN", "MIAOHUA_EMAIL", "MIAOHUA_PASSWORD"):
        assert name in caught.value.then
    assert script.sent == []
    assert (await provider.plan(TALK, {})).request == TALK
    provider.draw_with(settled("lent"))
    assert (await provider.plan(DRAW, {})).request != DRAW, "the model is filled in"
    await provider.close()


async def test_a_token_of_its_own_goes_before_a_lent_one(sensenova: SensenovaProvider, script: Script) -> None:
    sensenova.draw_with(settled("lent"))
    script.on(FUSION, stream(said("Hi")))
    await submit(sensenova, DRAW)
    assert script.sent[0].body["mh_key"] == MIAOHUA_TOKEN


async def test_a_refused_token_is_renewed_once(script: Script, clock: HandClock) -> None:
    provider = provider_for(script, clock, miaohua_token=Payer("old", "new"))

    def only_new(sent: Sent) -> httpx2.Response:
        return stream(said("Hi")) if sent.body["mh_key"] == "new" else refusal(401, "mh_key has expired")

    script.on(FUSION, only_new)
    assert (await submit(provider, DRAW)).data["text"] == "Hi"
    script.on(FUSION, refusal(401, "the key is unknown"))
    with pytest.raises(AuthenticationFailed) as caught:
        await submit(provider, DRAW)
    await provider.close()
    assert [sent.body["mh_key"] for sent in script.sent] == ["old", "new", "new"]
    assert "SENSENOVA_API_KEY" in caught.value.then


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
    sensenova: SensenovaProvider, script: Script, words: str, expected: type[AtelierError]
) -> None:
    script.on(FUSION, stream(said(*words[:5], words[5:], picture=True)))
    with pytest.raises(expected) as caught:
        await submit(sensenova, DRAW)
    assert caught.value.spent is Spent.NOTHING
    assert len(script.sent) == 1


async def test_a_link_in_words_is_words(sensenova: SensenovaProvider, script: Script) -> None:
    script.on(FUSION, stream(said("https://example.com")))
    done = await submit(sensenova, DRAW)
    assert done.outputs == ()
    assert done.data["text"] == "https://example.com"


async def test_words_alone_count_as_no_picture(sensenova: SensenovaProvider, script: Script) -> None:
    assert (DRAW.cost(), UNSURE.cost(), TALK.cost()) == (1, 0, 0)
    script.on(FUSION, stream(said("Hi")))
    assert (await submit(sensenova, DRAW)).cost == 0
    script.on(FUSION, stream(said(LINK, picture=True)))
    assert (await submit(sensenova, DRAW)).cost is None


async def test_an_answer_without_end_is_not_heard_out(
    sensenova: SensenovaProvider, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atelier_mcp.server.providers.sensenova.talking.MOST_BYTES", 1000)
    script.on(COMPLETIONS, parts(*[chunk("la")] * 20))
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
    script: Script, clock: HandClock, wrong: dict[str, str], named: str
) -> None:
    with pytest.raises(ConfigurationError, match=named):
        provider_for(script, clock, **wrong)


async def test_secrets_questions_and_signed_links_stay_inside(
    script: Script, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Even when the service says them back."""
    caplog.set_level(logging.INFO)

    def echo(sent: Sent) -> httpx2.Response:
        return refusal(400, f"{sent.headers['authorization']} {sent.body['mh_key']}-is-bad {LINK}")

    script.on(FUSION, echo)
    token = "MIAOHUA-hidden-everywhere"
    provider = provider_for(script, clock, miaohua_token=settled(token))
    with pytest.raises(InvalidRequest) as caught:
        await submit(provider, DRAW)
    await provider.close()
    logged = [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
    for word in (API_KEY, token, "Signature=secret"):
        assert not [text for text in (str(caught.value), repr(caught.value), *logged) if word in text]
    assert not [text for text in logged if "private question" in text]
