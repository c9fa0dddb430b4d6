"""What a job costs by what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.jobs.model import Cancelled, Failed, Saving, Succeeded
from atelier_mcp.server.providers.price import NO_COST, Cost

if TYPE_CHECKING:
    from atelier_mcp.server.jobs.model import Job
    from atelier_mcp.server.providers.money import Money


def settle_cost(job: Job, image_count: int) -> Cost:
    """What a job that counts as so many pictures costs.

    Nothing where it was refused or stopped and paid back; what is certain only where the work was finished, and came
    whole.
    """
    state, quote = job.state, job.quote
    if isinstance(state, Failed | Cancelled) and image_count == 0:
        return NO_COST
    if not isinstance(state, Saving | Succeeded):
        return _doubt(quote.reservation)
    cost = quote.settle(image_count, state.data)
    # What a call drew whose answer was lost is in nobody's count.
    return _doubt(cost) if state.lost and quote.price is not None and quote.price.per_million else cost


def find_cost(job: Job) -> Money | None:
    """What a job that succeeded cost, for its answer: by its tokens, or else what was reserved for it."""
    if not isinstance(job.state, Succeeded) or job.quote.price is None:
        return None
    # Pictures that a finish joined are fewer than were charged: a price of pictures is that of the whole job.
    return (settle_cost(job, len(job.state.images)) if job.quote.price.per_million else job.quote.reservation).money


def _doubt(cost: Cost) -> Cost:
    return cost if cost.money is None or not cost.money.amount else cost._replace(is_estimate=True)
