"""Jobs as rows of the ledger's tables, and back."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.errors import Spent
from atelier_mcp.server.images.finish_plan import finish_to_document, parse_finish
from atelier_mcp.server.jobs.budget_day import to_utc_day
from atelier_mcp.server.jobs.job_opening import compute_claim
from atelier_mcp.server.jobs.model import Failed, Job, JobId, State, get_state_name
from atelier_mcp.server.jobs.state_codec import decode_state, encode_state
from atelier_mcp.server.providers.quote import decode_quote, encode_quote

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

    from atelier_mcp.server.providers.price import Cost

log: logging.Logger = logging.getLogger(__name__)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for a moment that cannot be read."""


def to_row(job: Job, *, fingerprint: str, process: str) -> dict[str, Any]:
    """A new job as a row of the table of jobs."""
    return {
        "id": job.id,
        "capability": job.capability,
        "provider": job.provider,
        "account": job.account,
        "caller": job.caller,
        "fingerprint": fingerprint,
        "claim": None if job.is_finished else compute_claim(job.caller, fingerprint),
        "request": dict(job.request),
        "notes": list(job.notes),
        "finish": finish_to_document(job.finish),
        "cost": job.image_count,
        "state": get_state_name(job.state),
        "detail": encode_state(job.state),
        "finished": job.is_finished,
        "process": process,
        "created_at": job.created_at,
        "updated_at": job.updated_at,
        "deadline": job.deadline,
        "quote": encode_quote(job.quote),
    }


def to_spending_row(job: Job) -> dict[str, Any]:
    """What a new job reserves, as a row of the table of spending."""
    day = to_utc_day(job.created_at)
    return {
        "job_id": job.id,
        "account": job.account,
        "caller": job.caller,
        "day": day,
        "pictures": job.image_count,
        **to_cost_columns(job.quote.reservation),
    }


def to_cost_columns(cost: Cost) -> dict[str, Any]:
    """A cost as columns of the table of spending."""
    money = cost.money
    return {
        "cost_micros": None if money is None else money.to_micros(),
        "currency": (money.currency if money else "") or None,
        "is_estimate": None if money is None else cost.is_estimate,
    }


def to_state_row(job: Job) -> dict[str, Any]:
    """How a job stands now, as the columns that change."""
    return {
        "id": job.id,
        "state": get_state_name(job.state),
        "detail": encode_state(job.state),
        "finished": job.is_finished,
        "updated_at": job.updated_at,
    }


def _read_state(row: RowMapping) -> State:
    """The state of a row; where it cannot be read, that is said, and the row is left as it is.

    One such row, of a newer version or damaged, must neither stop its account nor hide the other jobs.
    """
    try:
        if not _is_whole(row):
            raise ValueError("a value is not of its kind")  # said below, for both
        return decode_state(row["state"], row["detail"])
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        log.warning("a job in the ledger cannot be read", extra={"job": row["id"]})
        return Failed("its entry in the ledger is unreadable, and it is not looked after.", Spent.MAYBE.value)


def _is_whole(row: RowMapping) -> bool:
    """Whether each value beside the state is of its kind; the column types read as something else what is not."""
    moments = (row["created_at"], row["updated_at"], row["deadline"])
    return (
        isinstance(row["request"], dict)
        and isinstance(row["notes"], list)
        and isinstance(row["finish"], dict | None)
        and all(isinstance(moment, datetime) for moment in moments)
    )


def to_job(row: RowMapping) -> Job:
    """A row as a job; one that cannot be read has failed, and says so."""
    is_whole = _is_whole(row)
    return Job(
        id=JobId(row["id"]),
        capability=row["capability"],
        provider=row["provider"],
        account=row["account"],
        caller=row["caller"],
        request=row["request"] if is_whole else {},
        notes=tuple(row["notes"]) if is_whole else (),
        image_count=row["cost"],
        created_at=row["created_at"] or _EPOCH,
        updated_at=row["updated_at"] or _EPOCH,
        deadline=row["deadline"] or _EPOCH,
        state=_read_state(row),
        finish=parse_finish(row["finish"]) if is_whole else None,
        quote=decode_quote(row["quote"]),
    )
