"""What SenseNova's refusals mean for us, arranged by who can mend them.

No error codes are published: HTTP's are assumed, in the status or in ``code`` (contract: no_error_list). Refusals to
draw look like success and are told by their words (contract: in_band_refusals).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import (
    AtelierError,
    AuthenticationFailed,
    ConfigurationError,
    ContentRefused,
    InvalidRequest,
    RateLimited,
    Spent,
    SubmitUnconfirmed,
    UpstreamFailed,
)

if TYPE_CHECKING:
    from atelier_mcp.server.providers.http import Account

SENSITIVE: Final = "我们检测到您的提示词中有敏感词语。请勿使用违反社区条约的提示词。"
UNSUPPORTED_MODEL: Final = "不支持的模型: "
MOST_QUOTED_CHARS: Final = 1000
"""Of an answer that broke off: it may be all the caller will ever have of it."""


class NothingThere(Exception):
    """HTTP 404: the path may be another one."""


def error_for(code: int, message: str, *, account: Account, retry_after_s: float | None = None) -> AtelierError:
    """Our error for a status, or a code in the manner of one; only ``SubmitUnconfirmed`` leaves its fate open."""
    says = account.quote(message)
    if code in {401, 403}:
        return AuthenticationFailed(
            f"SenseNova does not accept the credentials. {says}",
            then="Check SENSENOVA_API_KEY, and for chat_with_image the Miaohua token or login.",
        )
    if code == 404:
        return ConfigurationError(
            f"SenseNova has nothing at that address. {says}", then="Check SENSENOVA_FUSION_URL and SENSENOVA_CHAT_URL."
        )
    if code == 429:
        return RateLimited(
            f"SenseNova is asked too fast. {says}", then="Try again in a minute.", retry_after_s=retry_after_s
        )
    if 300 <= code < 400:
        return ConfigurationError(f"{account.service} answers with a redirect: check its base addresses.")
    if 400 <= code < 500:
        return InvalidRequest(f"SenseNova refuses the request. {says}", then="Change it.")
    if 500 <= code < 600:
        return SubmitUnconfirmed(f"SenseNova met an internal fault while it answered. {says}")
    return UpstreamFailed(f"SenseNova refused with the unknown code {code}. {says}", spent=Spent.NOTHING)


def refused_drawing(words: str, *, account: Account) -> AtelierError:
    """Why a drawing request was answered with words. None of these is worth repeating unchanged."""
    if words == SENSITIVE:
        return ContentRefused("SenseNova finds sensitive words in what is to be drawn.", then="Change the message.")
    if words.startswith(UNSUPPORTED_MODEL):
        name = account.clean(words.removeprefix(UNSUPPORTED_MODEL))
        return InvalidRequest(
            f"model: SenseNova does not draw with {name}.", then="Leave it out, or copy a name from Miaohua's list."
        )
    return ContentRefused(f"SenseNova did not draw. {account.quote(words)}", then="Change the message.")


def broken_off(said: str, reason: str, *, account: Account) -> SubmitUnconfirmed:
    """The error for an answer without its end; what had come of it is quoted as the service's words."""
    if not said.strip():
        return SubmitUnconfirmed(f"{reason} Nothing of the answer had come.")
    return SubmitUnconfirmed(
        f'{reason} Until then {account.service} had said: "{account.clean(said, most_chars=MOST_QUOTED_CHARS)}"'
    )
