"""The server as it is, in a process that can be told to die at a point, to err on writes, and what time it is.

What is told lies in files of one folder, so that it can change while the server runs:

``point``   number of the kill point at which the process kills itself, the next time it comes by
``clock``   seconds by which this machine's time of day is off
``writes``  share of files that cannot be written to the store, 0 to 1
"""

from __future__ import annotations

import errno
import functools
import inspect
import json
import os
import random
import signal
import sys
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from tests.chaos.kill_points import BUCKET_TARGETS, KILL_POINTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.chaos.kill_points import KillPoint

PRODUCT: Final = "atelier_mcp.server"
ROOT: Final = Path(__file__).parents[2]
"""Where programs of the tests are started, to be found by their names."""


@dataclass(frozen=True)
class ServerOptions:
    """How one server is started."""

    port: int
    folder: str
    """Where the files of the module's docstring are looked for, and where ``log`` is appended to."""
    environ: Mapping[str, str] = field(default_factory=dict[str, str])
    orphan_age_s: float | None = None
    """How long a process must have been gone from a PostgreSQL; the product's own six minutes when None."""

    def encode(self) -> str:
        """As an argument of the program."""
        return json.dumps(asdict(self))


class Orders:
    """What the files say now."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str) -> float:
        """The number in a file; 0 where there is none."""
        try:
            return float((self._folder / name).read_text() or 0)
        except FileNotFoundError:
            return 0.0

    def count(self, name: str) -> None:
        """Count one more of something: the size of a file."""
        with (self._folder / name).open("ab") as file:
            file.write(b".")


def run(options: ServerOptions) -> None:
    """Serve, and end with the process."""
    os.environ.clear()
    os.environ.update(options.environ)
    log = os.open(Path(options.folder, "log"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    patch(Orders(Path(options.folder)), options)
    sys.argv[1:] = ["serve", "--http", "--port", str(options.port)]
    from atelier_mcp.server.__main__ import main

    sys.exit(main())


def patch(orders: Orders, options: ServerOptions) -> None:
    """Put what the files say around the product's calls."""
    in_bucket = "ATELIER_STORE_URL" in options.environ
    targets: dict[str, list[KillPoint]] = {}
    for point in KILL_POINTS:
        target = BUCKET_TARGETS.get(point.number, point.target) if in_bucket else point.target
        if target:
            targets.setdefault(target, []).append(point)
    for target, points in targets.items():
        owner, name = _find(target)
        setattr(owner, name, guard(getattr(owner, name), points, orders))
    _patch_clock(orders)
    _patch_writes(orders)
    if options.orphan_age_s is not None:
        owner, _ = _find("jobs.postgres_ownership:PostgresOwnership.orphan_age_s")
        owner.orphan_age_s = options.orphan_age_s


def guard(call: Callable[..., Any], points: list[KillPoint], orders: Orders) -> Callable[..., Any]:
    """The call, which the process does not survive when one of the points is due."""

    def die_if_due(moment: str, arguments: list[Any]) -> None:
        number = orders.read("point")
        for point in points:
            if point.number == number and point.moment == moment and _is_meant(point, arguments):
                os.kill(os.getpid(), signal.SIGKILL)

    @functools.wraps(call)
    async def call_async(*args: Any, **kwargs: Any) -> Any:
        die_if_due("before", [*args, *kwargs.values()])
        result = await call(*args, **kwargs)
        die_if_due("after", [*args, *kwargs.values()])
        return result

    @functools.wraps(call)
    def call_sync(*args: Any, **kwargs: Any) -> Any:
        die_if_due("before", [*args, *kwargs.values()])
        result = call(*args, **kwargs)
        die_if_due("after", [*args, *kwargs.values()])
        return result

    return call_async if inspect.iscoroutinefunction(call) else call_sync


def _is_meant(point: KillPoint, arguments: list[Any]) -> bool:
    if point.state:
        several = [cast("dict[Any, Any]", one) for one in arguments if isinstance(one, dict)]
        states = [*arguments, *(state for states_by_id in several for state in states_by_id.values())]
        return any(type(state).__name__ == point.state for state in states)
    return not point.name or any(str(one).endswith(point.name) for one in arguments)


def _patch_clock(orders: Orders) -> None:
    clock, _ = _find("clock:SystemClock.now")
    read_time = clock.now

    def now(self: Any) -> datetime:
        return read_time(self) + timedelta(seconds=orders.read("clock"))

    clock.now = now


def _patch_writes(orders: Orders) -> None:
    module, name = _find("images.folder_store:stage_file")
    stage_file, rng = getattr(module, name), random.Random(os.getpid())

    def stage_or_fail(*args: Any) -> Any:
        if rng.random() < orders.read("writes"):
            orders.count("failed_writes")
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return stage_file(*args)

    setattr(module, name, stage_or_fail)


def _find(target: str) -> tuple[Any, str]:
    """The module or class that a target lies in, and its name there."""
    module, _, path = target.partition(":")
    owner: Any = import_module(f"{PRODUCT}.{module}")
    *classes, name = path.split(".")
    for class_name in classes:
        owner = getattr(owner, class_name)
    return owner, name


if __name__ == "__main__":
    run(ServerOptions(**json.loads(sys.argv[1])))
