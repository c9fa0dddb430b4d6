"""Why an inference has failed, out of what a worker or the platform said of it.

Both write it as the text of a Python literal or of JSON, in a record's ``sagemakerRaw`` or as the message of a refusal
(contract: answered.sagemaker_raw). The platform does so on success, too.
"""

from __future__ import annotations

import ast
import json
from typing import Any, Final, cast

ERROR_KEYS: Final = ("error", "detail")
"""Whichever of these holds something, the worker has failed (contract: answered.real_time)."""
REASON_KEYS: Final = ("failureReason", "errors", "detail", "error")
"""Where the reason stands, the plainest first."""
MAX_CHARS: Final = 20_000
"""A longer text is no report of a failure, and not worth reading as a literal."""


def has_worker_error(text: str) -> bool:
    """Whether a text reports a failure of the worker's."""
    report = _parse_report(text)
    return any(report.get(key) for key in ERROR_KEYS)


def find_reason(text: str) -> str:
    """The reason in a report, or the text as it is where it is none."""
    report = _parse_report(text)
    return next((str(report[key]) for key in REASON_KEYS if report.get(key)), "" if text == "null" else text)


def _parse_report(text: str) -> dict[str, Any]:
    if not text.startswith("{") or len(text) > MAX_CHARS:
        return {}
    # JSON first: `null` and `true` are no Python literals. literal_eval runs no code, whatever a worker wrote.
    for parse in (json.loads, ast.literal_eval):
        try:
            document = parse(text)
        # The last two are what literal_eval says to deeply nested text.
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(document, dict):
            return cast("dict[str, Any]", document)
    return {}
