"""Kills and faults at length: ``python -m tests.chaos [PART OF A NAME] [SEED]``, a line for each scenario.

The last line says what all of it came to. Exit 1 where a job was lost, paid for twice or counted wrongly, or a picture
could be seen that is not whole.
"""

from __future__ import annotations

import asyncio
import logging
import random
import sys
import time
from typing import TYPE_CHECKING, Final

from tests.chaos.scenarios import Outcome, run_all
from tests.chaos.server_forks import open_server_forks

if TYPE_CHECKING:
    from collections.abc import Sequence

COLUMNS: Final[Sequence[str]] = (
    "kills", "faults", "jobs", "finished", "unconfirmed", "refused", "lost", "doubled", "wrong", "half", "seconds",
)  # fmt: skip
NAME_CHARS: Final = 36


async def main(arguments: Sequence[str]) -> int:
    """Run what is asked for; returns the exit code."""
    wanted = next((argument for argument in arguments if not argument.isdecimal()), "")
    seed = next((int(argument) for argument in arguments if argument.isdecimal()), random.randrange(1_000_000))
    logging.disable()  # what the upstream and the bucket say in this process of every call that a kill cut off
    print(f"{'seed ' + str(seed):<{NAME_CHARS}}  {'  '.join(COLUMNS)}", flush=True)
    total: dict[str, float] = dict.fromkeys(COLUMNS, 0.0)
    failures: list[str] = []
    with open_server_forks() as forks:
        started_s = time.monotonic()
        async for outcome in run_all(forks, seed, wanted):
            outcome.seconds, started_s = time.monotonic() - started_s, time.monotonic()
            figures = count(outcome)
            total = {name: total[name] + figures[name] for name in COLUMNS}
            failures += [f"{outcome.name}: {failure}" for failure in outcome.failures]
            print(format_line(outcome.name, figures), flush=True)
    print(format_line("all", total))
    for failure in failures:
        print(failure)
    print(
        f"{total['kills']:.0f} kills, {total['faults']:.0f} faults, {total['jobs']:.0f} jobs in "
        f"{total['seconds'] / 60:.1f} minutes: lost {total['lost']:.0f}, doubled {total['doubled']:.0f}"
    )
    return 1 if failures else 0


def count(outcome: Outcome) -> dict[str, float]:
    """The figures of a line."""
    figures: dict[str, float] = dict.fromkeys(COLUMNS, 0.0)
    figures |= {"kills": outcome.kills, "faults": outcome.faults, "seconds": outcome.seconds}
    if (books := outcome.books) is not None:
        figures |= {
            "jobs": len(books.jobs),
            "finished": books.states["succeeded"],
            "unconfirmed": books.states["unconfirmed"],
            "refused": books.states["failed"],
            **{name: len(getattr(books, name)) for name in ("lost", "doubled", "wrong", "half")},
        }
    return figures


def format_line(name: str, figures: dict[str, float]) -> str:
    """A line of the table."""
    return f"{name:<{NAME_CHARS}}  {'  '.join(f'{figures[column]:>{len(column)}.0f}' for column in COLUMNS)}"


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
