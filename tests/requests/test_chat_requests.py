"""What a conversation may be."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from atelier_mcp.server.requests.chat import Chat, ChatWithImage

USER_HELLO = {"role": "user", "content": "hello"}


def make_chat(*messages: Any, **more: Any) -> Chat:
    return Chat.model_validate({"messages": messages, **more})


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([], "from 1 to 1000"),
        ([USER_HELLO] * 1001, "from 1 to 1000"),
        ([USER_HELLO, {"role": "assistant", "content": "hi"}], "must be the user's"),
        ([{"role": "user", "content": "  "}], "blank"),
        ([{"role": "system", "content": "be kind"}, USER_HELLO], "role"),
        ([{"role": "user", "content": ""}], "at least 1 character"),
        ([{"role": "user", "content": "a" * 100_001}], "at most 100000"),
    ],
)
def test_a_conversation_is_one_that_can_be_answered(messages: list[Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        make_chat(*messages)


@pytest.mark.parametrize(
    "wrong",
    [{"temperature": 2.1}, {"top_p": 1.1}, {"max_tokens": 0}, {"repetition_penalty": 0}, {"width": 640}],
    ids=str,
)
def test_what_no_service_takes_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make_chat(USER_HELLO, **wrong)


def test_the_ledger_keeps_the_whole_history() -> None:
    messages = [USER_HELLO, {"role": "assistant", "content": "hi"}, {"role": "user", "content": "draw a cat"}]
    request = ChatWithImage.model_validate({"messages": messages, "draw": False})
    assert request.to_document() == {"messages": messages, "draw": False}


def test_what_may_be_drawn_counts_as_a_picture_and_words_do_not() -> None:
    assert ChatWithImage.model_validate({"messages": [USER_HELLO]}).image_count() == 1
    assert ChatWithImage.model_validate({"messages": [USER_HELLO], "draw": False}).image_count() == 0
    assert make_chat(USER_HELLO).image_count() == 0
