"""The table of faults: what must happen when a request of a job meets one. Tests run it, docs/faults.md shows it.

The first part holds for every service whose jobs are paid for; the second names, service by service, what is different
there, and why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.faults.kinds import ARRIVES, Fault, Outcome, Step

if TYPE_CHECKING:
    from tests.faults.services import FaultedService

CERTAINLY_NOT_TAKEN: Final = (Fault.REFUSED, Fault.CONNECT_TIMEOUT, Fault.TOO_FAST, Fault.TOO_FAST_WAIT)
"""No connection, or a service that was too busy: the only submits that are sent again."""

USUAL: Final = {
    Step.SUBMIT: {
        fault: Outcome.SENT_AGAIN if fault in CERTAINLY_NOT_TAKEN else Outcome.UNCONFIRMED for fault in Fault
    },
    Step.POLL: dict.fromkeys(Fault, Outcome.POLLED_AGAIN),
    Step.DOWNLOAD: dict.fromkeys(Fault, Outcome.FETCHED_AGAIN),
}

LOST: Final = frozenset(Fault) - set(CERTAINLY_NOT_TAKEN)
"""Submits of which nobody knows at first what became."""

DIFFERENT_SUBMITS: Final = {
    # Its 503 in its own words says that it is overloaded, and its 500 that it failed at work.
    "openai_images": {Fault.CRASH: Outcome.MAYBE_CHARGED, Fault.OVERLOADED: Outcome.SENT_AGAIN},
    # The id came with the call before: the service knows what was started.
    "sd_aws": dict.fromkeys(LOST & ARRIVES, Outcome.FOUND),
    # The user's own machine, which knows tasks by our names but keeps no pictures; its errors in JSON are final.
    "sd_webui": {
        **dict.fromkeys(LOST & ARRIVES, Outcome.LOOKED_UP),
        Fault.RESET_BEFORE: Outcome.UNKNOWN_FREE,
        Fault.CRASH: Outcome.FREE_FAILURE,
        Fault.OVERLOADED: Outcome.FREE_FAILURE,
    },
    # The user's own machine, which takes our prompt id, and keeps queue, history and files.
    "comfyui": {
        **dict.fromkeys(LOST & ARRIVES, Outcome.FOUND),
        **dict.fromkeys(LOST - ARRIVES, Outcome.SENT_ONCE_MORE),
    },
}
"""By service."""

DIFFERENT_DOWNLOADS: Final = {
    # Its files are read in the poll that finds the job done.
    "comfyui": dict.fromkeys(Fault, Outcome.POLLED_AGAIN),
}
"""By service."""


def find_outcome(service: FaultedService, step: Step, fault: Fault) -> Outcome:
    """What must happen."""
    differences = {Step.SUBMIT: DIFFERENT_SUBMITS, Step.DOWNLOAD: DIFFERENT_DOWNLOADS}.get(step, {})
    return differences.get(service.upstream.name, {}).get(fault, USUAL[step][fault])
