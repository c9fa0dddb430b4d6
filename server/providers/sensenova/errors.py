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
from atelier_mcp.server.providers.status_check import UNDECIDED_STATUSES

if TYPE_CHECKING:
    from atelier_mcp.server.providers.http import UpstreamClient

# Said in these words and no others, in Chinese whatever the language of the conversation (contract: in_band_refusals).
SENSITIVE: Final = "我们检测到您的提示词中有敏感词语。请勿使用违反社区条约的提示词。"
UNSUPPORTED_MODEL: Final = "不支持的模型: "
CONTENT_STATUS: Final = 4
"""The answer looks like success in everything else (contract: chat_completions.data_status)."""
_REASONS_BY_STATUS: Final = {
    1: "SenseNova met an internal error while it answered.",
    3: "SenseNova ran out of time while it answered.",
}
MAX_QUOTED_CHARS: Final = 1000
"""Of an answer that broke off: it may be all the caller will ever have of it."""


class SensenovaNotFound(Exception):
    """HTTP 404: the path may be another one."""


def build_error(code: int, message: str, *, client: UpstreamClient, retry_after_s: float | None = None) -> AtelierError:
    """Our error for a status, or a code in the manner of one; only ``SubmitUnconfirmed`` leaves its fate open."""
    reason = client.quote(message)
    if code in {401, 403}:
        return AuthenticationFailed(
            f"SenseNova does not accept the credentials. {reason}",
            hint="Check SENSENOVA_API_KEY, and for chat_with_image the Miaohua token or login.",
        )
    if code == 404:
        return ConfigurationError(
            f"SenseNova has nothing at that address. {reason}",
            hint="Check SENSENOVA_FUSION_URL and SENSENOVA_CHAT_URL.",
        )
    if code == 429:
        return RateLimited(
            f"SenseNova is asked too fast. {reason}", hint="Try again in a minute.", retry_after_s=retry_after_s
        )
    if 300 <= code < 400:
        return ConfigurationError(f"{client.service} answers with a redirect: check its base addresses.")
    if code in UNDECIDED_STATUSES:
        return SubmitUnconfirmed(f"SenseNova answered with {code}. {reason}")
    if 400 <= code < 500:
        return InvalidRequest(f"SenseNova refuses the request. {reason}", hint="Change it.")
    # The conversation may have been answered, and charged, before the fault.
    if 500 <= code < 600:
        return SubmitUnconfirmed(f"SenseNova met an internal fault while it answered. {reason}")
    return UpstreamFailed(f"SenseNova refused with the unknown code {code}. {reason}", spent=Spent.NOTHING)


def build_drawing_error(text: str, *, client: UpstreamClient) -> AtelierError:
    """Why a drawing request was answered with words. None of these is worth repeating unchanged."""
    if text == SENSITIVE:
        return ContentRefused("SenseNova finds sensitive words in what is to be drawn.", hint="Change the message.")
    if text.startswith(UNSUPPORTED_MODEL):
        name = client.clean(text.removeprefix(UNSUPPORTED_MODEL))
        return InvalidRequest(
            f"model: SenseNova does not draw with {name}.", hint="Leave it out, or copy a name from Miaohua's list."
        )
    return ContentRefused(f"SenseNova did not draw. {client.quote(text)}", hint="Change the message.")


def build_status_error(status: int, text: str, *, client: UpstreamClient) -> AtelierError | None:
    """Our error for ``data.status``; ``text`` is what came of the answer all the same.

    None for a status that nobody has explained, beside an answer.
    """
    if status == CONTENT_STATUS:
        return ContentRefused("SenseNova finds that the conversation breaks its rules.", hint="Change the messages.")
    if (reason := _REASONS_BY_STATUS.get(status)) is None:
        if text.strip():
            return None
        reason = f"SenseNova ended with the unknown status {status}."
    return build_interrupted_error(text, reason, client=client)


def build_interrupted_error(text: str, reason: str, *, client: UpstreamClient) -> SubmitUnconfirmed:
    """The error for an answer without its end; what had come of it is quoted as the service's words."""
    if not text.strip():
        return SubmitUnconfirmed(f"{reason} Nothing of the answer had come.")
    return SubmitUnconfirmed(
        f'{reason} Until then {client.service} had said: "{client.clean(text, max_chars=MAX_QUOTED_CHARS)}"'
    )
