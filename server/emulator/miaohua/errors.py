"""How Miaohua answers: an envelope of code, info and msg under HTTP 200, also for refusals (contract: conventions)."""

from __future__ import annotations

from typing import Any, Final

UNKNOWN_EMAIL: Final = 101
WRONG_PASSWORD: Final = 102
UNKNOWN_TASK: Final = 106
TOO_MANY_TASKS: Final = 123
NO_BALANCE: Final = 124
ILLEGAL: Final = 129
REJECTED: Final = 400
NO_TOKEN: Final = 401
PARAMETER: Final = 403
TOKEN_EXPIRED: Final = 411
TOKEN_UNREADABLE: Final = 412
TOKEN_UNKNOWN: Final = 413
TOO_FAST: Final = 429
INTERNAL: Final = 500

OLD_USER: Final = 600
"""The user is unknown, or the token is wrong: of old the same."""
OLD_CODES: Final = {
    UNKNOWN_EMAIL: OLD_USER,
    WRONG_PASSWORD: 601,
    TOO_MANY_TASKS: 603,
    NO_BALANCE: 604,
    NO_TOKEN: OLD_USER,
    TOKEN_EXPIRED: OLD_USER,
    TOKEN_UNREADABLE: OLD_USER,
    TOKEN_UNKNOWN: OLD_USER,
}
"""What the older service said instead (contract: errors.600 ff.)."""

MEANING: Final = {
    UNKNOWN_EMAIL: "the e-mail is not registered",
    WRONG_PASSWORD: "wrong password",
    103: "task submission failed",
    104: "task submission failed",
    105: "task submission failed",
    UNKNOWN_TASK: "the task does not exist",
    TOO_MANY_TASKS: "the limit on the number of tasks is reached",
    NO_BALANCE: "insufficient balance",
    ILLEGAL: "illegal parameter",
    NO_TOKEN: "user verification failed",
    404: "not found",
    405: "method not allowed",
    TOKEN_EXPIRED: "the token has expired",
    TOKEN_UNREADABLE: "the token cannot be decoded",
    TOKEN_UNKNOWN: "illegal token",
    TOO_FAST: "too many requests",
    430: "the input contains sensitive content",
    INTERNAL: "internal error",
    501: "server connection error",
    OLD_USER: "user not found or token wrong",
    602: "the user is not a business user",
    703: "the picture is still being checked",
    704: "the picture is sensitive, use another one",
}


class MiaohuaHttpError(Exception):
    """A request that is answered with an error; ``status`` is the HTTP status, 200 but for transport problems."""

    def __init__(self, code: int, reason: str = "", *, status: int = 200) -> None:
        """Hold code and reason."""
        super().__init__(reason or MEANING.get(code, "error"))
        self.code = code
        self.status = status


def invalid_parameter(reason: str) -> MiaohuaHttpError:
    """Code 129."""
    return MiaohuaHttpError(ILLEGAL, reason)


def build_error_body(code: int) -> dict[str, Any]:
    """The body of a refusal."""
    return {"code": code, "info": "", "msg": MEANING.get(code, "error")}


def build_refusal_body(error: MiaohuaHttpError, *, old_codes: bool = False) -> dict[str, Any]:
    """The body of a refusal, with its own words; with ``old_codes`` as the older service says it."""
    code = OLD_CODES.get(error.code, error.code) if old_codes else error.code
    return {"code": code, "info": "", "msg": str(error)}
