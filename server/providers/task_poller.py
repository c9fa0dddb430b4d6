"""Polling tasks: one batch answer where the upstream has one, single requests for whatever is not in it.

Whatever goes wrong on the way says nothing of the tasks, which are paid for: a web page, a refusal of any status,
trouble with the account. It comes out as ``TransientError``, and the jobs wait. Only an answer of the upstream's own
that names this task ends it: a snapshot, or a refusal that the subclass knows by its contract (``judge_rejection``).
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING

from atelier_mcp.server.errors import AtelierError, ProviderUnavailable, TransientError
from atelier_mcp.server.providers.base import TaskFailed, TaskLost
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

    def judge_rejection(self, task: UpstreamTask, rejection: Rejection) -> TaskFailed | TaskLost | None:  # noqa: ARG002  # for those below
        """What a refused status request says of the task itself: None, unless a subclass knows better, is nothing.

        A subclass goes by the words of the upstream's own error format, never by an HTTP status, which any gateway on
        the way may give.
        """
        return None

    async def poll(self, tasks: Sequence[UpstreamTask]) -> dict[str, TaskSnapshot]:
        """What is known of tasks of one kind, by id. Raises ``TransientError`` where nothing could be learnt."""
        allowance = PollAllowance(self._rate_limit, self._clock)
        with convert_poll_errors():
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
        # What the batch told must not be lost to a single request that fails.
        snapshots = await self._poll_each(tasks, allowance, suppress_errors=not is_batch_empty)
        # tasks that have failed prove nothing: it may be right that the batch answer did not know them
        if is_batch_empty and any(not isinstance(snapshot, TaskFailed | TaskLost) for snapshot in snapshots.values()):
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
            return self.judge_rejection(task, err) or build_failed_poll(err.error)
        except AtelierError as err:
            return build_failed_poll(err)


@contextmanager
def convert_poll_errors() -> Generator[None]:
    """Raise as ``TransientError`` what went wrong with a poll: it says nothing of the tasks, which wait for its end."""
    try:
        yield
    except Rejection as err:
        raise build_failed_poll(err.error) from err
    except AtelierError as err:
        if isinstance(err, TransientError):
            raise
        raise build_failed_poll(err) from err


def build_failed_poll(error: AtelierError) -> TransientError:
    """The error of a poll that told nothing of its task, whoever can mend it."""
    return error if isinstance(error, TransientError) else ProviderUnavailable(error.message, hint=error.hint)
