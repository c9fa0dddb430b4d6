"""One JSON line for each spend: who, what, where, how much. The ledger stays the truth; this is for who keeps books.

    {"id": 17, "at": "2026-11-27T20:15:00+00:00", "event": "reserved", "principal": "static:alice",
     "capability": "generate_image", "provider": "mhapi", "account": "mhapi:3f9a12c4", "job": "job_x", "pictures": 2,
     "cost": {"amount": "0.40", "currency": "CNY"}}

A job has a line when its pictures are reserved, and one whenever what it counts as is settled: the last one of a job
holds. The lines are written into the ledger in the transaction of the spending itself, and from there into the file, so
that there is none of what was rolled back, and a process that dies leaves its lines to the next one. Only what it had
put into the file and not yet struck out of the ledger comes twice, under the same ``id``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.jobs.model import Succeeded, get_state_name
from atelier_mcp.server.principals import find_principal
from atelier_mcp.server.private_files import open_private
from atelier_mcp.server.providers.money import format_amount

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from atelier_mcp.server.jobs.model import Job
    from atelier_mcp.server.providers.price import Cost

AuditLine = dict[str, Any]


class AuditLog:
    """Appends to one file, which other processes may append to as well."""

    def __init__(self, path: Path) -> None:
        """The file is made with the first line, for its owner alone."""
        self._path = path

    def append(self, lines: Iterable[AuditLine]) -> None:
        """Write lines; with the return they are the operating system's. Blocks. Raises ``OSError``."""
        text = "".join(f"{json.dumps(line)}\n" for line in lines)
        # Unbuffered, in one write at the end: lines of several processes do not mix.
        with open(self._path, "ab", buffering=0, opener=open_private) as file:  # Path.open takes no opener
            file.write(text.encode())


def describe_person() -> dict[str, str]:
    """Who asks at this moment, of a tenant or of several programs: the job itself knows only whose it is."""
    principal = find_principal()
    names = {"subject": principal.subject, "client": principal.client} if principal else {}
    return {name: value for name, value in names.items() if value}


def build_reservation(job: Job, person: Mapping[str, str]) -> AuditLine:
    """The line of a job that was accepted."""
    return {**_describe("reserved", job, job.image_count, job.quote.reservation), **person}


def build_settlement(job: Job, image_count: int, cost: Cost) -> AuditLine:
    """The line of what a job counts as from now on."""
    return {**_describe("settled", job, image_count, cost), "state": get_state_name(job.state), **_get_usage(job)}


def _describe(event: str, job: Job, image_count: int, cost: Cost) -> AuditLine:
    return {
        "at": job.updated_at.isoformat(),
        "event": event,
        "principal": job.caller,
        "capability": job.capability,
        "provider": job.provider,
        "account": job.account,
        "job": job.id,
        "pictures": image_count,
        "cost": describe_cost(cost),
    }


def describe_cost(cost: Cost) -> dict[str, Any] | None:
    """Amount and currency for programs; None where nobody knows it."""
    if cost.money is None:
        return None
    document: dict[str, Any] = {"amount": format_amount(cost.money.amount)}
    if cost.money.currency:
        document["currency"] = cost.money.currency
    return {**document, "is_estimate": True} if cost.is_estimate else document


def _get_usage(job: Job) -> AuditLine:
    """What the service itself said of the price."""
    data: Mapping[str, Any] = job.state.data if isinstance(job.state, Succeeded) else {}
    return {name: data[name] for name in ("usage",) if name in data}
