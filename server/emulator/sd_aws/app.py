"""The middleware's routes: the gateway in front, the version that is deployed, and what a handler answers.

A call goes through these checks in this order: path and verb, who calls (where there is an authorizer), the key, the
form of the body, its keys, the user and their rights (contract: auth.order, answered.check_order).
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any, Final, cast

from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from atelier_mcp.server.emulator.accounts import DEMO_API_KEY, DEMO_API_KEY_ACCOUNT
from atelier_mcp.server.emulator.defects import log_defect
from atelier_mcp.server.emulator.sd_aws import (
    checkpoint_links,
    checkpoints,
    checkpoints_2023,
    connection,
    datasets,
    endpoints,
    inferences,
    legacy_inferences,
    platform,
    training_bases,
    training_outcomes,
    trainings,
    trainings_2023,
    users,
)
from atelier_mcp.server.emulator.sd_aws.auth import admit_at_gateway, check_right, read_user
from atelier_mcp.server.emulator.sd_aws.calls import SdAwsApiResponse, SdAwsCall, build_response, build_service_id
from atelier_mcp.server.emulator.sd_aws.errors import (
    CRASHED,
    INVALID_BODY,
    NO_ROUTE,
    CodeFault,
    GatewayError,
    SdAwsHttpError,
    build_error_body,
)
from atelier_mcp.server.emulator.sd_aws.events import check_keys, check_model
from atelier_mcp.server.emulator.sd_aws.forms import FORMS, BodyForm
from atelier_mcp.server.emulator.sd_aws.object_store import ObjectStore
from atelier_mcp.server.emulator.sd_aws.switches import SdAwsSwitches
from atelier_mcp.server.emulator.sd_aws.versions import VERSIONS
from atelier_mcp.server.emulator.upstreams import EmulatedUpstream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from atelier_mcp.server.emulator.sd_aws.calls import CallRow
    from atelier_mcp.server.emulator.sd_aws.versions import DeployedVersion
    from atelier_mcp.server.emulator.state import EmulatorState
    from atelier_mcp.server.emulator.task_store import TaskRecord


FAMILIES: Final = (
    inferences,
    legacy_inferences,
    trainings,
    trainings_2023,
    checkpoints,
    checkpoints_2023,
    training_bases,
    datasets,
    connection,
    users,
    endpoints,
)
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


def build_routes(emulator: EmulatorState) -> list[BaseRoute]:
    """All calls, with and without the stage (list_datasets.prod_prefix), and the storage behind the signed links."""
    objects = ObjectStore(emulator)
    for kind in ("endpoint", "base", "batch"):
        # Inferences are the engine's and need no renderer of their own; these take time and make nothing.
        emulator.tasks.set_renderer(build_service_id(kind), _do_nothing)
    emulator.tasks.set_renderer(build_service_id("training"), training_outcomes.build_learner(emulator, objects))
    emulator.tasks.set_renderer(build_service_id("download"), checkpoint_links.build_downloader(emulator, objects))
    router = SdAwsRouter(emulator, objects)
    return [*objects.build_routes(), Mount("/prod", routes=router.build_routes()), *router.build_routes()]


def build_client_settings(base_url: str) -> Mapping[str, str]:
    """What leads a client here."""
    return {"SD_AWS_URL": f"{base_url}/prod", "SD_AWS_API_KEY": DEMO_API_KEY}


UPSTREAM: Final = EmulatedUpstream(
    name="sd_aws",
    contract="sd_aws",
    build_routes=build_routes,
    build_error_body=build_error_body,
    switches=SdAwsSwitches,
    accounts=(DEMO_API_KEY_ACCOUNT,),
    build_client_settings=build_client_settings,
    build_control_routes=platform.build_control_routes,
)


class SdAwsRouter:
    """Sends a request to the handler of its path and its method in the version that is deployed."""

    def __init__(self, emulator: EmulatorState, objects: ObjectStore) -> None:
        """Answer out of ``emulator``; files go to ``objects``."""
        self._emulator, self._objects = emulator, objects
        self._rows: dict[str, dict[tuple[str, str], CallRow]] = {}
        for row in (row for family in FAMILIES for row in family.build_rows()):
            for version in row.versions:
                self._rows.setdefault(row.path, {})[version, row.method] = row

    def build_routes(self) -> list[Route]:
        """One route per path, literal ones first; whatever else is asked is forbidden, as the gateway has it."""
        # The first route that fits is taken: a parameter must not catch the literal part of another path.
        paths = sorted(self._rows, key=lambda path: (path.count("{"), path))
        known_routes = [Route(path, self._build_endpoint(self._rows[path]), methods=list(METHODS)) for path in paths]
        # Every route takes every verb: to a wrong one the gateway says 403, a router 405 (contract: versions.probe).
        return [*known_routes, Route("/{path:path}", self._build_endpoint({}), methods=list(METHODS))]

    def _build_endpoint(self, rows: Mapping[tuple[str, str], CallRow]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            # Read anew for each call: the switch can be turned while clients are connected.
            version = VERSIONS[self._emulator.settings.get_switches(SdAwsSwitches).version]
            row = rows.get((version.name, request.method))
            try:
                if row is None:
                    raise GatewayError(403, NO_ROUTE)
                return _build_answer(version, request, await self._run(request, version, row))
            except GatewayError as err:
                return _build_gateway_answer(version, err)
            except SdAwsHttpError as err:
                return _build_refusal(version, request, err)
            except CodeFault as err:
                return _build_fault(version, err)
            except Exception as err:  # noqa: BLE001  # what its own code breaks on, the service tells in these words, too
                log_defect(request.url.path, err)
                return _build_fault(version, CodeFault(str(err), type(err).__name__))

        return endpoint

    async def _run(self, request: Request, version: DeployedVersion, row: CallRow) -> Any:
        account = admit_at_gateway(self._emulator, request, version, row)
        form = FORMS[version.name].get(row.form, BodyForm()) if row.form else BodyForm()
        # The gateway checks the body before the code does, and only then does the code of v1.5 look for the user.
        body = await _read_body(request, has_form=bool(row.form))
        check_model(version, form, body)
        check_keys(version, row.form, form, body)
        # Not at the top: hex that is none is the code's complaint, after those about the body.
        user = read_user(request, version)
        call = SdAwsCall(self._emulator, self._objects, request, version, account.access_key, user, body)
        if row.check is not None:
            row.check(call)
        # v1.3 and v1.4 check rights in their handlers, each in its own words.
        if row.right and not version.has_authorizer:
            await check_right(call, row.right)
        return await row.handler(call)


async def _do_nothing(_task: TaskRecord, _arguments: dict[str, Any]) -> dict[str, Any]:
    """What takes time and leaves nothing behind: a deployment."""
    return {}


async def _read_body(request: Request, *, has_form: bool) -> Mapping[str, Any]:
    data = await request.body()
    if not data:
        return {}
    try:
        document = json.loads(data)
    except ValueError:
        document = None
    if isinstance(document, dict):
        return cast("dict[str, Any]", document)
    # A route without a form takes a body that is no object, and does not look at it.
    if has_form:
        raise GatewayError(400, INVALID_BODY)
    return {}


def _build_answer(version: DeployedVersion, request: Request, result: Any) -> Response:
    if isinstance(result, SdAwsApiResponse):
        return build_response(version, result, request.url.path)
    return result if isinstance(result, Response) else JSONResponse(result)


def _build_gateway_answer(version: DeployedVersion, error: GatewayError) -> Response:
    """The gateway's own words, whose form differs between the versions (contract: versions)."""
    body: dict[str, Any] = {"message": error.message}
    if error.status == 400 and not version.is_legacy:
        body["statusCode"] = 400
    if version.has_debug:
        body["requestId"] = secrets.token_hex(16)
    return JSONResponse(body, status_code=error.status)


def _build_refusal(version: DeployedVersion, request: Request, error: SdAwsHttpError) -> Response:
    """The code's refusal; the HTTP status of those of v1.3 is 200 (contract: inference_v2.status_in_body)."""
    if not version.is_legacy:
        # v1.4 tells one refusal in `data`; its message is then the status text alone (contract: auth.unknown_user).
        result = SdAwsApiResponse(error.data, error.status, "Bad Request" if error.data else error.message)
        return build_response(version, result, request.url.path)
    if connection.is_bare(request.url.path):
        return JSONResponse({"detail": error.message}, status_code=error.status)
    return JSONResponse({"statusCode": error.status, **error.more, error.key: error.message})


def _build_fault(version: DeployedVersion, error: CodeFault) -> Response:
    if version.crashes_to_502:
        return _build_gateway_answer(version, GatewayError(502, CRASHED))
    if not version.is_legacy:
        return build_response(version, SdAwsApiResponse(status=400, message=error.message), "")
    # With HTTP 200: what the runtime says of a crash passes the gateway as if it were an answer.
    request_id = secrets.token_hex(16)
    return JSONResponse(
        {"errorMessage": error.message, "errorType": error.kind, "requestId": request_id, "stackTrace": []}
    )
