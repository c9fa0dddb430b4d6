"""Everything Atelier raises on purpose, arranged by who can mend it.

    AtelierError
    ├── CallerError              the caller can: change the arguments
    │   ├── InvalidRequest       an argument, or a combination of arguments, is not possible
    │   ├── ImageRefused         a picture is missing, unreadable, too large, or not allowed to be read
    │   ├── JobNotFound          no job has that id
    │   ├── ContentRefused       the service will not draw this, or not from this picture
    │   ├── BudgetExceeded       a spending limit of this server is reached
    │   ├── ConsentNeeded        a person has to agree first (jobs/consent.py)
    │   ├── ConsentRefused       the person did not agree (jobs/consent.py)
    │   └── ScopeMissing         the token may not be used for this
    ├── OperatorError            who runs the server can: change a setting
    │   ├── ConfigurationError   a setting is missing or wrong
    │   ├── AuthenticationFailed the service does not accept the credentials
    │   ├── AccountRefused       the account may not do this, or has no balance
    │   └── StorageUnavailable   the server's own files cannot be written or read
    ├── TransientError           time can: try again later
    │   ├── RateLimited          too many requests
    │   ├── ProviderUnavailable  the service does not answer, or answers nonsense
    │   └── SubmitUnconfirmed    the connection broke between sending a job and reading the answer
    └── UpstreamFailed           nobody here can: the service accepted the job and then failed it

Anything else that is raised is our own fault and is left to crash: the registry logs it and tells the model so.
"""

from __future__ import annotations

from enum import Enum


class Spent(Enum):
    """Whether money went out before the error."""

    NOTHING = "Nothing was spent."
    MAYBE = "It may have been charged: check the account before asking again."
    YES = "It was charged by the service."
    # No line at all is better than one that guesses.
    UNKNOWN = ""


class AtelierError(Exception):
    """An error with words for its reader: what happened, whether money was spent, what to do next."""

    spent: Spent = Spent.NOTHING

    def __init__(self, message: str, *, hint: str = "", spent: Spent | None = None) -> None:
        """Hold the sentence ``message`` and, in ``hint``, the next step for the reader."""
        super().__init__(message)
        self.message = message
        self.hint = hint
        if spent is not None:
            self.spent = spent

    @property
    def says_spent(self) -> bool:
        """Whether this very error says what was spent; else it is what such errors mean before a job is accepted."""
        return "spent" in self.__dict__

    def __str__(self) -> str:
        """At most three lines: what, money, next step."""
        return "\n".join(line for line in (self.message, self.spent.value, self.hint) if line)


class CallerError(AtelierError):
    """The caller can mend it."""


class InvalidRequest(CallerError):
    """An argument, or a combination of arguments, is not possible."""


class ImageRefused(CallerError):
    """A picture is missing, unreadable, too large, or not allowed to be read."""


class JobNotFound(CallerError):
    """No job has that id."""


class ContentRefused(CallerError):
    """The service will not draw this, or not from this picture."""


# The caller's, although the operator set the limit: asking for fewer pictures mends it at once.
class BudgetExceeded(CallerError):
    """A spending limit of this server is reached."""


class ScopeMissing(CallerError):
    """The token may not be used for this."""


class OperatorError(AtelierError):
    """Who runs the server can mend it."""


class ConfigurationError(OperatorError):
    """A setting is missing or wrong. No service has been asked yet, so there is no word of money."""

    spent = Spent.UNKNOWN


class AuthenticationFailed(OperatorError):
    """The service does not accept the credentials."""


class AccountRefused(OperatorError):
    """The account may not do this, or has no balance."""


class StorageUnavailable(OperatorError):
    """The server's own files cannot be written or read: the disk is full, a folder is in the way."""

    spent = Spent.UNKNOWN


class TransientError(AtelierError):
    """Time mends it."""

    def __init__(
        self, message: str, *, hint: str = "", spent: Spent | None = None, retry_after_s: float | None = None
    ) -> None:
        """Hold the service's own hint, in seconds, where it gave one."""
        super().__init__(message, hint=hint, spent=spent)
        self.retry_after_s = retry_after_s


class RateLimited(TransientError):
    """Too many requests."""


class ProviderUnavailable(TransientError):
    """The service does not answer, or answers nonsense."""


class SubmitUnconfirmed(TransientError):
    """The connection broke between sending a job and reading the answer."""

    spent = Spent.MAYBE


class UpstreamFailed(AtelierError):
    """The service accepted the job and then failed it."""

    spent = Spent.UNKNOWN
