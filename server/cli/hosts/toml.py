"""A table in a TOML file, set or removed in the text, everything else as people wrote it."""

from __future__ import annotations

import itertools
import json
import re
import tomllib
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEADER: Final = re.compile(r"^\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")


def parse(text: str) -> dict[str, Any]:
    """The document. Raises ``ValueError`` with words."""
    return tomllib.loads(text)


def set_table(text: str, path: tuple[str, ...], values: Mapping[str, Any]) -> str:
    """The text with the table at ``path`` holding these values and nothing else.

    Raises ``ValueError`` for what is no TOML, and where the table stands in a form that cannot be changed safely.
    """
    expected = parse(text)
    _set_plain(expected, path, dict(values))
    body = remove_table(text, path).rstrip("\n")
    return _check(f"{body}\n\n{_render(path, values)}" if body else _render(path, values), expected)


def remove_table(text: str, path: tuple[str, ...]) -> str:
    """The text without the table at ``path`` and those below it; as it is where there is none."""
    expected = parse(text)
    _remove_plain(expected, path)
    blocks = [block for block in _split_blocks(text) if block.key[: len(path)] != path or block.has_comment()]
    # A comment above the table is a person's own, and stays.
    kept = [block.above if block.key[: len(path)] == path else block.above + block.lines for block in blocks]
    return _check("".join(itertools.chain.from_iterable(kept)), expected, may_be_empty=path[:-1])


class _Block(NamedTuple):
    """A table's header and values, with the blank lines and comments above it; the last one of a file has no more."""

    key: tuple[str, ...]
    above: list[str]
    lines: list[str]

    def has_comment(self) -> bool:
        return any(line.strip() for line in self.above)


def _split_blocks(text: str) -> list[_Block]:
    """The whole text; what stands before the first header has no key."""
    blocks, above = [_Block((), [], [])], list[str]()
    for line in text.splitlines(keepends=True):
        if not line.strip() or line.lstrip().startswith("#"):
            above.append(line)
            continue
        if header := _HEADER.match(line):
            blocks.append(_Block(_parse_key(header[1]), above, [line]))
        else:
            blocks[-1].lines.extend([*above, line])
        above = []
    return [*blocks, _Block((), above, [])]


def _check(text: str, expected: dict[str, Any], *, may_be_empty: tuple[str, ...] = ()) -> str:
    """The text, which must mean what is expected: a table inline or in dotted keys is not found by its header."""
    actual = parse(text)
    # A section that only its tables made is gone with the last of them.
    for key in may_be_empty[:1]:
        if expected.get(key) == {} and key not in actual:
            del expected[key]
    if actual != expected:
        raise ValueError("the entry stands there in a form that is not changed by itself")
    return text


def _set_plain(document: dict[str, Any], path: tuple[str, ...], values: dict[str, Any]) -> None:
    for key in path[:-1]:
        table: Any = document.setdefault(key, {})
        if not isinstance(table, dict):
            raise ValueError(f"{key} is no table")  # noqa: TRY004  # of the file, not of the argument
        document = cast("dict[str, Any]", table)
    document[path[-1]] = values


def _remove_plain(document: dict[str, Any], path: tuple[str, ...]) -> None:
    for key in path[:-1]:
        table: Any = document.get(key)
        if not isinstance(table, dict):
            return
        document = cast("dict[str, Any]", table)
    document.pop(path[-1], None)


def _parse_key(text: str) -> tuple[str, ...]:
    """``a."b.c"`` as its parts; nothing for what is no key."""
    try:
        document: Any = tomllib.loads(f"{text} = 0")
    except tomllib.TOMLDecodeError:
        return ()
    parts: list[str] = []
    while isinstance(document, dict):
        ((key, document),) = cast("dict[str, Any]", document).items()
        parts.append(key)
    return tuple(parts)


def _render(path: tuple[str, ...], values: Mapping[str, Any]) -> str:
    lines = [f"[{'.'.join(map(_render_key, path))}]"]
    lines += [f"{_render_key(key)} = {_render_value(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


def _render_key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def _render_value(value: Any) -> str:
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        pairs = ", ".join(f"{_render_key(key)} = {_render_value(item)}" for key, item in items)
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_render_value, cast('list[Any]', value)))}]"
    # A text in TOML is one in JSON, but for the delete character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
