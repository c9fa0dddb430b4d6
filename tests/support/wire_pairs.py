"""Golden request/answer pairs: what goes over the wire and comes back, each saying where that was seen.

One JSON file per service under ``tests/wire/<upstream>/``, a list of pairs:

- ``id``, ``case``: the contract's endpoint and what is special here; ``id/case`` names a pair.
- ``seen``: the contract entry, whether it is a documented example, wire evidence or inferred, and a note.
- ``binds``: ``client`` (the provider sends this and reads that) and mostly ``emulator`` (it accepts this and answers
  with that shape: the same names, the same kinds of values). Variants only a client must bear bind it alone.
- ``after``: a submit pair whose task this one asks about. ``aabbccdd`` stands for the task's id; where there are two,
  ``eeff0011`` is a second one of the same kind.
- ``pictures``: the links in the request and the sides of the pictures behind them, in pixels; ``c29...`` (the word
  "source") stands for a picture as base64.
- ``asked``: what the provider is told: ``do`` is submit, look, list or cancel; also answer, upload or log_in.
- ``request``, ``answer``: method, path, query, JSON body; HTTP status, JSON body. An upload has its parts' names in
  ``form``. ``TOKEN``, ``EMAIL`` and ``PASSWORD`` stand for the account's own, ``987654321`` for the id of a data set.
- ``parsed``: what the provider makes of the answer.

SenseNova's answers also have ``headers``, and a stream's bytes stand as text under ``stream``. ``MH-TOKEN`` stands for
a Miaohua token; an answer's id and a picture's link are made up anew each time, all else is bound byte by byte.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

WIRE_FOLDER = Path(__file__).parents[1] / "wire"
TASK_ID = "aabbccdd"
SECOND_TASK_ID = "eeff0011"
SOURCE_BASE64 = "c291cmNl"
DATASET_ID = 987654321


def load_pairs(upstream: str, *, side: str) -> list[dict[str, Any]]:
    """The pairs of an upstream that bind ``client`` or ``emulator``, in file order."""
    all_pairs: list[dict[str, Any]] = []
    for path in sorted((WIRE_FOLDER / upstream).glob("*.json")):
        all_pairs += json.loads(path.read_text("utf-8"))
    return [pair for pair in all_pairs if side in pair["binds"]]


def format_name(pair: dict[str, Any]) -> str:
    """``endpoint/case``, for test names and for ``after``."""
    return f"{pair['id']}/{pair['case']}"


def describe_shape(value: Any) -> Any:
    """A JSON document with kinds in place of its values; a list is told by its entries' distinct shapes."""
    match value:
        case dict():
            return {name: describe_shape(item) for name, item in value.items()}  # pyright: ignore[reportUnknownVariableType] # JSON
        case list():
            distinct = {json.dumps(describe_shape(item), sort_keys=True) for item in value}  # pyright: ignore[reportUnknownVariableType] # JSON
            return sorted(distinct)
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str() if value.startswith(("http://", "https://")):
            return "link"
        case str() if value.startswith("data:"):
            return "data URL"
        case str():
            return "text"
        case _:
            return value
