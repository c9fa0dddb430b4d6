"""JSON as editors write it, with comments and commas before a closing bracket, changed in one place and kept elsewhere.

A member is set or removed in the text itself, so that whatever else people wrote stays as they wrote it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

_SPACE: Final = re.compile(r"(?:\s|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_SCALAR: Final = re.compile(r"[^\s,\[\]{}/\"]+")
MAX_DEPTH: Final = 200


@dataclass(slots=True)
class _Member:
    key: str
    start: int
    """Where the key begins."""
    value: _Value
    comma: int | None = None
    """Where the comma behind it is."""


@dataclass(slots=True)
class _Value:
    start: int
    end: int
    plain: Any
    members: list[_Member] | None = None
    """Of an object alone."""


@dataclass(slots=True)
class _Reader:
    """Reads values from a text and notes where they stand."""

    text: str
    position: int = 0
    depth: int = field(default=0)

    def skip_space(self) -> None:
        match = _SPACE.match(self.text, self.position)
        self.position = match.end() if match else self.position

    def peek(self) -> str:
        self.skip_space()
        return self.text[self.position : self.position + 1]

    def build_error(self, words: str) -> ValueError:
        return ValueError(f"line {self.text.count(chr(10), 0, self.position) + 1}: {words}")

    def take(self, character: str) -> int:
        """The position of a character that must come next."""
        if self.peek() != character:
            raise self.build_error(f"{character!r} expected")
        self.position += 1
        return self.position - 1

    def read_value(self) -> _Value:
        first, start = self.peek(), self.position
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ValueError("nested too deeply")
        value = self.read_object() if first == "{" else self.read_array() if first == "[" else self.read_scalar()
        self.depth -= 1
        return _Value(start, self.position, *value)

    def read_object(self) -> tuple[dict[str, Any], list[_Member]]:
        members: list[_Member] = []
        self.take("{")
        while self.peek() != "}":
            start = self.position
            key = self.read_string()
            self.take(":")
            members.append(_Member(key, start, self.read_value()))
            if self.peek() != "}":
                members[-1].comma = self.take(",")
        self.take("}")
        return {member.key: member.value.plain for member in members}, members

    def read_array(self) -> tuple[list[Any], None]:
        items: list[Any] = []
        self.take("[")
        while self.peek() != "]":
            items.append(self.read_value().plain)
            if self.peek() != "]":
                self.take(",")
        self.take("]")
        return items, None

    def read_scalar(self) -> tuple[Any, None]:
        if self.peek() == '"':
            return self.read_string(), None
        match = _SCALAR.match(self.text, self.position)
        try:
            plain = json.loads(match[0] if match else "")
        except ValueError:
            raise self.build_error("a value expected") from None
        self.position = match.end() if match else self.position
        return plain, None

    def read_string(self) -> str:
        self.skip_space()
        match = _STRING.match(self.text, self.position)
        if match is None:
            self.take('"')
            raise ValueError("a text is not closed")
        self.position = match.end()
        return str(json.loads(match[0], strict=False))


def parse(text: str) -> Any:
    """The document; an empty one is an empty object. Raises ``ValueError`` with words."""
    return _read(text).plain


def _read(text: str) -> _Value:
    reader = _Reader(text)
    if not reader.peek():
        return _Value(0, len(text), {}, None)
    value = reader.read_value()
    if reader.peek():
        raise reader.build_error("more follows behind the document's end")
    return value


def set_member(text: str, path: tuple[str, ...], value: Any) -> str:
    """The text with the member at ``path`` set; objects on the way are made where they are missing.

    Raises ``ValueError`` for what is no such document, or has something else than an object on the way.
    """
    root = _read(text)
    if root.members is None:
        if root.plain != {}:
            raise ValueError("the document is no object")
        # Nothing but space and comments: these stay above.
        comments = text.rstrip() + "\n" if text.strip() else ""
        return comments + _render(_nest(path, value), "  ", "") + "\n"
    return _set_in(text, root, path, value, _find_indent(text))


def _set_in(text: str, parent: _Value, path: tuple[str, ...], value: Any, indent: str) -> str:
    """``text`` with the member of one of its objects set."""
    if parent.members is None:
        raise ValueError("there is something else than an object where the servers belong")
    key, *rest = path
    member = next((member for member in parent.members if member.key == key), None)
    margin = _find_margin(text, parent.start)
    # Nothing is no object yet.
    if member is not None and rest and member.value.plain is not None:
        return _set_in(text, member.value, tuple(rest), value, indent)
    if member is not None:
        rendered = _render(_nest(tuple(rest), value), indent, margin + indent)
        return text[: member.value.start] + rendered + text[member.value.end :]
    line = f"{json.dumps(key)}: {_render(_nest(tuple(rest), value), indent, margin + indent)}"
    if not parent.members:
        return f"{text[: parent.start]}{{\n{margin}{indent}{line}\n{margin}}}{text[parent.end :]}"
    last = parent.members[-1]
    end = last.value.end if last.comma is None else last.comma + 1
    separator = "," if last.comma is None else ""
    # A comma before the closing bracket is kept as the document has it.
    return f"{text[:end]}{separator}\n{margin}{indent}{line}{',' if last.comma is not None else ''}{text[end:]}"


def remove_member(text: str, path: tuple[str, ...]) -> str:
    """The text without the member at ``path``; as it is where there is none. Raises ``ValueError`` as ``parse``."""
    parent = _read(text)
    for key in path[:-1]:
        found = next((member.value for member in parent.members or [] if member.key == key), None)
        if found is None:
            return text
        parent = found
    members = parent.members or []
    index = next((number for number, member in enumerate(members) if member.key == path[-1]), None)
    if index is None:
        return text
    member = members[index]
    if member.comma is not None:
        start, end = member.start, member.comma + 1
    elif index:
        # The last without a comma: the one before it must lose its own.
        start, end = members[index - 1].comma or member.start, member.value.end
        return text[:start] + text[start + 1 : member.start].rstrip() + text[end:]
    else:
        start, end = member.start, member.value.end
    before = text[:start].rstrip(" \t")
    return before.removesuffix("\n") + text[end:]


def _nest(path: tuple[str, ...], value: Any) -> Any:
    for key in reversed(path):
        value = {key: value}
    return value


def _render(value: Any, indent: str, margin: str) -> str:
    """A value as people write it: objects over several lines, lists of plain values on one."""
    if not isinstance(value, dict) or not value:
        return json.dumps(value, ensure_ascii=False)
    fields = [f"{json.dumps(key)}: {_render(item, indent, margin + indent)}" for key, item in value.items()]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    lines = f",\n{margin}{indent}".join(fields)
    return f"{{\n{margin}{indent}{lines}\n{margin}}}"


def _find_indent(text: str) -> str:
    """The first indentation in the document; two spaces where there is none."""
    match = re.search(r"^([ \t]+)\S", text, re.MULTILINE)
    return match[1] if match else "  "


def _find_margin(text: str, position: int) -> str:
    """The space before the line of a position."""
    line = text[text.rfind("\n", 0, position) + 1 : position]
    return line[: len(line) - len(line.lstrip())]
