"""The control door: what a test or a curious person does to the emulator that no client can.

========================================  ==========================================================================
``GET  /_control/clock``                  the emulator's time
``POST /_control/clock``                  ``{"advance_s": 60}``: move it on
``GET  /_control/faults``                 what is still to go wrong
``POST /_control/faults``                 one or a list of :class:`~atelier_mcp.server.emulator.faults.Fault`
``DELETE /_control/faults``               nothing more goes wrong
``POST /_control/finish/{task_id}``       end a task's time now; answers when it is rendered
``POST /_control/fail/{task_id}``         ``{"reason": "..."}``: end a task as failed
``POST /_control/accounts``               ``{"access_key": "...", "secret_key": "..."}`` (or e-mail, password): one more
``GET  /_control/settings``               the settings
``PATCH /_control/settings``              change some; ``mhapi``, ``miaohua``, ... hold a contract's switches
``POST /_control/pictures``               the body is a picture; answers ``{"url": "..."}``, a link requests can use
========================================  ==========================================================================

It asks for no credentials: the emulator listens on loopback and holds nothing of worth. Pages of a browser, which can
reach loopback, are turned away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from starlette.responses import JSONResponse
from starlette.routing import Route

from atelier_mcp.server.emulator.accounts import Account
from atelier_mcp.server.emulator.faults import fault_from
from atelier_mcp.server.emulator.links import origin_of
from atelier_mcp.server.emulator.sources import SourceRefused, SourceRule
from atelier_mcp.server.emulator.tasks import Phase

if TYPE_CHECKING:
    from starlette.requests import Request

    from atelier_mcp.server.emulator.task_store import Task
    from atelier_mcp.server.emulator.tasks import View
    from atelier_mcp.server.emulator.world import World

Answer: TypeAlias = Callable[["Request"], Awaitable[Any]]

# Files are opened once, when the emulator starts.
FIXED: Final = frozenset({"state_dir", "access_log", "render_slots"})
SWITCHES: Final = frozenset({"mhapi", "miaohua", "sensenova", "sd_aws"})
ANY_PICTURE: Final = SourceRule(
    min_side_px=1, max_side_px=20_000, formats=frozenset({"JPEG", "PNG", "WEBP", "TIFF", "HEIF", "GIF", "BMP"})
)
SUFFIXES: Final = {"JPEG": "jpg"}


def routes(world: World) -> list[Route]:
    """The control door's routes, below ``/_control``."""
    control = _Control(world)

    def route(path: str, method: str, answer: Answer) -> Route:
        return Route(path, _json(answer), methods=[method])

    return [
        route("/clock", "GET", control.clock),
        route("/clock", "POST", control.advance),
        route("/faults", "GET", control.faults),
        route("/faults", "POST", control.add_faults),
        route("/faults", "DELETE", control.clear_faults),
        route("/finish/{task_id}", "POST", control.finish),
        route("/fail/{task_id}", "POST", control.fail),
        route("/accounts", "POST", control.add_account),
        route("/settings", "GET", control.settings),
        route("/settings", "PATCH", control.change_settings),
        route("/pictures", "POST", control.keep_picture),
    ]


def _json(answer: Answer) -> Callable[[Request], Awaitable[JSONResponse]]:
    async def endpoint(request: Request) -> JSONResponse:
        if "origin" in request.headers:
            return JSONResponse({"error": "no page of a browser belongs here"}, status_code=403)
        try:
            return JSONResponse(await answer(request))
        except (ValueError, TypeError, SourceRefused) as err:
            return JSONResponse({"error": str(err)}, status_code=400)
        except LookupError as err:
            return JSONResponse({"error": f"there is no task {err.args[0]}"}, status_code=404)

    return endpoint


class _Control:
    """The answers, as JSON documents."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def clock(self, _: Request) -> Any:
        return {"now": self._world.clock.now()}

    async def advance(self, request: Request) -> Any:
        document = await _document(request)
        return {"now": self._world.clock.advance(float(document["advance_s"]))}

    async def faults(self, _: Request) -> Any:
        return [asdict(fault) for fault in self._world.faults.pending()]

    async def add_faults(self, request: Request) -> Any:
        document = await request.json()
        for item in document if isinstance(document, list) else [document]:  # pyright: ignore[reportUnknownVariableType] # JSON
            self._world.faults.add(fault_from(cast("dict[str, Any]", item)))
        return await self.faults(request)

    async def clear_faults(self, request: Request) -> Any:
        self._world.faults.clear()
        return await self.faults(request)

    async def finish(self, request: Request) -> Any:
        return [_shown(await self._world.tasks.finish(task)) for task in await self._named(request)]

    async def fail(self, request: Request) -> Any:
        reason = str((await _document(request)).get("reason", "InternalError"))
        return [_shown(await self._world.tasks.fail(task, reason)) for task in await self._named(request)]

    async def add_account(self, request: Request) -> Any:
        document = await _document(request)
        account = Account(**document)
        self._world.accounts.add(account)
        return {"access_key": account.access_key}

    async def settings(self, _: Request) -> Any:
        return {
            name: str(value) if name in FIXED and value is not None else value
            for name, value in asdict(self._world.settings).items()
        }

    async def change_settings(self, request: Request) -> Any:
        document = await _document(request)
        if fixed := sorted(FIXED & set(document)):
            raise ValueError(f"{', '.join(fixed)} cannot be changed while the emulator runs")
        settings = self._world.settings
        for switches in SWITCHES & set(document):
            document[switches] = replace(getattr(settings, switches), **document[switches])
        self._world.settings = replace(settings, **document)
        return await self.settings(request)

    async def keep_picture(self, request: Request) -> Any:
        data = await request.body()
        source = await self._world.sources.check(data, ANY_PICTURE, most_bytes=1 << 30)
        suffix = SUFFIXES.get(source.format, source.format.lower())
        now = self._world.clock.now()
        name = await asyncio.to_thread(self._world.store.keep_picture, data, suffix, now=now)
        seconds = self._world.settings.link_seconds
        return {"url": self._world.links.make(f"pictures/{name}", origin=origin_of(request), seconds=seconds)}

    async def _named(self, request: Request) -> list[Task]:
        task_id = request.path_params["task_id"]
        tasks = await self._world.tasks.named(task_id)
        if not tasks:
            raise LookupError(task_id)
        return tasks


async def _document(request: Request) -> dict[str, Any]:
    document: Any = await request.json() if await request.body() else {}
    if not isinstance(document, dict):
        raise TypeError("the body is a JSON object")
    return cast("dict[str, Any]", document)


def _shown(view: View) -> dict[str, Any]:
    failed = view.outcome.failed if view.outcome is not None and view.phase is Phase.FAILED else ""
    return {"service": view.task.service, "task_id": view.task.task_id, "state": view.phase.value, "reason": failed}
