"""Reads of the ledger, made in a thread of their own.

What is asked while the thread reads is handed over to it together, once it is done: many calls at once would else spend
more time on waking threads than on reading.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from atelier_mcp.server.jobs.records import Records

    Operation = Callable[[Records], Any]

T = TypeVar("T")


class ReadQueue:
    """Reads that wait for the thread."""

    def __init__(self, read_one: Callable[[Operation], Any]) -> None:
        """``read_one`` makes one read and blocks meanwhile; it is called in the thread."""
        self._read_one = read_one
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger-reader")
        self._waiting: list[tuple[Operation, asyncio.Future[Any]]] = []
        self._is_reading = False

    async def read(self, operation: Callable[[Records], T]) -> T:
        """What the operation returns. Raises what it raises."""
        outcome: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((operation, outcome))
        self._hand_over()
        return await outcome

    def close(self) -> None:
        """End the thread when it has read what it was given. Blocks."""
        self._thread.shutdown(wait=True)

    def _hand_over(self) -> None:
        if self._is_reading or not self._waiting:
            return
        self._is_reading = True
        batch, self._waiting = self._waiting, []
        operations = [operation for operation, outcome in batch if not outcome.cancelled()]
        outcomes = [outcome for _, outcome in batch if not outcome.cancelled()]
        reading = asyncio.get_running_loop().run_in_executor(self._thread, self._read_all, operations)
        reading.add_done_callback(partial(self._settle, outcomes))

    def _read_all(self, operations: list[Operation]) -> list[Any]:
        return [self._try_read(operation) for operation in operations]

    def _try_read(self, operation: Operation) -> Any:
        try:
            return self._read_one(operation)
        except Exception as error:  # noqa: BLE001  # handed to whoever asked
            return error

    def _settle(self, outcomes: list[asyncio.Future[Any]], reading: asyncio.Future[list[Any]]) -> None:
        self._is_reading = False
        for outcome, result in zip(outcomes, reading.result(), strict=True):
            settle_future(outcome, result)
        self._hand_over()


def settle_future(outcome: asyncio.Future[Any], result: object) -> None:
    """Give a result, or the exception that takes its place, to whoever waits for it, unless that one has gone."""
    if outcome.cancelled():
        return
    if isinstance(result, Exception):
        outcome.set_exception(result)
    else:
        outcome.set_result(result)
