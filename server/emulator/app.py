"""The emulator as one ASGI application: every upstream below its own prefix, result files, and the control API."""

from __future__ import annotations

import random
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount

from atelier_mcp.server.emulator import control, mhapi, miaohua, sd_aws, sensenova
from atelier_mcp.server.emulator.access_log import AccessLogMiddleware
from atelier_mcp.server.emulator.faults import FaultMiddleware
from atelier_mcp.server.emulator.state import EmulatorState

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from starlette.routing import BaseRoute

    from atelier_mcp.server.emulator.engine_calls import Engine
    from atelier_mcp.server.emulator.settings import EmulatorSettings


@dataclass(frozen=True, slots=True)
class EmulatedUpstream:
    """One emulated service: its routes, and what it says with an error code when it says nothing else."""

    contract: str
    """The name of its contract, which the access log shows."""
    build_routes: Callable[[EmulatorState], Sequence[BaseRoute]]
    build_error_body: Callable[[int], Any]


UPSTREAMS: Final = {
    "mhapi": EmulatedUpstream("mhapi", mhapi.build_routes, mhapi.build_error_body),
    "miaohua": EmulatedUpstream("miaohua_v1b", miaohua.build_routes, miaohua.build_error_body),
    "sensenova": EmulatedUpstream("sensenova_chat", sensenova.build_routes, sensenova.build_error_body),
    "sd_aws": EmulatedUpstream("sd_aws", sd_aws.build_routes, sd_aws.build_error_body),
}
"""By the first part of their paths."""
CONTRACTS: Final = {name: upstream.contract for name, upstream in UPSTREAMS.items()}


def create_app(
    settings: EmulatorSettings, engine: Engine, clock: Callable[[], float], *, rng: random.Random | None = None
) -> Starlette:
    """The application; ``app.state.emulator`` is what its routes share.

    It works inside its lifespan, which a server runs and ``app.router.lifespan_context(app)`` runs without one.
    ``rng`` makes ids, and seeds where a request gives none.
    """
    emulator = EmulatorState(settings, engine, clock=clock, rng=rng or random.SystemRandom())

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with emulator.run():
            yield

    app = Starlette(
        routes=[
            *(Mount(f"/{name}", routes=upstream.build_routes(emulator)) for name, upstream in UPSTREAMS.items()),
            Mount("/_control", routes=control.build_routes(emulator)),
            *emulator.links.build_routes(),
        ],
        middleware=[
            Middleware(AccessLogMiddleware, log=emulator.log, clock=emulator.clock.now, contracts=CONTRACTS),
            Middleware(FaultMiddleware, queue=emulator.faults, error_body=_build_error_body),
        ],
        lifespan=lifespan,
    )
    app.state.emulator = emulator
    return app


def _build_error_body(path: str, status: int) -> Any:
    upstream = UPSTREAMS.get(path.lstrip("/").partition("/")[0])
    return {"error": status} if upstream is None else upstream.build_error_body(status)
