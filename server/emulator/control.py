"""The control API: what a test or a curious person does to the emulator that no client can.

========================================  ==========================================================================
``GET  /_control/clock``                  the emulator's time
``POST /_control/clock``                  ``{"advance_s": 60}``: move it on
``GET  /_control/faults``                 what is still to go wrong
``POST /_control/faults``                 one or a list of :class:`~atelier_mcp.server.emulator.faults.InjectedFault`
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
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from starlette.responses import JSONResponse
from starlette.routing import Route

from atelier_mcp.server.emulator.accounts import Account
from atelier_mcp.server.emulator.faults import parse_fault
from atelier_mcp.server.emulator.links import get_origin
from atelier_mcp.server.emulator.sources import SourceError, SourceRule
from atelier_mcp.server.emulator.tasks import Phase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from atelier_mcp.server.emulator.state import EmulatorState
    from atelier_mcp.server.emulator.task_store import TaskRecord
    from atelier_mcp.server.emulator.tasks import TaskView

ControlHandler: TypeAlias = Callable[["Request"], Awaitable[Any]]

# Files are opened once, when the emulator starts.
FIXED_SETTINGS: Final = frozenset({"state_dir", "access_log", "render_slots"})
ANY_IMAGE: Final = SourceRule(
    min_side_px=1, max_side_px=20_000, formats=frozenset({"JPEG", "PNG", "WEBP", "TIFF", "HEIF", "GIF", "BMP"})
)
SUFFIXES: Final = {"JPEG": "jpg"}


def build_routes(emulator: EmulatorState, switches: Mapping[str, type[Any]]) -> list[Route]:
    """The control API's routes, below ``/_control``; ``switches`` are the types of the upstreams', by name."""
    handlers = _ControlHandlers(emulator, switches)

    def build_route(path: str, method: str, handler: ControlHandler) -> Route:
        return Route(path, _build_endpoint(handler), methods=[method])

    return [
        build_route("/clock", "GET", handlers.get_clock),
        build_route("/clock", "POST", handlers.advance_clock),
        build_route("/faults", "GET", handlers.list_faults),
        build_route("/faults", "POST", handlers.add_faults),
        build_route("/faults", "DELETE", handlers.clear_faults),
        build_route("/finish/{task_id}", "POST", handlers.finish_task),
        build_route("/fail/{task_id}", "POST", handlers.fail_task),
        build_route("/accounts", "POST", handlers.add_account),
        build_route("/settings", "GET", handlers.get_settings),
        build_route("/settings", "PATCH", handlers.change_settings),
        build_route("/pictures", "POST", handlers.store_image),
    ]


def _build_endpoint(handler: ControlHandler) -> Callable[[Request], Awaitable[JSONResponse]]:
    async def endpoint(request: Request) -> JSONResponse:
        # Browsers send it with everything that is no plain navigation, and no client of a control API does.
        if "origin" in request.headers:
            return JSONResponse({"error": "no page of a browser belongs here"}, status_code=403)
        try:
            return JSONResponse(await handler(request))
        except (ValueError, TypeError, SourceError) as err:
            return JSONResponse({"error": str(err)}, status_code=400)
        except LookupError as err:
            return JSONResponse({"error": f"there is no task {err.args[0]}"}, status_code=404)

    return endpoint


class _ControlHandlers:
    """The answers, as JSON documents."""

    def __init__(self, emulator: EmulatorState, switches: Mapping[str, type[Any]]) -> None:
        self._emulator = emulator
        self._switches = switches

    async def get_clock(self, _: Request) -> Any:
        return {"now": self._emulator.clock.now()}

    async def advance_clock(self, request: Request) -> Any:
        document = await _read_document(request)
        return {"now": self._emulator.clock.advance(float(document["advance_s"]))}

    async def list_faults(self, _: Request) -> Any:
        return [asdict(fault) for fault in self._emulator.faults.list_pending()]

    async def add_faults(self, request: Request) -> Any:
        document = await request.json()
        for item in document if isinstance(document, list) else [document]:  # pyright: ignore[reportUnknownVariableType] # JSON
            self._emulator.faults.add(parse_fault(cast("dict[str, Any]", item)))
        return await self.list_faults(request)

    async def clear_faults(self, request: Request) -> Any:
        self._emulator.faults.clear()
        return await self.list_faults(request)

    async def finish_task(self, request: Request) -> Any:
        return [
            _build_task_document(await self._emulator.tasks.finish(task)) for task in await self._find_tasks(request)
        ]

    async def fail_task(self, request: Request) -> Any:
        reason = str((await _read_document(request)).get("reason", "InternalError"))
        return [
            _build_task_document(await self._emulator.tasks.fail(task, reason))
            for task in await self._find_tasks(request)
        ]

    async def add_account(self, request: Request) -> Any:
        document = await _read_document(request)
        account = Account(**document)
        self._emulator.accounts.add(account)
        return {"access_key": account.access_key}

    async def get_settings(self, _: Request) -> Any:
        settings = self._emulator.settings
        common = {field.name: getattr(settings, field.name) for field in fields(settings) if field.name != "switches"}
        return {
            **{name: str(value) if isinstance(value, Path) else value for name, value in common.items()},
            **{name: asdict(settings.get_switches(kind)) for name, kind in self._switches.items()},
        }

    async def change_settings(self, request: Request) -> Any:
        document = await _read_document(request)
        if fixed := sorted(FIXED_SETTINGS & set(document)):
            raise ValueError(f"{', '.join(fixed)} cannot be changed while the emulator runs")
        settings = self._emulator.settings
        # ``replace`` refuses unknown names, so that a misspelt switch is an error and not a silence.
        for name in self._switches.keys() & document.keys():
            current = settings.get_switches(self._switches[name])
            settings = settings.replace_switches(replace(current, **document.pop(name)))
        if "switches" in document:
            raise ValueError(f"switches are named by their upstream: {', '.join(self._switches)}")
        self._emulator.settings = replace(settings, **document)
        return await self.get_settings(request)

    async def store_image(self, request: Request) -> Any:
        data = await request.body()
        source = await self._emulator.sources.check(data, ANY_IMAGE, most_bytes=1 << 30)
        suffix = SUFFIXES.get(source.format, source.format.lower())
        now = self._emulator.clock.now()
        name = await asyncio.to_thread(self._emulator.store.store_image, data, suffix, now=now)
        seconds = self._emulator.settings.link_seconds
        return {
            "url": self._emulator.links.create_link(f"pictures/{name}", origin=get_origin(request), seconds=seconds)
        }

    async def _find_tasks(self, request: Request) -> list[TaskRecord]:
        task_id = request.path_params["task_id"]
        tasks = await self._emulator.tasks.find_by_id(task_id)
        if not tasks:
            raise LookupError(task_id)
        return tasks


async def _read_document(request: Request) -> dict[str, Any]:
    document: Any = await request.json() if await request.body() else {}
    if not isinstance(document, dict):
        raise TypeError("the body is a JSON object")
    return cast("dict[str, Any]", document)


def _build_task_document(view: TaskView) -> dict[str, Any]:
    reason = view.outcome.failed if view.outcome is not None and view.phase is Phase.FAILED else ""
    return {"service": view.task.service, "task_id": view.task.task_id, "state": view.phase.value, "reason": reason}
