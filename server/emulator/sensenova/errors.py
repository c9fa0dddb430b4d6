"""What SenseNova says when it refuses: an HTTP error, or words that look like success (contract: errors).

No list of errors is published (chat_completions.no_error_list); the statuses are HTTP's own.
"""

from __future__ import annotations

from typing import Any, Final

SENSITIVE: Final = "我们检测到您的提示词中有敏感词语。请勿使用违反社区条约的提示词。"
"""The words of a refusal to draw, printed so (errors.in_band.sensitive_prompt)."""
UNSUPPORTED_MODEL: Final = "不支持的模型: "
"""What stands in front of a model's name that is not known (errors.in_band.unsupported_model)."""

INTERNAL_STATUS: Final = 1
TIMEOUT_STATUS: Final = 3
CONTENT_STATUS: Final = 4
"""How a plain conversation failed, beside code 200 (chat_completions.data_status)."""
TIMEOUT_REASON: Final = "Timeout"
"""The reason of a fault on order that becomes ``TIMEOUT_STATUS``."""
SENSITIVE_WORDS: Final = ("zorgblat", "forbiddenberry", "佐格布拉特", "禁忌莓")
"""Made up, so that nobody's real words are refused and every refusal can be tried."""

_MEANING: Final = {
    400: "Invalid Params",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    429: "Too Many Requests",
}


class SensenovaHttpError(Exception):
    """A request that is answered with an HTTP error; ``retry_after_s`` becomes a header."""

    def __init__(self, status: int, reason: str, *, retry_after_s: float | None = None) -> None:
        """Hold status and reason."""
        super().__init__(reason)
        self.status = status
        self.retry_after_s = retry_after_s


def is_sensitive(text: str) -> bool:
    """Whether a text has one of the sensitive words."""
    return any(word in text.lower() for word in SENSITIVE_WORDS)


def invalid_parameter(reason: str) -> SensenovaHttpError:
    """HTTP 400."""
    return SensenovaHttpError(400, reason)


def build_error_body(status: int, reason: str = "") -> dict[str, Any]:
    """What the service says with an HTTP status (chat_completions.no_error_list)."""
    meaning = _MEANING.get(status, "Internal Error")
    return {"code": status, "msg": f"{meaning}: {reason}" if reason else meaning, "data": None}
