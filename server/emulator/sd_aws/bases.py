"""Training bases: a checkpoint made ready to be trained on (contract: create_model ff.)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.sd_aws.calls import Call, Refused, stamp
from atelier_mcp.server.emulator.sd_aws.checkpoints import MOST_PARTS, begun_uploads, completed_uploads
from atelier_mcp.server.emulator.sd_aws.objects import Objects, location
from atelier_mcp.server.emulator.tasks import Phase

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import Door

STATES: Final = {
    Phase.PENDING: "Creating", Phase.RUNNING: "Creating", Phase.SUCCESS: "Complete", Phase.FAILED: "Fail",
}  # fmt: skip


class Bases:
    """The calls about models, as the service names them."""

    def __init__(self, objects: Objects) -> None:
        """Upload to ``objects``."""
        self._objects = objects

    def offer(self, door: Door) -> None:
        """Hang up the calls."""
        door.legacy("POST", "/model", self.create)
        door.legacy("PUT", "/model", self.update)
        door.legacy("GET", "/models", self.listed)

    async def create(self, call: Call) -> Any:
        """Register a model and hand out links for its file's parts."""
        call.need("model_type", "name", "params")
        checkpoint_id = call.text("checkpoint_id")
        given: Any = call.body["params"]
        options: Any = given.get("create_model_params") if isinstance(given, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] # JSON
        if not isinstance(options, dict):
            raise Refused(500, "missing key: create_model_params")
        if not (checkpoint_id or call.objects("filenames") or options.get("from_hub")):  # pyright: ignore[reportUnknownMemberType] # JSON
            raise Refused(500, "filenames, checkpoint_id or a model of the hub is needed")
        model_id = call.new_id()
        record: dict[str, Any] = {
            "name": call.text("name"),
            "model_type": call.text("model_type"),
            "status": "Initial",
            "task": None,
            "checkpoint_id": checkpoint_id,
            "names": [],
            "params": {**given, "multipart_upload": {}, "created_at": stamp(call.now)},
            "created": call.now,
        }
        prefix = f"{record['model_type']}/model/{record['name']}"
        uploads = await begun_uploads(call, self._objects, record, prefix, MOST_PARTS)
        record = await call.records.put("base", model_id, record)
        links: Any = list(record["params"]["multipart_upload"].values()) if call.switches.printed_uploads else uploads
        return {"statusCode": 200, "job": {**_job(record), "s3PresignUrl": links}, "s3PresignUrl": links}

    async def update(self, call: Call) -> Any:
        """Finish the upload and begin the creation."""
        call.need("model_id", "status")
        record = await call.records.get("base", call.text("model_id"))
        if record is None:
            raise Refused(404, f"model with id {call.text('model_id')} is not found")
        if call.text("status") != "Creating":
            raise Refused(400, "status must be Creating")
        if record["task"] is None:
            if record["names"]:
                await completed_uploads(call, self._objects, record)
            task = await call.begin("base", record["id"])
            record = await call.records.put("base", record["id"], {**record, "task": task})
        job = {
            "output_path": location(f"{record['model_type']}/model/{record['name']}/output"),
            "id": record["id"],
            "endpointName": "aigc-utils-endpoint",
            "jobStatus": "Creating",
            "jobType": record["model_type"],
        }
        return {"statusCode": 200, "job": job}

    async def listed(self, call: Call) -> Any:
        """All models by kind and state; an array (list_models.object_or_array)."""
        kinds, states = call.many("types"), call.many("status")
        rows = [await _row(call, r) for r in await call.records.all("base") if not kinds or r["model_type"] in kinds]
        return {"statusCode": 200, "models": [row for row in rows if not states or row["status"] in states]}


async def state(call: Call, record: dict[str, Any]) -> str:
    """A base's state now."""
    if record["task"] is None:
        return "Initial"
    return STATES[(await call.phase("base", record["task"]))[0]]


async def _row(call: Call, record: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": record["id"],
        "model_name": record["name"],
        "created": record["created"],
        "params": record["params"],
        "status": await state(call, record),
        "output_s3_location": location(f"{record['model_type']}/model/{record['name']}/output"),
    }


def _job(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": record["id"],
        "status": record["status"],
        "s3_base": location(f"{record['model_type']}/model/{record['name']}"),
        "model_type": record["model_type"],
        "params": record["params"],
    }
