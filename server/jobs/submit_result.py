"""What became of a request, for the calls that wait for it."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.clock import wait_with_timeout
from atelier_mcp.server.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.jobs.model import Job

MIN_PREPARE_S: Final = 3.0
"""A call gets so long for its pictures however short its wait: with none at all no picture could be named."""


@dataclass(frozen=True, slots=True)
class StartedJob:
    """The job to wait for, and whether it was under way already."""

    job: Job
    joined: bool


class SubmitResult:
    """What became of a request, for whoever still waits for it; nobody has to."""

    def __init__(self, identity: str) -> None:
        """Nothing is known yet; ``identity`` says what was asked and by whom. Make it inside the event loop."""
        self.identity = identity
        self.task: asyncio.Task[None] | None = None
        """The one that gets it ready and sends it."""
        self.recorded: asyncio.Future[Job] = asyncio.Future()
        """The job in the ledger, once there is one."""
        self.outcome: asyncio.Future[StartedJob] = asyncio.Future()
        """The job when the upstream has answered, or the error for the caller."""
        self.outcome.add_done_callback(_read_error)
        self.job: Job | None = None
        """The job, once it is on its way to the ledger and the upstream, from where nothing calls it back."""
        self.waiter_count: int = 0
        """Calls that wait for it."""

    @contextmanager
    def count_waiter(self) -> Generator[None]:
        """Count a call that waits."""
        self.waiter_count += 1
        try:
            yield
        finally:
            self.waiter_count -= 1

    def cancel(self) -> None:
        """Stop getting it ready. Not to be called once there is a job."""
        if self.task is not None:
            self.task.cancel()

    @contextmanager
    def catch_error(self) -> Generator[None]:
        """Make an error the outcome: raised in a task group, it would end every other submit."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  # raised again where the call still waits
            self.outcome.set_exception(error)

    async def wait(self, clock: Clock, *, wait_s: float | None, answer_wait_s: float | None = None) -> StartedJob:
        """The outcome, or after ``wait_s`` the job as it was written down, which then is still being sent.

        With ``answer_wait_s`` no longer than that for the upstream's answer to a job that is written down. Raises
        ``TransientError`` where by then its pictures are still on their way; that goes on.
        """
        if answer_wait_s is not None:
            await self._wait_until_recorded(clock, at_most_s=wait_s)
            wait_s = answer_wait_s
        # ``asyncio.wait`` leaves the futures alone when the caller is cancelled; awaiting one would cancel it.
        if wait_s is None:
            await asyncio.wait({self.outcome})
        elif not await wait_with_timeout(clock, wait_s, asyncio.wait({self.outcome})):
            await self._wait_until_recorded(clock, at_most_s=max(0.0, MIN_PREPARE_S - wait_s))
        if self.outcome.done():
            return self.outcome.result()
        if not self.recorded.done():
            raise TransientError(
                "The pictures of this call are still on their way; once they are there, the job is sent.",
                hint="Call again with the same arguments to wait on: nothing is fetched or paid for twice.",
            )
        return StartedJob(self.recorded.result(), joined=False)

    async def _wait_until_recorded(self, clock: Clock, *, at_most_s: float | None) -> None:
        def build_wait() -> Coroutine[object, object, object]:
            return asyncio.wait({self.outcome, self.recorded}, return_when=asyncio.FIRST_COMPLETED)

        if at_most_s is None:
            await build_wait()
        else:
            await wait_with_timeout(clock, at_most_s, build_wait())
        if self.job is not None:  # it is being written down, which takes a moment
            await build_wait()


def _read_error(outcome: asyncio.Future[StartedJob]) -> None:
    """Read an error that nobody may wait for any more, so that it does not count as overlooked."""
    if not outcome.cancelled():
        outcome.exception()
