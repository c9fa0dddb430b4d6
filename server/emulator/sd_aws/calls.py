"""What a handler of the middleware gets and answers.

A handler belongs to one of two generations. That of 2023 answers bare values or ``statusCode`` in an HTTP 200, as plain
documents; the later one answers an :class:`SdAwsApiResponse`, an envelope whose status is the HTTP status
(contract: conventions.envelope, appendix_generation_2.envelope).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from starlette.responses import JSONResponse, Response

from atelier_mcp.server.emulator.engine_calls import EngineTask
from atelier_mcp.server.emulator.faults import get_verdict
from atelier_mcp.server.emulator.links import get_origin
from atelier_mcp.server.emulator.sd_aws.errors import SdAwsHttpError
from atelier_mcp.server.emulator.sd_aws.record_store import RecordStore
from atelier_mcp.server.emulator.sd_aws.switches import SdAwsSwitches
from atelier_mcp.server.emulator.tasks import Phase

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

    from atelier_mcp.server.emulator.sd_aws.object_store import ObjectStore
    from atelier_mcp.server.emulator.state import EmulatorState
    from atelier_mcp.server.emulator.tasks import TaskView

Generation: TypeAlias = Literal["2023", "2024"]
Handler: TypeAlias = "Callable[[SdAwsCall], Awaitable[Any]]"
CallRow: TypeAlias = tuple[Generation, str, str, Handler]
"""Generation, method, path and handler of one call; ``app`` makes routes of them."""


@dataclass(frozen=True, slots=True)
class SdAwsApiResponse:
    """A good answer of the later generation."""

    data: Any = None
    status: int = 200
    message: str = "OK"

    def to_response(self, path: str) -> Response:
        """The envelope around it; ``path`` is that of the call (contract: appendix_generation_2.envelope)."""
        if self.status == 204:
            return Response(status_code=204)
        debug = {"function_url": path, "log_url": "", "trace_url": None}
        body: dict[str, Any] = {"statusCode": self.status, "debug": debug, "message": self.message}
        if self.data is not None:
            body["data"] = self.data
        return JSONResponse(body, status_code=self.status, headers={"x-api-version": "1.5.0"})


@dataclass(frozen=True, slots=True)
class SdAwsCall:
    """A call that was let in. ``body`` is its JSON document, empty when it has none."""

    emulator: EmulatorState
    objects: ObjectStore
    request: Request
    account: str
    user: str
    generation: Generation
    body: Mapping[str, Any]

    @property
    def switches(self) -> SdAwsSwitches:
        """The readings of the contract in force."""
        return self.emulator.settings.get_switches(SdAwsSwitches)

    @property
    def records(self) -> RecordStore:
        """What the account keeps."""
        return RecordStore(self.emulator, self.account)

    @property
    def origin(self) -> str:
        """Scheme and host the caller reached us by."""
        return get_origin(self.request)

    @property
    def now(self) -> float:
        """Unix seconds."""
        return self.emulator.clock.now()

    def create_id(self) -> str:
        """A fresh id in the form the service uses."""
        digits = f"{self.emulator.rng.getrandbits(128):032x}"
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    def read_text(self, name: str, default: str = "") -> str:
        """A text of the body; raises SdAwsHttpError for something else."""
        value = self.body.get(name, default)
        if not isinstance(value, str):
            raise SdAwsHttpError(400, f"{name} must be a string")
        return value

    def read_objects(self, name: str) -> list[dict[str, Any]]:
        """A list of objects of the body; raises SdAwsHttpError for something else."""
        value = self.body.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in cast("list[Any]", value)):
            raise SdAwsHttpError(400, f"{name} must be an array of objects")
        return cast("list[dict[str, Any]]", value)

    def read_texts(self, name: str, *, least: int = 0, most: int = 1000) -> list[str]:
        """A list of texts of the body; raises SdAwsHttpError for something else."""
        value = self.body.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in cast("list[Any]", value)):
            raise SdAwsHttpError(400, f"{name} must be an array of strings")
        if not least <= len(cast("list[str]", value)) <= most:
            raise SdAwsHttpError(400, f"{name} must have from {least} to {most} entries")
        return cast("list[str]", value)

    def read_query_list(self, name: str) -> list[str]:
        """A query parameter that may be repeated, have [] behind its name, or hold commas (list_models.array_query)."""
        query = self.request.query_params
        values = [*query.getlist(name), *query.getlist(f"{name}[]")]
        return [part for value in values for part in value.split(",") if part]

    def require(self, *names: str) -> None:
        """Refuse a body without one of these."""
        missing = [name for name in names if name not in self.body]
        if missing and self.generation == "2024":
            raise SdAwsHttpError(400, f"object has missing required properties ({json.dumps(missing)})")
        if missing:
            raise SdAwsHttpError(500, f"missing key: {', '.join(missing)}")

    async def start_task(
        self, kind: str, task_id: str, engine_task: EngineTask | None = None, *, seconds: float | None = None
    ) -> str:
        """Let something take its time, without an engine task nothing but time; ``phase`` tells how far it is."""
        task = await self.emulator.tasks.accept(
            build_service_id(kind),
            self.account,
            engine_task or EngineTask("", {}),
            verdict=get_verdict(self.request),
            lasting=kind != "inference",
            seconds=seconds,
            task_id=task_id,
        )
        return task.task_id

    async def find_view(self, kind: str, task_id: str) -> TaskView | None:
        """How far something is."""
        return await self.emulator.tasks.find(build_service_id(kind), task_id, self.account)

    async def get_phase(self, kind: str, task_id: str) -> tuple[Phase, str]:
        """How far something is, and why it failed."""
        view = await self.find_view(kind, task_id)
        if view is None:
            return Phase.FAILED, "its files are gone"
        return view.phase, view.outcome.failed if view.outcome else ""


def build_service_id(kind: str) -> str:
    """The id space of one kind of thing that takes time: ``sd_aws.endpoint``."""
    return f"sd_aws.{kind}"


def format_time(moment: float) -> str:
    """A time as the service prints it (conventions.times)."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
