"""An entry below one top-level key of a YAML file, set or removed by its lines, everything else as people wrote it.

No YAML library is needed for it: the sections hosts keep their servers in are plain blocks. Where one is written in
another form, the file is left alone and its owner told what to add.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

_EMPTY_VALUES: Final = frozenset({"", "{}", "[]", "null", "~"})
_PLAIN: Final = re.compile(r"[A-Za-z/_.][A-Za-z0-9/_.-]*")
_TOP: Final = re.compile(r"""$|\r$|#| |-\s|-$|(?:[^\s"'\[\]{},&*!|>%@`-][^"'\[\]{}]*|"[^"]*"|'[^']*')\s*:(?:\s|$)""")
"""A line with a key at the margin, or below one."""
_SWITCHES: Final = {"true": True, "false": False}
_NOT_TEXT: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "."})
"""What YAML reads as something else than the text."""


class _Section(NamedTuple):
    """The lines of a top-level key: its own, and those below it up to ``end``."""

    start: int
    end: int


def set_entry(text: str, section: str, name: str, values: Mapping[str, Any], *, is_list: bool) -> str:
    """The text with the entry ``name`` below ``section``, in a list of entries that have names where ``is_list``.

    Raises ``ValueError`` where the section is written in another form than a block.
    """
    lines = _split_lines(remove_entry(text, section, name, is_list=is_list))
    found = _find_section(lines, section)
    if found is None:
        lines += [f"{section}:", *_render_entry(name, values, margin="  ", is_list=is_list)]
        return "\n".join(lines) + "\n"
    first = next((line for line in lines[found.start + 1 : found.end] if _is_content(line)), None)
    if first is not None and first.lstrip().startswith("-") != is_list:
        raise ValueError(f"{section} is {'no list' if is_list else 'a list'}")
    margin = _find_child_margin(lines, found, default="  ")
    lines[found.start] = f"{section}:{_get_comment(lines[found.start])}"
    lines[found.end : found.end] = _render_entry(name, values, margin=margin, is_list=is_list)
    return "\n".join(lines) + "\n"


def remove_entry(text: str, section: str, name: str, *, is_list: bool) -> str:
    """The text without the entry; as it is where there is none. Raises ``ValueError`` as ``set_entry``."""
    lines = _split_lines(text)
    entry = _find_entry(lines, section, name, is_list=is_list)
    if entry is None:
        return text
    del lines[entry.start : entry.end]
    found = _find_section(lines, section)
    if found is not None and not any(_is_content(line) for line in lines[found.start + 1 : found.end]):
        lines[found.start] = f"{section}: {'[]' if is_list else '{}'}"
    return "\n".join(lines) + "\n"


def find_entry_text(text: str, section: str, name: str, *, is_list: bool) -> str:
    """The entry's lines; nothing where there is none."""
    lines = _split_lines(text)
    entry = _find_entry(lines, section, name, is_list=is_list)
    return "\n".join(lines[entry.start : entry.end]) if entry else ""


def read_fields(entry: str, keys: Collection[str]) -> dict[str, Any]:
    """The plain values of an entry's own keys; a list, a block or a text over several lines is none."""
    first, *lines = [line for line in entry.splitlines() if _is_content(line)] or [""]
    # In a list the first key stands behind the dash, else below the entry's name.
    if first.lstrip().startswith("- "):
        lines.insert(0, first.replace("-", " ", 1))
    fields: dict[str, Any] = {}
    for line in lines:
        key, _, value = line.strip().partition(":")
        value = value.strip()
        if _measure_indent(line) == _measure_indent(lines[0]) and key in keys and value:
            fields[key] = _read_scalar(value)
    return fields


def _measure_indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _read_scalar(value: str) -> Any:
    if value.startswith('"'):
        try:
            return json.JSONDecoder().raw_decode(value)[0]
        except ValueError:
            return value
    if value.startswith("'"):
        return value[1:].partition("'")[0]
    plain = value.partition(" #")[0].strip()
    return _SWITCHES.get(plain.lower(), plain)


def _split_lines(text: str) -> list[str]:
    """The lines as YAML counts them: other characters that end lines elsewhere may stand inside a text.

    Raises ``ValueError`` where they are not those of one document with keys at its margin.
    """
    lines = text.removesuffix("\n").split("\n") if text else []
    has_content = False
    for number, line in enumerate(lines, 1):
        # Before the first key the document may be begun, and no list.
        if not (_TOP.match(line) if has_content or not line.startswith("-") else line.rstrip() == "---"):
            raise ValueError(f"line {number} is not written as a block")
        has_content = has_content or (_is_content(line) and not line.startswith("---"))
    return lines


def _find_section(lines: Sequence[str], section: str) -> _Section | None:
    """Raises ``ValueError`` for a section that is not a block."""
    for number, line in enumerate(lines):
        match = re.match(rf"""["']?{re.escape(section)}["']?\s*:(.*)$""", line)
        if match is None:
            continue
        value = match[1].partition(" #")[0].strip()
        if value not in _EMPTY_VALUES:
            raise ValueError(f"{section} is not written as a block")
        # A list may stand at the margin of its key.
        is_below = re.compile(r"\s|#|$|-(\s|$)")
        end = number + 1
        while end < len(lines) and is_below.match(lines[end]):
            end += 1
        # A comment at the margin is the next key's. Further in, it may be a line of a text.
        while end > number + 1 and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
            end -= 1
        return _Section(number, end)
    return None


def _find_entry(lines: Sequence[str], section: str, name: str, *, is_list: bool) -> _Section | None:
    found = _find_section(lines, section)
    if found is None:
        return None
    margin = _find_child_margin(lines, found, default="")
    starts = [n for n in range(found.start + 1, found.end) if _is_child(lines[n], margin)]
    for start, end in pairwise([*starts, found.end]):
        if _is_named(lines[start:end], name, margin, is_list=is_list):
            while end > start + 1 and not _is_content(lines[end - 1]):
                end -= 1
            return _Section(start, end)
    return None


def _is_named(lines: Sequence[str], name: str, margin: str, *, is_list: bool) -> bool:
    quoted = rf"""["']?{re.escape(name)}["']?"""
    if is_list:
        return any(re.match(rf"\s*(?:-\s+)?name\s*:\s*{quoted}\s*(?:#.*)?$", line) for line in lines)
    return bool(re.match(rf"{margin}{quoted}\s*:", lines[0]))


def _find_child_margin(lines: Sequence[str], section: _Section, *, default: str) -> str:
    child = next((line for line in lines[section.start + 1 : section.end] if _is_content(line)), None)
    return default if child is None else child[: len(child) - len(child.lstrip())]


def _is_child(line: str, margin: str) -> bool:
    return _is_content(line) and line.startswith(margin) and not line[len(margin) :].startswith((" ", "\t"))


def _is_content(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _get_comment(line: str) -> str:
    _, separator, comment = line.partition(" #")
    return separator + comment


def _render_entry(name: str, values: Mapping[str, Any], *, margin: str, is_list: bool) -> list[str]:
    if not is_list:
        return [f"{margin}{name}:", *_render_fields(values, margin + "  ")]
    first, *rest = _render_fields(values, margin + "  ")
    return [f"{margin}- {first.lstrip()}", *rest]


def _render_fields(values: Mapping[str, Any], margin: str) -> list[str]:
    lines: list[str] = []
    for key, value in values.items():
        if isinstance(value, dict) and value:
            lines += [f"{margin}{key}:", *_render_fields(value, margin + "  ")]  # pyright: ignore[reportUnknownArgumentType]
        elif isinstance(value, list) and value:
            lines += [f"{margin}{key}:", *(f"{margin}  - {_render_scalar(item)}" for item in value)]  # pyright: ignore[reportUnknownVariableType]
        else:
            lines.append(f"{margin}{key}: {_render_scalar(value)}")
    return lines


def _render_scalar(value: Any) -> str:
    """Plain where every reader takes it as the text that it is, else as JSON, which is YAML."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT:
        return value
    return json.dumps(value, ensure_ascii=False)
