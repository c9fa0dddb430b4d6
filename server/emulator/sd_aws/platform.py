"""What the platform behind the middleware reports, for tests and curious people: the control API's part for AWS.

``POST /_control/sd_aws/reports`` takes one of these; ``account`` is the demo account where none is named.

- ``{"endpoint": "<name or id>", "status": "Updating", "instances": 0}``: the endpoint is in that state, in the
  platform's word, and has so many machines; without ``status`` as its time says again.
- ``{"training": "<id>", "status": "Downloading"}``: the training is in that state. ``Completed`` with
  ``"has_file": false`` is one that left nothing.
- ``{"inference": "<id>", "has_begun": true}``: a worker has begun; ``"is_animation": true``: what it makes is a GIF.

That something is over is reported by ``/_control/finish/{task_id}``, that it failed by ``/_control/fail/{task_id}``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from atelier_mcp.server.emulator.accounts import DEMO_API_KEY_ACCOUNT
from atelier_mcp.server.emulator.control import build_control_endpoint, read_control_document
from atelier_mcp.server.emulator.sd_aws.calls import SdAwsCall
from atelier_mcp.server.emulator.sd_aws.object_store import ObjectStore
from atelier_mcp.server.emulator.sd_aws.record_store import RecordStore
from atelier_mcp.server.emulator.sd_aws.switches import SdAwsSwitches
from atelier_mcp.server.emulator.sd_aws.training_outcomes import end
from atelier_mcp.server.emulator.sd_aws.versions import VERSIONS

if TYPE_CHECKING:
    from starlette.requests import Request

    from atelier_mcp.server.emulator.state import EmulatorState


def build_control_routes(emulator: EmulatorState) -> list[Route]:
    """The routes below ``/_control/sd_aws``."""

    async def report(request: Request) -> Any:
        document = await read_control_document(request)
        account = str(document.pop("account", DEMO_API_KEY_ACCOUNT.access_key))
        match document:
            case {"endpoint": str(name), **rest}:
                return await _report_endpoint(RecordStore(emulator, account), name, rest)
            case {"training": str(training_id), **rest}:
                return await _report_training(_build_call(emulator, request, account), training_id, rest)
            case {"inference": str(inference_id), **rest}:
                return await _report_inference(_build_call(emulator, request, account), inference_id, rest)
            case _:
                raise ValueError("endpoint, training or inference names what is reported")

    return [Route("/reports", build_control_endpoint(report), methods=["POST"])]


async def _report_endpoint(records: RecordStore, name: str, report: dict[str, Any]) -> Any:
    record = next((r for r in await records.list_all("endpoint") if name in (r["id"], r["name"])), None)
    if record is None:
        raise LookupError(f"endpoint {name}")
    reported = {"reported": report.get("status"), "instances": report.get("instances", record["instances"])}
    await records.put("endpoint", record["id"], {**record, **reported})
    return {"endpoint": record["name"], **report}


async def _report_training(call: SdAwsCall, training_id: str, report: dict[str, Any]) -> Any:
    record = await call.records.get("training", training_id)
    if record is None:
        raise LookupError(f"training {training_id}")
    if report.get("status") == "Completed" and not report.get("has_file", True):
        await end(call, record)
    else:
        await call.records.put("training", training_id, {**record, "word": str(report["status"])})
    return {"training": training_id, **report}


async def _report_inference(call: SdAwsCall, inference_id: str, report: dict[str, Any]) -> Any:
    record = await call.records.get("inference", inference_id)
    if record is None:
        raise LookupError(f"inference {inference_id}")
    row = dict(record["row"])
    if report.get("has_begun"):
        row["startTime"] = call.format_moment(call.now)
    changed = {**record, "row": row, "is_animation": bool(report.get("is_animation", record["is_animation"]))}
    await call.records.put("inference", inference_id, changed)
    return {"inference": inference_id, **report}


def _build_call(emulator: EmulatorState, request: Request, account: str) -> SdAwsCall:
    version = VERSIONS[emulator.settings.get_switches(SdAwsSwitches).version]
    return SdAwsCall(emulator, ObjectStore(emulator), request, version, account, None, {})
