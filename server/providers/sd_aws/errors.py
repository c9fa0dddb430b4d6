"""What the middleware's refusals mean for us, arranged by who can mend it (contract: errors, conventions.envelope).

A failure can hide in an HTTP 200: as a crash of the service's code (``errorType``), on every route; behind a numeric
``statusCode`` or ``status`` of 400 and more; or behind an error key alone. Routes that answer bare values have none but
the first of these.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from atelier_mcp.server.errors import (
    AccountRefused,
    AtelierError,
    AuthenticationFailed,
    InvalidRequest,
    ProviderUnavailable,
    RateLimited,
    SubmitUnconfirmed,
)
from atelier_mcp.server.providers.faults import Rejection
from atelier_mcp.server.providers.status_check import UNDECIDED_STATUSES

if TYPE_CHECKING:
    from atelier_mcp.server.providers.http import UpstreamClient
    from atelier_mcp.server.providers.http_messages import HttpResponse
    from atelier_mcp.server.providers.sd_aws.versions import MiddlewareVersion

ERROR_KEYS: Final = ("error", "errMsg", "errorMsg", "errorMessage", "err", "msg", "detail")
"""Whichever of these holds something, the call has failed, whatever the status says."""
# `message` is left out above because successes have it, too (contract: conventions.envelope.failure).
TEXT_KEYS: Final = (*ERROR_KEYS, "message")
RATE_LIMITED: Final = 429
GATEWAY_TIMEOUT: Final = 504
SERVER_STATUSES: Final = frozenset({500, 502, 503, 504})
ERRORS_BEFORE_START: Final = frozenset({"TypeError", "AssertionError", "Exception"})
"""Crashes over what was sent; any other may come after the work has begun (a KeyError does)."""

_MISSING_ROUTE = re.compile(r"missing authentication token", re.IGNORECASE)
_UNKNOWN_USER = re.compile(r'user: ".*" not exist')
_MISSING_RIGHT = re.compile(r"\bnot? permission")
_MISSING_RECORD_WORDS: Final = ("with id {} not found", "info item for id: {}")
_TIME_OUT = re.compile(r"tim(?:ed?|e)[ -]?out", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SdAwsFault:
    """An answer that is an error."""

    status: int
    message: str = ""
    in_body: bool = False
    """The HTTP status says nothing of it."""
    error_type: str | None = None
    """The exception that ended the service's code, empty where that is not said; None for all other faults."""
    is_refusal: bool = False
    """A status of the server's that stands for a wrong request all the same."""

    @property
    def is_missing_route(self) -> bool:
        """Whether this version has no such path (contract: errors.403)."""
        return self.status == 403 and _MISSING_ROUTE.search(self.message) is not None

    @property
    def may_have_started(self) -> bool:
        """Whether what was to be started may be running."""
        # A fault in an HTTP 200 was reached by the code, so only the kind of crash tells whether the start came before
        # it (contract: answered.crashed_start).
        if self.in_body:
            is_late_crash = self.error_type is not None and self.error_type not in ERRORS_BEFORE_START
            return is_late_crash or _TIME_OUT.search(self.message) is not None
        return self.status in UNDECIDED_STATUSES or (self.status >= 500 and not self.is_refusal)


class SdAwsRejection(Rejection):
    """A refusal by the middleware or its storage."""

    fault: SdAwsFault


class RecordMissing(InvalidRequest):
    """The service says, in its own words, that it has nothing of the id that was asked for."""


class SdAwsFaultTable:
    """The middleware's errors for one deployment's client."""

    rejection_type: type[Rejection] = SdAwsRejection

    def __init__(self, client: UpstreamClient, *, bare: bool, version: MiddlewareVersion | None = None) -> None:
        """``bare`` is for routes whose answers are no envelope; ``client`` quotes what the service says."""
        self._client = client
        self._bare = bare
        self._version = version

    def parse_fault(self, response: HttpResponse) -> SdAwsFault | None:
        """The fault an answer holds; None for success."""
        return parse_fault(response, bare=self._bare, version=self._version)

    def is_retryable(self, fault: SdAwsFault, *, is_submit: bool) -> bool:
        """Too many requests, and for what is no submit a gateway in trouble; never what only the body says."""
        # A submit that met a gateway in trouble may have gone through: repeating it could be paid for twice.
        is_server_error = fault.status in SERVER_STATUSES and not fault.is_refusal
        return not fault.in_body and (fault.status == RATE_LIMITED or (is_server_error and not is_submit))

    def build_error(self, fault: SdAwsFault, *, is_submit: bool) -> AtelierError:
        """Our error for a fault; for a submit, only ``SubmitUnconfirmed`` leaves open whether a job exists."""
        return build_error(fault, client=self._client, is_submit=is_submit)


def parse_fault(response: HttpResponse, *, bare: bool, version: MiddlewareVersion | None = None) -> SdAwsFault | None:
    """The error an answer holds, if any."""
    document = response.json()
    body = cast("dict[str, Any]", document) if isinstance(document, dict) else {}
    if response.status >= 400:
        is_refusal = _is_refusal(response.status, body, version)
        return SdAwsFault(response.status, _find_message(document), is_refusal=is_refusal)
    # Before the status keys, which a crash lacks; bare routes crash too (contract: conventions.envelope.styles.fault).
    if "errorType" in body or body.get("errorMessage"):
        return SdAwsFault(500, _find_message(body), in_body=True, error_type=str(body.get("errorType") or ""))
    # On bare routes `status` is the state of a job and `error` a field of its record.
    if bare or not body:
        return None
    statuses = (_parse_status(body.get(key)) for key in ("statusCode", "status"))
    status = next((found for found in statuses if found is not None), 200)
    if status >= 400:
        return SdAwsFault(status, _find_message(body), in_body=True)
    # No status of its own: treated as a refusal, which is never repeated.
    if any(body.get(key) for key in ERROR_KEYS):
        return SdAwsFault(400, _find_message(body), in_body=True)
    return None


def build_error(fault: SdAwsFault, *, client: UpstreamClient, is_submit: bool) -> AtelierError:
    """Our error for a fault; for a submit, only ``SubmitUnconfirmed`` leaves open whether a job exists."""
    reason = client.quote(fault.message or fault.error_type)
    service = client.service
    # By its text first: v1.3 and v1.4 say 200, 400 or 502 to an unknown user (contract: auth.unknown_user).
    if _UNKNOWN_USER.search(fault.message) or fault.status == 401:
        return AuthenticationFailed(f"{service} does not accept the user. {reason}", hint="Check SD_AWS_USERNAME.")
    if _MISSING_RIGHT.search(fault.message) or (fault.status == 403 and fault.in_body):
        return AccountRefused(f"{service} does not allow this. {reason}", hint="Give SD_AWS_USERNAME the right.")
    # Before every other meaning of a 5xx: "unavailable" would invite the caller to submit once more.
    if is_submit and fault.may_have_started:
        return SubmitUnconfirmed(f"{service} answers with {_describe(fault)}. {reason}")
    if fault.status >= 500 and not fault.in_body and not fault.is_refusal:
        return ProviderUnavailable(f"{service} answers with HTTP {fault.status}. {reason}")
    match fault.status:
        case 403:
            return AuthenticationFailed(
                f"{service} does not accept the key, or has no such call. {reason}",
                hint="Check SD_AWS_API_KEY and SD_AWS_URL, which ends with its stage: .../prod.",
            )
        case 429:
            return RateLimited(f"{service} is asked too fast. {reason}", hint="Try again in a minute.")
        # A web page, or nothing: whoever said it need not be the service.
        case _ if not (is_submit or fault.message or fault.in_body):
            return ProviderUnavailable(f"{service} answers with HTTP {fault.status} and no word of why.")
        case _:
            return InvalidRequest(f"{service} refuses the request. {reason}", hint="Change it.")


def build_record_error(rejection: SdAwsRejection, id_: str, *, client: UpstreamClient) -> AtelierError:
    """The error of a refused look at one record: ``RecordMissing`` where the refusal is about this very id.

    A status alone is any gateway's (contract: appendix_generation_2.errors.404, get_inference_job.jobid_optional).
    """
    if any(words.format(id_) in rejection.fault.message for words in _MISSING_RECORD_WORDS):
        return RecordMissing(f"{client.service} knows nothing of this id. {client.quote(rejection.fault.message)}")
    return rejection.error


def _is_refusal(status: int, body: dict[str, Any], version: MiddlewareVersion | None) -> bool:
    """v1.4 says 502 to wrong requests, and the service's own code says 500 to some (contract: errors.500)."""
    if status == 502:
        return version is not None and version.answers_bad_requests_with_502
    # A 500 with the service's own envelope was said on purpose; the gateway's own 500 has only `message`.
    return status == 500 and ("statusCode" in body or "detail" in body)


def _describe(fault: SdAwsFault) -> str:
    return f"HTTP {fault.status}" if not fault.in_body else "a crash of its own"


def _find_message(document: Any) -> str:
    """Whatever is said under any of the names, texts and lists alike (contract: inference_v2.failure_shape).

    v1.4 has the text of one refusal under ``data`` (contract: auth.unknown_user).
    """
    if not isinstance(document, dict):
        return document if isinstance(document, str) else ""
    body = cast("dict[str, Any]", document)
    data = body.get("data")
    messages = [_flatten_message(body[key]) for key in TEXT_KEYS if body.get(key)]
    return "; ".join(dict.fromkeys(text for text in [data if isinstance(data, str) else "", *messages] if text))


def _flatten_message(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(_flatten_message(item) for item in cast("list[Any]", value))
    if isinstance(value, dict):
        return str(cast("dict[str, Any]", value).get("msg") or "")
    return str(value)


def _parse_status(value: Any) -> int | None:
    """A status code, also one printed as ``"200,"``; a job's state is none (contract: list_trainings.string_status)."""
    # A bool is an int in Python, and `true` is no status.
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return int(value)
    found = re.match(r"\s*(\d+)", value) if isinstance(value, str) else None
    return int(found[1]) if found else None
