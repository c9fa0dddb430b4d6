"""The emulator as one ASGI application: every upstream below its own prefix, result files, and the control door."""

from __future__ import annotations

import random
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount

from atelier_mcp.server.emulator import control, mhapi, miaohua, sd_aws, sensenova
from atelier_mcp.server.emulator.access_log import AccessLogDoor
from atelier_mcp.server.emulator.faults import FaultDoor
from atelier_mcp.server.emulator.world import World

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from starlette.routing import BaseRoute

    from atelier_mcp.server.emulator.settings import EmulatorSettings
    from atelier_mcp.server.emulator.tasks import Engine


@dataclass(frozen=True, slots=True)
class Upstream:
    """One emulated service: its routes, and what it says with an error code when it says nothing else."""

    contract: str
    """The name of its contract, which the access log shows."""
    routes: Callable[[World], Sequence[BaseRoute]]
    error_body: Callable[[int], Any]


UPSTREAMS: Final = {
    "mhapi": Upstream("mhapi", mhapi.routes, mhapi.error_body),
    "miaohua": Upstream("miaohua_v1b", miaohua.routes, miaohua.error_body),
    "sensenova": Upstream("sensenova_chat", sensenova.routes, sensenova.error_body),
    "sd_aws": Upstream("sd_aws", sd_aws.routes, sd_aws.error_body),
}
"""By the first part of their paths."""
CONTRACTS: Final = {name: upstream.contract for name, upstream in UPSTREAMS.items()}


def emulator_app(
    settings: EmulatorSettings, engine: Engine, clock: Callable[[], float], *, dice: random.Random | None = None
) -> Starlette:
    """The application; ``app.state.world`` is what its doors share.

    It works inside its lifespan, which a server runs and ``app.router.lifespan_context(app)`` runs without one.
    ``dice`` makes ids, and seeds where a request gives none.
    """
    world = World(settings, engine, clock=clock, dice=dice or random.SystemRandom())

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with world.running():
            yield

    app = Starlette(
        routes=[
            *(Mount(f"/{name}", routes=upstream.routes(world)) for name, upstream in UPSTREAMS.items()),
            Mount("/_control", routes=control.routes(world)),
            *world.links.routes(),
        ],
        middleware=[
            Middleware(AccessLogDoor, log=world.log, clock=world.clock.now, contracts=CONTRACTS),
            Middleware(FaultDoor, queue=world.faults, error_body=_error_body),
        ],
        lifespan=lifespan,
    )
    app.state.world = world
    return app


def _error_body(path: str, status: int) -> Any:
    upstream = UPSTREAMS.get(path.lstrip("/").partition("/")[0])
    return {"error": status} if upstream is None else upstream.error_body(status)
