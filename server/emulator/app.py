"""The emulator as one ASGI application: every upstream below its own prefix, result files, and the control API."""

from __future__ import annotations

import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Mount

from atelier_mcp.server.emulator import control
from atelier_mcp.server.emulator.access_log import AccessLogMiddleware
from atelier_mcp.server.emulator.defects import log_defect
from atelier_mcp.server.emulator.faults import FaultMiddleware
from atelier_mcp.server.emulator.host_check import HostMiddleware
from atelier_mcp.server.emulator.state import EmulatorState
from atelier_mcp.server.emulator.upstreams import find_upstreams

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from atelier_mcp.server.emulator.engine_calls import Engine
    from atelier_mcp.server.emulator.settings import EmulatorSettings
    from atelier_mcp.server.emulator.upstreams import EmulatedUpstream


def create_app(
    settings: EmulatorSettings, engine: Engine, clock: Callable[[], float], *, rng: random.Random | None = None
) -> Starlette:
    """The application; ``app.state.emulator`` is what its routes share.

    It works inside its lifespan, which a server runs and ``app.router.lifespan_context(app)`` runs without one.
    ``rng`` makes ids, and seeds where a request gives none.
    """
    upstreams = find_upstreams()
    accounts = [account for upstream in upstreams.values() for account in upstream.accounts]
    emulator = EmulatorState(settings, engine, accounts=accounts, clock=clock, rng=rng or random.SystemRandom())
    switches = {name: upstream.switches for name, upstream in upstreams.items()}
    contracts = {upstream.prefix: upstream.contract for upstream in upstreams.values()}

    def build_error_body(path: str, status: int) -> Any:
        return _build_error_body(upstreams, path, status)

    async def answer_disk_error(request: Request, error: Exception) -> Response:
        """In the words of an upstream that has none of its own for what broke in it."""
        log_defect(request.url.path, error)
        return JSONResponse(build_error_body(request.url.path, 500), 500)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with emulator.run():
            yield

    app = Starlette(
        routes=[
            # Upstreams first: a link prefix of ours must not shadow a path of theirs.
            *(Mount(f"/{upstream.prefix}", routes=upstream.build_routes(emulator)) for upstream in upstreams.values()),
            *(
                Mount(f"/_control/{name}", routes=upstream.build_control_routes(emulator))
                for name, upstream in upstreams.items()
                if upstream.build_control_routes is not None
            ),
            Mount("/_control", routes=control.build_routes(emulator, switches)),
            *emulator.links.build_routes(),
        ],
        middleware=[
            Middleware(HostMiddleware),
            # Outermost of what answers, so that a request that a fault swallows is in the log as well.
            Middleware(AccessLogMiddleware, log=emulator.log, clock=emulator.clock.now, contracts=contracts),
            Middleware(FaultMiddleware, queue=emulator.faults, error_body=build_error_body),
        ],
        exception_handlers={OSError: answer_disk_error},
        lifespan=lifespan,
    )
    app.state.emulator = emulator
    return app


def _build_error_body(upstreams: Mapping[str, EmulatedUpstream], path: str, status: int) -> Any:
    """What the upstream of a path says with an HTTP status."""
    prefix = path.lstrip("/").partition("/")[0]
    upstream = next((upstream for upstream in upstreams.values() if upstream.prefix == prefix), None)
    return {"error": status} if upstream is None else upstream.build_error_body(status)
