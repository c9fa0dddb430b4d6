"""Whether a person has to agree before a job is sent, and what exactly was agreed to.

A consent names the id of the job that it is for, so that it is good for one job, on whichever server and however often
it is presented: the ledger has each id once.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import CallerError
from atelier_mcp.server.providers.money import Money, format_amounts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.jobs.model import JobId
    from atelier_mcp.server.jobs.submission import Submission

IMAGES_SETTING: Final = "ATELIER_CONFIRM_ABOVE_PICTURES"
MONEY_SETTING: Final = "ATELIER_CONFIRM_ABOVE_MONEY"


@dataclass(frozen=True, slots=True)
class Consent:
    """What a person was asked, and is taken to have agreed to."""

    job_id: str
    caller: str
    fingerprint: str
    """Of the request, as it was planned."""
    image_count: int
    cost_micros: int | None
    """None where the price is not known."""
    currency: str

    def covers(self, asked: Consent) -> bool:
        """True when it is the same request, and no dearer."""
        return (
            (self.caller, self.fingerprint, self.currency) == (asked.caller, asked.fingerprint, asked.currency)
            and asked.image_count <= self.image_count
            and (
                self.cost_micros == asked.cost_micros
                if self.cost_micros is None or asked.cost_micros is None
                else asked.cost_micros <= self.cost_micros
            )
        )

    def to_text(self) -> str:
        """To be sealed and carried by the client."""
        return json.dumps(asdict(self))


def parse_consent(text: str) -> Consent | None:
    """What ``Consent.to_text`` made; None for anything else, such as that of another version."""
    try:
        return Consent(**json.loads(text))
    except (TypeError, ValueError):
        return None


class ConsentNeeded(CallerError):
    """A person has to agree first. Nothing was sent; as an error it is for where nobody can be asked."""

    def __init__(self, question: str, reason: str, consent: Consent) -> None:
        """``question`` is for the person, who agrees to ``consent``; ``reason`` names the limit."""
        super().__init__(
            f"{question} {reason} And this client has no way to ask the person in front (elicitation).",
            hint="Ask for less at once, or tell the person: whoever runs the server can raise that setting, and a "
            "client that asks can go on.",
        )
        self.question: str = f"{question} {reason} Go ahead?"
        self.consent = consent


class ConsentRefused(CallerError):
    """The person said no, or nothing."""


def _no_limit() -> Mapping[str, Decimal]:
    return {}


@dataclass(frozen=True, slots=True)
class ConsentRule:
    """Above which amounts a person is asked; nobody is by default."""

    image_limit: int | None = None
    money_limit: Mapping[str, Decimal] = field(default_factory=_no_limit)
    """By currency."""

    @property
    def ever_asks(self) -> bool:
        """Whether there are amounts above which a person is asked."""
        return self.image_limit is not None or bool(self.money_limit)

    def check(self, submission: Submission, job_id: JobId, *, caller: str, given: Consent | None) -> None:
        """Pass where nobody has to be asked, or ``given`` covers what is asked. Raises ``ConsentNeeded``."""
        money = submission.quote.reservation.money
        reason = self._find_reason(submission.image_count, money)
        if not reason:
            return
        consent = Consent(
            job_id=job_id,
            caller=caller,
            fingerprint=submission.fingerprint,
            image_count=submission.image_count,
            cost_micros=None if money is None else money.to_micros(),
            currency="" if money is None else money.currency,
        )
        if given is None or not given.covers(consent):
            raise ConsentNeeded(_describe(submission, money), reason, consent)

    def _find_reason(self, image_count: int, money: Money | None) -> str:
        if self.image_limit is not None and image_count > self.image_limit:
            return f"More than {self.image_limit} at once need a person's consent ({IMAGES_SETTING})."
        if not self.money_limit or (money is not None and not money.amount):
            return ""
        if money is None or money.amount > self.money_limit.get(money.currency, Decimal(0)):
            return f"More than {format_amounts(self.money_limit)} needs a person's consent ({MONEY_SETTING})."
        return ""


def _describe(submission: Submission, money: Money | None) -> str:
    """What the job is and costs, in one sentence without anything of the request's own words."""
    count = submission.image_count
    amount = f"about {money}" if money else "a price that is not known"
    count_text = f"{count} picture{'s' * (count != 1)}, " if count else ""
    return f"{submission.request.capability} at {submission.provider.account}: {count_text}{amount}."
