"""Polling tasks: one batch answer where the upstream has one, single requests for whatever is not in it.

Whatever goes wrong on the way says nothing of the tasks: trouble with the account (``OperatorError``) comes out as
``ProviderUnavailable``, so that running jobs wait for the operator instead of failing.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING

from atelier_mcp.server.errors import AtelierError, OperatorError, ProviderUnavailable, Spent, TransientError
from atelier_mcp.server.providers.base import TaskFailed
from atelier_mcp.server.providers.faults import Rejection
from atelier_mcp.server.providers.rate_limit import PollAllowance

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.providers.base import TaskSnapshot, UpstreamTask
    from atelier_mcp.server.providers.rate_limit import RateLimit


class TaskPoller(ABC):
    """Reads the states of one account's tasks."""

    def __init__(self, *, rate_limit: RateLimit, clock: Clock) -> None:
        """``rate_limit`` is the account's for status requests; whoever calls ``poll`` has counted one on it."""
        self._rate_limit = rate_limit
        self._clock = clock

    def batch_size(self, kind: str) -> int:  # noqa: ARG002  # for those below
        """How many tasks of a kind one request can cover; 1 unless a subclass knows of batches."""
        return 1

    async def poll_batch(self, tasks: Sequence[UpstreamTask], allowance: PollAllowance) -> dict[str, TaskSnapshot]:  # noqa: ARG002  # for those below
        """What one answer says of tasks of one kind, by id; nothing where the upstream gives no such answer."""
        return {}

    @abstractmethod
    async def poll_task(self, task: UpstreamTask, allowance: PollAllowance) -> TaskSnapshot:
        """The state of one task. Raises ``Rejection`` and any ``AtelierError``."""

    def give_up_batches(self, kind: str) -> None:  # noqa: B027  # only a subclass that remembers has to
        """Note that a batch answer knew none of the tasks though single ones do."""

    def reinterpret(self, rejection: Rejection) -> AtelierError:
        """The error that a refused status request stands for; its own unless a subclass knows better."""
        return rejection.error

    async def poll(self, tasks: Sequence[UpstreamTask]) -> dict[str, TaskSnapshot]:
        """What is known of tasks of one kind, by id. Raises ``TransientError`` where nothing could be learnt."""
        allowance = PollAllowance(self._rate_limit, self._clock)
        with convert_operator_errors():
            if len(tasks) == 1 or self.batch_size(tasks[0].kind) == 1:
                return await self._poll_each(tasks, allowance)
            found = await self.poll_batch(tasks, allowance)
            # an upstream may leave out tasks it has finished with, or has forgotten; asked singly it says which
            missing = [task for task in tasks if task.id not in found]
            return found | await self._poll_missing(missing, allowance, is_batch_empty=not found)

    async def _poll_missing(
        self, tasks: Sequence[UpstreamTask], allowance: PollAllowance, *, is_batch_empty: bool
    ) -> dict[str, TaskSnapshot]:
        if not tasks:
            return {}
        snapshots = await self._poll_each(tasks, allowance, suppress_errors=not is_batch_empty)
        # tasks that have failed prove nothing: it may be right that the batch answer did not know them
        if is_batch_empty and any(not isinstance(snapshot, TaskFailed) for snapshot in snapshots.values()):
            self.give_up_batches(tasks[0].kind)
        return snapshots

    async def _poll_each(
        self, tasks: Sequence[UpstreamTask], allowance: PollAllowance, *, suppress_errors: bool = False
    ) -> dict[str, TaskSnapshot]:
        """Single requests side by side; one that failed leaves its task out, unless all failed."""
        outcomes = await asyncio.gather(*(self._try_poll_task(task, allowance) for task in tasks))
        found = {task.id: a for task, a in zip(tasks, outcomes, strict=True) if not isinstance(a, TransientError)}
        errors = [outcome for outcome in outcomes if isinstance(outcome, TransientError)]
        if errors and not found and not suppress_errors:
            raise errors[0]
        return found

    async def _try_poll_task(self, task: UpstreamTask, allowance: PollAllowance) -> TaskSnapshot | TransientError:
        try:
            return await self.poll_task(task, allowance)
        except Rejection as err:
            return judge_poll_error(self.reinterpret(err))
        except AtelierError as err:
            return judge_poll_error(err)


@contextmanager
def convert_operator_errors() -> Generator[None]:
    """Raise an ``OperatorError`` as ``ProviderUnavailable``: it says nothing of the tasks, which wait for its end."""
    try:
        yield
    except OperatorError as err:
        raise ProviderUnavailable(err.message, hint=err.hint) from err


def judge_poll_error(error: AtelierError) -> TaskFailed | TransientError:
    """What an error says of the task that was asked about: it has failed, or nothing, in which case it is returned.

    Whether the failed task was charged is not known.
    """
    if isinstance(error, TransientError):
        return error
    if isinstance(error, OperatorError):
        return ProviderUnavailable(error.message, hint=error.hint)
    error.spent = Spent.UNKNOWN
    return TaskFailed(error)
