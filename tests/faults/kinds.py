"""What can go wrong on the way to a service and back, and what may come of it, as the table of faults names them."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Fault(StrEnum):
    """One thing that goes wrong with a request."""

    REFUSED = "connection refused"
    CONNECT_TIMEOUT = "connect timeout"
    RESET_BEFORE = "reset before it arrived"
    RESET_AFTER = "reset after it arrived"
    READ_TIMEOUT = "read timeout"
    TOO_FAST = "429"
    TOO_FAST_WAIT = "429, Retry-After"
    CRASH = "500"
    BAD_GATEWAY = "502"
    OVERLOADED = "503"
    GATEWAY_TIMEOUT = "504"
    CUT_BODY = "body cut off"
    BROKEN_JSON = "half of the body"
    WRONG_TYPES = "wrong types"
    EMPTY_BODY = "empty body"
    WEB_PAGE = "200, a web page"


class Step(StrEnum):
    """Which request of a job it is."""

    SUBMIT = "submit"
    POLL = "poll"
    DOWNLOAD = "download"


class Outcome(StrEnum):
    """What must come of the job."""

    SENT_AGAIN = "sent again"
    UNCONFIRMED = "unconfirmed"
    MAYBE_CHARGED = "failed, may be charged"
    FREE_FAILURE = "failed, free"
    LOOKED_UP = "looked up"
    UNKNOWN_FREE = "unconfirmed, free"
    FOUND = "found, goes on"
    SENT_ONCE_MORE = "looked for, sent once more"
    POLLED_AGAIN = "polled again"
    FETCHED_AGAIN = "fetched again"


ARRIVES: Final = frozenset(Fault) - {
    Fault.REFUSED,
    Fault.CONNECT_TIMEOUT,
    Fault.RESET_BEFORE,
    Fault.TOO_FAST,
    Fault.TOO_FAST_WAIT,
    Fault.OVERLOADED,
}
"""With these the service gets the request and does the work; only its answer is lost or spoilt."""

FAULT_SENTENCES: Final = {
    Fault.REFUSED: "nothing listens at the port",
    Fault.CONNECT_TIMEOUT: "no connection comes about in ten seconds",
    Fault.RESET_BEFORE: "the connection is reset with the request on its way; the service never sees it",
    Fault.RESET_AFTER: "the service does the work, and the connection is reset in the place of its answer",
    Fault.READ_TIMEOUT: "the service does the work, and its answer does not come in time",
    Fault.TOO_FAST: "the service says that it is asked too often, and does nothing",
    Fault.TOO_FAST_WAIT: "the same, and how long to wait",
    Fault.CRASH: "the service does the work, and says 500 in its own words",
    Fault.BAD_GATEWAY: "the service does the work, and a gateway answers with a page",
    Fault.OVERLOADED: "the service says 503 in its own words, and does nothing",
    Fault.GATEWAY_TIMEOUT: "the service does the work, and a gateway answers with a page",
    Fault.CUT_BODY: "the connection ends in the middle of the answer's body",
    Fault.BROKEN_JSON: "half of the answer comes as if it were all: broken JSON, or half a picture",
    Fault.WRONG_TYPES: "the answer is JSON whose values all have other types; a document in the place of a picture",
    Fault.EMPTY_BODY: "200 and nothing",
    Fault.WEB_PAGE: "200 and HTML",
}
"""For people: what happens on the wire."""

OUTCOME_SENTENCES: Final = {
    Outcome.SENT_AGAIN: (
        "The service certainly did not take it. It is sent again, three times in all; if the fault stays, the call is"
        " refused and nothing was spent."
    ),
    Outcome.UNCONFIRMED: (
        "Nobody knows whether the service took it. It was sent once and is never sent again by us: the job is"
        " `unconfirmed`, counts against the budget, and the answer says that it may have been charged."
    ),
    Outcome.MAYBE_CHARGED: (
        "The service says itself that it failed at work. It was sent once; the job is `failed`, counts against the"
        " budget, and the answer says that it may have been charged."
    ),
    Outcome.FREE_FAILURE: (
        "A server of the user's own says that it failed. It was sent once; the job is `failed`, and nothing was spent."
    ),
    Outcome.LOOKED_UP: (
        "The server is asked about the task of our naming. What it has drawn cannot be fetched any more: the job is"
        " `failed`, nothing was spent, and it may be asked for again."
    ),
    Outcome.UNKNOWN_FREE: (
        "The server is asked about the task of our naming and does not know it. The job is `unconfirmed`; it is not"
        " sent again, and nothing was spent."
    ),
    Outcome.FOUND: (
        "The service is asked about the job by its id, which we had before it was sent, and knows it. It was sent once,"
        " goes on and succeeds."
    ),
    Outcome.SENT_ONCE_MORE: (
        "The server is asked about the job by an id of ours, twice, and never got it. It is sent once more, which costs"
        " nothing; if that is lost as well, the job is `failed` and nothing was spent."
    ),
    Outcome.POLLED_AGAIN: (
        "It says nothing of the job, which is paid for. It is polled again, with longer pauses, and succeeds when the"
        " service can be reached; past its deadline it is given up after a dozen polls more, and may have been charged."
    ),
    Outcome.FETCHED_AGAIN: (
        "The picture is paid for. It is fetched again, by a new link where the service gives one, for at least ten"
        " minutes; where nobody answers at all, for as long as a link can live."
    ),
}
"""For people: what the program does, and what that means for the money."""
