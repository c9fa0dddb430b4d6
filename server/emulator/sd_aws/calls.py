"""What a handler of the middleware gets and answers, and the rows its calls are listed in.

Handlers of v1.3 answer plain documents, those of later versions an :class:`SdAwsApiResponse`, an envelope whose status
is the HTTP status (contract: conventions.envelope, appendix_generation_2.envelope).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from starlette.responses import JSONResponse, Response

from atelier_mcp.server.emulator.engine_calls import EngineTask
from atelier_mcp.server.emulator.faults import get_verdict
from atelier_mcp.server.emulator.links import get_origin
from atelier_mcp.server.emulator.sd_aws.record_store import RecordStore, create_id
from atelier_mcp.server.emulator.sd_aws.switches import SdAwsSwitches

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

    from atelier_mcp.server.emulator.sd_aws.object_store import ObjectStore
    from atelier_mcp.server.emulator.sd_aws.versions import DeployedVersion, VersionName
    from atelier_mcp.server.emulator.state import EmulatorState
    from atelier_mcp.server.emulator.task_store import Verdict
    from atelier_mcp.server.emulator.tasks import TaskView

Handler: TypeAlias = "Callable[[SdAwsCall], Awaitable[Any]]"
RESTFUL: Final = ("1.4", "1.5", "1.7")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow:
    """One call; ``app`` makes a route of it."""

    method: str
    path: str
    handler: Handler
    versions: tuple[VersionName, ...] = RESTFUL
    form: str = ""
    """The name of its body's form in ``forms``; any body will do without one."""
    is_gated: bool = False
    """Whether the authorizer of v1.3 and v1.4 asks who calls (contract: auth.authorization)."""
    right: str = ""
    """What a user of v1.5 and later must be allowed; without it nobody need say who they are."""
    check: Callable[[SdAwsCall], None] | None = None
    """What the code looks at before it looks for the user (contract: answered.check_order)."""


@dataclass(frozen=True, slots=True)
class SdAwsApiResponse:
    """A good answer of v1.4 and later; an empty ``message`` is none."""

    data: Any = None
    status: int = 200
    message: str = "OK"


@dataclass(frozen=True, slots=True)
class SdAwsCall:
    """A call that was let in. ``body`` is its JSON document, empty when it has none."""

    emulator: EmulatorState
    objects: ObjectStore
    request: Request
    version: DeployedVersion
    account: str
    header_user: str | None
    """Who the headers say is calling, whether such a user exists or not."""
    body: Mapping[str, Any]

    @property
    def switches(self) -> SdAwsSwitches:
        """The settings in force."""
        return self.emulator.settings.get_switches(SdAwsSwitches)

    @property
    def records(self) -> RecordStore:
        """What the account keeps."""
        return RecordStore(self.emulator, self.account)

    @property
    def user(self) -> str:
        """Who is calling, where somebody must be."""
        return self.header_user or ""

    @property
    def origin(self) -> str:
        """Scheme and host the caller reached us by."""
        return get_origin(self.request)

    @property
    def now(self) -> float:
        """Unix seconds."""
        return self.emulator.clock.now()

    @property
    def query(self) -> Mapping[str, str]:
        """The query; of a key given several times, the last value."""
        return self.request.query_params

    @property
    def path_id(self) -> str:
        """The part of the path that names a thing."""
        return self.request.path_params["id"]

    def create_id(self) -> str:
        """A fresh id in the form the service uses."""
        return create_id(self.emulator)

    def read_texts(self, name: str) -> list[str]:
        """A list of texts of the body, whose form the gateway has checked; empty for anything else."""
        value = self.body.get(name)
        return [str(item) for item in cast("list[Any]", value)] if isinstance(value, list) else []

    def read_query_list(self, name: str) -> list[str]:
        """A query parameter that may be repeated, or have [] behind its name (list_models.array_query)."""
        query = self.request.query_params
        return [*query.getlist(name), *query.getlist(f"{name}[]")]

    def format_epoch(self, moment: float) -> float | str:
        """Unix seconds as the version gives them in lists: a number, since v1.4 as text."""
        return moment if self.version.is_legacy else str(moment)

    def format_moment(self, moment: float) -> str:
        """A time as the version prints it: since v1.6 with a T."""
        return format_time(moment, separator=self.version.time_separator)

    async def start_task(
        self,
        kind: str,
        task_id: str,
        engine_task: EngineTask | None = None,
        *,
        seconds: float | None = None,
        verdict: Verdict | None = None,
    ) -> str:
        """Let something take its time, without an engine task nothing but time; ``find_view`` tells how far it is.

        ``verdict`` is how it will end, where that is decided already and no fault decides otherwise.
        """
        task = await self.emulator.tasks.accept(
            build_service_id(kind),
            self.account,
            engine_task or EngineTask("", {}),
            # A fault that was ordered for this call goes before what the parameters would lead to.
            verdict=get_verdict(self.request) or verdict,
            # A deployment or a training must still be found when the finished pictures are cleared away.
            lasting=kind != "inference",
            seconds=seconds,
            task_id=task_id,
        )
        return task.task_id

    async def find_view(self, kind: str, task_id: str) -> TaskView | None:
        """How far something is."""
        return await self.emulator.tasks.find(build_service_id(kind), task_id, self.account)


def build_response(version: DeployedVersion, result: SdAwsApiResponse, path: str) -> Response:
    """The envelope around an answer; ``path`` is that of the call (contract: appendix_generation_2.envelope)."""
    # Only versions with a header come here: v1.3 answers plain documents.
    headers = {"x-api-version": version.header or ""}
    if result.status == 204:
        return Response(status_code=204, headers=headers)
    body: dict[str, Any] = {"statusCode": result.status}
    if version.has_debug:
        body["debug"] = {"function_url": path, "log_url": "", "trace_url": ""}
    if result.data is not None:
        body["data"] = result.data
    if result.message:
        body["message"] = result.message
    return JSONResponse(body, status_code=result.status, headers=headers)


def build_service_id(kind: str) -> str:
    """The id space of one kind of thing that takes time: ``sd_aws.endpoint``."""
    return f"sd_aws.{kind}"


def format_time(moment: float, *, separator: str = " ") -> str:
    """A time as the service prints it (conventions.times)."""
    return datetime.fromtimestamp(moment, UTC).strftime(f"%Y-%m-%d{separator}%H:%M:%S.%f")
