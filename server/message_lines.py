"""One line of a client, or one body, as a JSON-RPC message, or as the answer it gets for not being one.

A client waits for an answer to whatever it sends with an id. So a line that cannot be understood is answered, with its
id wherever that can be found, and what is harmless is taken: half of a surrogate pair, a batch, ``params: []``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import mcp_types as types
from pydantic import ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)
_ID_VALUE: Final = re.compile(r'\s*:\s*("(?:[^"\\]|\\.)*"|-?\d{1,18}(?![\d.eE]))', re.DOTALL)
_LOOSE_ID: Final = re.compile(r"[{,]\s*'?id'?\s*:\s*(-?\d{1,18})(?![\d.eE])")
_ID_SEARCH_BYTES: Final = 100_000
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_ESCAPE: Final = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F]..)|.)", re.DOTALL)
"""One escape of JSON, or a pair of them; the group is half of a pair that stands alone."""
_ESCAPED_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer to a line that holds no message."""

    id: Any
    """As the client wrote it, though it may be no id that the protocol allows; None where none was found."""
    code: int
    message: str

    def to_document(self) -> dict[str, Any]:
        """The answer as JSON."""
        return {"jsonrpc": "2.0", "id": self.id, "error": {"code": self.code, "message": self.message}}

    def to_json(self) -> str:
        """The answer on one line."""
        return json.dumps(self.to_document(), ensure_ascii=False)


def read_line(line: bytes) -> Iterator[types.JSONRPCMessage | Refusal]:
    """What a line holds: a message, each message of a batch, or why there is none; nothing for a blank line."""
    text = line.decode("utf-8", "replace").lstrip("\ufeff").strip()
    if not text:
        return
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError):
        yield Refusal(find_id(text), types.PARSE_ERROR, "Parse error: this line is not JSON that can be read.")
        return
    if _ESCAPED_SURROGATE.search(text):
        document = replace_surrogates(document)
    messages: list[Any] = cast("list[Any]", document) if isinstance(document, list) else [document]
    for message in messages or [document]:
        yield _read_message(message)


def read_body(body: bytes) -> types.JSONRPCMessage | Refusal:
    """The message that a request's body holds, or why there is none."""
    try:
        document: Any = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        text = body[:_ID_SEARCH_BYTES].decode("utf-8", "replace")
        return Refusal(find_id(text), types.PARSE_ERROR, "Parse error: this body is not JSON that can be read.")
    if isinstance(document, list) and document:
        return Refusal(None, types.INVALID_REQUEST, "Invalid request: no batches here, one message a request.")
    return _read_message(document)


def find_id(text: str) -> int | str | None:
    """The id of a message that is not valid JSON, or broke off: the first ``"id"`` on its outermost level."""
    depth = 0
    for token in _TOKEN.finditer(text):
        if token[0] in "{[":
            depth += 1
        elif token[0] in "}]":
            depth -= 1
        elif token[0] == '"id"' and depth == 1 and (value := _ID_VALUE.match(text, token.end())):
            try:
                return replace_surrogates(json.loads(value[1]))
            except ValueError:
                return None
    # Python's and JavaScript's notation: {'id': 5}, {id: 5}.
    number = _LOOSE_ID.search(text)
    return int(number[1]) if number else None


def replace_surrogates(value: Any) -> Any:
    """The same JSON value with each half of a surrogate pair, which no encoding has, replaced by U+FFFD."""
    text = json.dumps(value, ensure_ascii=False)
    return json.loads(_LONE_SURROGATE.sub("\ufffd", text))


def replace_escaped_surrogates(body: bytes) -> bytes:
    """JSON with each escaped half of a surrogate pair replaced by U+FFFD; its length stays."""
    return _ESCAPE.sub(lambda match: b"\\ufffd" if match[1] else match[0], body)


def _read_message(document: Any) -> types.JSONRPCMessage | Refusal:
    if not isinstance(document, dict):
        return Refusal(None, types.INVALID_REQUEST, "Invalid request: a message is a JSON object.")
    message = cast("dict[str, Any]", document)
    if not message.get("params", True):  # null, [] and {} all say nothing
        message = {name: value for name, value in message.items() if name != "params"}
    fault = _find_fault(message)
    if fault is not None:
        return fault
    try:
        return types.jsonrpc_message_adapter.validate_python(message, by_name=False)
    except ValidationError:
        return Refusal(message.get("id"), types.INVALID_REQUEST, "Invalid request: this is no JSON-RPC 2.0 message.")


def _find_fault(message: dict[str, Any]) -> Refusal | None:
    """Why a message that asks for something cannot be answered as it should be."""
    if "method" not in message:
        return None
    message_id = message.get("id")
    if "id" in message and (isinstance(message_id, bool) or not isinstance(message_id, int | str)):
        return Refusal(message_id, types.INVALID_REQUEST, "Invalid request: an id is a text or a whole number.")
    if "id" in message and not isinstance(message.get("params", {}), dict):
        return Refusal(message_id, types.INVALID_PARAMS, "Invalid params: params is an object.")
    return None
