"""``key=value`` as a shell gives it, read as the tool's schema says.

prompt=2024             a text, though it looks like a number: the argument takes texts
samples=2               a number
loras=null              nothing, as if it were not there
styles=a,b              a list of two
shapes='[{"type": ...}]'  what is nested, as JSON
prompt=@story.txt       what the file holds; @- is stdin, and @@ an @ of the text's own
image=@-                a picture from stdin
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from atelier_mcp.server.cli.usage import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STDIN: Final = "-"
MAX_FILE_BYTES: Final = 50_000_000
_TRUTHS: Final = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_NULLABLE: Final = frozenset({"boolean", "integer", "number", "array", "object"})
"""Types of which the text ``null`` is no value."""
_SIGNATURES: Final = {
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
    b"II*\x00": "image/tiff",
    b"MM\x00*": "image/tiff",
    b"BM": "image/bmp",
}


def parse_pairs(pairs: Sequence[str]) -> dict[str, str]:
    """The texts by name. Raises ``UsageError`` for what is no pair, and for a name that comes twice."""
    texts: dict[str, str] = {}
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator or not name.strip():
            raise UsageError(f"{pair[:60]!r} is not key=value.", hint="Write, for example: prompt='a red kite'.")
        if name.strip() in texts:
            raise UsageError(f"{name.strip()} is given twice.", hint="Several values of one list: a,b or JSON.")
        texts[name.strip()] = text
    if sum(text == f"@{STDIN}" for text in texts.values()) > 1:
        raise UsageError("stdin can be read for one argument only.")
    return texts


def read_source(path: str) -> dict[str, Any]:
    """The arguments in a JSON file, or on stdin. Raises ``UsageError``."""
    data = _read_file(path)
    try:
        document = json.loads(data)
    except ValueError as err:
        raise UsageError(f"{_name_file(path)} is not JSON: {err}.") from err
    if not isinstance(document, dict):
        raise UsageError(f"{_name_file(path)} holds no JSON object.", hint='Write {"prompt": "a red kite"}.')
    return cast("dict[str, Any]", document)


def read_value(name: str, text: str, schema: Mapping[str, Any]) -> Any:
    """A text as the argument's schema takes it; what does not fit stays text, for the tool to refuse in its words.

    Raises ``UsageError`` for a file that cannot be read.
    """
    if text.startswith("@@"):
        text = text[1:]
    elif text.startswith("@") and len(text) > 1:
        text = _read_text(name, text[1:])
    if text.strip() == "null" and schema.get("type") in _NULLABLE:
        return None
    match schema.get("type"):
        case "boolean":
            return _TRUTHS.get(text.strip().lower(), text)
        case "integer" | "number":
            return _read_number(text)
        case "array":
            return _read_list(text, schema.get("items", {}))
        case "object":
            return _read_json(text)
        case _:
            return text


def _read_number(text: str) -> Any:
    try:
        return int(text)
    except ValueError:
        pass
    number = _read_json(text)
    return number if isinstance(number, float) else text


def _read_list(text: str, items: Mapping[str, Any]) -> Any:
    """JSON where it begins like a list, else the parts between commas; a data URL has one of its own."""
    if text.lstrip().startswith(("[", "{")):
        return _read_json(text)
    if not text.strip():
        return []
    if text.startswith("data:") or items.get("type") == "object":
        return [text]
    return [read_value("", part.strip(), items) for part in text.split(",")]


def _read_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _read_text(name: str, path: str) -> str:
    """A file's text; a picture as a data URL, which every argument for pictures takes."""
    data = _read_file(path)
    media_type = next((kind for start, kind in _SIGNATURES.items() if data.startswith(start)), None)
    if media_type is None:
        try:
            # The line's end that every editor writes is none of the text's.
            return data.decode("utf-8").removesuffix("\n")
        except UnicodeDecodeError as err:
            raise UsageError(f"{name}: {_name_file(path)} is neither a text in UTF-8 nor a picture.") from err
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def _read_file(path: str) -> bytes:
    try:
        if path == STDIN:
            return sys.stdin.buffer.read(MAX_FILE_BYTES)
        with Path(path).expanduser().open("rb") as stream:
            return stream.read(MAX_FILE_BYTES)
    except OSError as err:
        raise UsageError(f"{path} cannot be read: {err.strerror or err}.") from err


def _name_file(path: str) -> str:
    return "stdin" if path == STDIN else path
