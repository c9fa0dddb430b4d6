"""From an upstream's answer to our error: what every upstream does alike around its own table of faults.

A fault is an upstream's error as its wire says it: a code, a status, a message. Its table knows how to find one in an
answer, which of them may be repeated, and which of our errors each stands for. Codes and wording are facts of one
upstream and stay in its ``errors`` module.

    HttpResponse -> fault -> repeated at once (RateLimited, ProviderUnavailable), signed anew (AuthenticationFailed)
                          -> Rejection, for whoever knows what was asked; else it becomes its ``error``
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from atelier_mcp.server.errors import AtelierError
    from atelier_mcp.server.providers.http_messages import HttpRequest, HttpResponse

FaultT = TypeVar("FaultT")


class Rejection(Exception):
    """The service refused, and asking the same again at once will not help.

    Each upstream has a subclass of its own, which says what type its ``fault`` has. Whoever calls an operation does so
    inside ``raise_rejection_errors``.
    """

    def __init__(self, fault: Any, error: AtelierError) -> None:
        """Carry the fault to where it is known what was asked, with the error it stands for otherwise."""
        super().__init__(type(error).__name__)  # not its words: they may hold the service's
        self.fault = fault
        self.error = error


@contextmanager
def raise_rejection_errors() -> Generator[None]:
    """Raise, instead of a rejection inside, the error it stands for."""
    try:
        yield
    except Rejection as err:
        raise err.error from None


class FaultTable(Protocol[FaultT]):
    """What the errors of one upstream look like and mean."""

    @property
    def rejection_type(self) -> type[Rejection]:
        """The upstream's own class of rejections."""
        ...

    def parse_fault(self, response: HttpResponse) -> FaultT | None:
        """The fault an answer holds; None for success."""
        ...

    def is_retryable(self, fault: FaultT, *, is_submit: bool) -> bool:
        """Whether asking again, at once or with a new token, may help; for a submit only where nothing was accepted.

        The error of such a fault is raised as it is, and no rejection made of it.
        """
        ...

    def build_error(self, fault: FaultT, *, is_submit: bool) -> AtelierError:
        """Our error for a fault; for a submit, only ``SubmitUnconfirmed`` leaves open whether a task exists."""
        ...


def build_response_check(faults: FaultTable[FaultT], http_request: HttpRequest) -> Callable[[HttpResponse], None]:
    """A check for ``UpstreamClient.request``: raises what may be repeated as such, any other fault as a rejection."""

    def check_response(response: HttpResponse) -> None:
        fault = faults.parse_fault(response)
        if fault is None:
            return
        # built here, where it is known whether this was a submit: the same fault then leaves open what became of it
        error = faults.build_error(fault, is_submit=http_request.is_submit)
        if faults.is_retryable(fault, is_submit=http_request.is_submit):
            raise error
        raise faults.rejection_type(fault, error)

    return check_response
