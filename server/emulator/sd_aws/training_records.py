"""A training on record: made, started, and told, for the calls of all versions (contract: create_training)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.engine_calls import EngineTask
from atelier_mcp.server.emulator.faults import get_verdict
from atelier_mcp.server.emulator.sd_aws.datasets import build_key
from atelier_mcp.server.emulator.sd_aws.errors import SdAwsHttpError
from atelier_mcp.server.emulator.sd_aws.paging import read_page
from atelier_mcp.server.emulator.sd_aws.people import find_user, get_user_or_crash, may
from atelier_mcp.server.emulator.sd_aws.training_outcomes import LEARN, build_checkpoint, get_word, settle

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import SdAwsCall

TRAIN: Final = "train:all"
NO_QUOTA: Final = "ResourceLimitExceeded: "
"""What the reason of a fault begins with that refuses a training's start."""


async def create_record(
    call: SdAwsCall,
    training_id: str,
    *,
    kind: str,
    model: str,
    name: str,
    file: str,
    sets: list[str],
    params: dict[str, Any],
    roles: list[str],
) -> dict[str, Any]:
    """A training on record that has not begun, and before v1.7 its checkpoint."""
    record = {
        "kind": kind, "model": model, "name": name, "file": file, "sets": sets, "params": params, "roles": roles,
        "task": None, "word": "", "train_name": "", "is_settled": False, "resp": None, "has_log": False,
        "created": call.now,
    }  # fmt: skip
    record = await call.records.put("training", training_id, record)
    if not call.version.has_flat_trainings:
        checkpoint = build_checkpoint(call.version, record, roles, call.now)
        await call.records.put("checkpoint", training_id, checkpoint)
    return record


async def start_record(call: SdAwsCall, record: dict[str, Any]) -> dict[str, Any]:
    """A training at work; raises SdAwsHttpError where the platform has no machine for it."""
    verdict = get_verdict(call.request)
    if verdict is not None and verdict.failed.startswith(NO_QUOTA):
        if not call.version.has_flat_trainings:  # v1.7 leaves the row, Initial
            await call.records.delete("training", record["id"])
            await call.records.delete("checkpoint", record["id"])
        text = verdict.failed.removeprefix(NO_QUOTA)
        operation = "An error occurred (ResourceLimitExceeded) when calling the CreateTrainingJob operation"
        raise SdAwsHttpError(400 if call.version.has_kohya else 500, f"{operation}: {text}")
    files: list[str] = []
    for name in record["sets"]:
        dataset = await call.records.get("dataset", name)
        if dataset is not None:
            images = (item["filename"] for item in dataset["items"] if not item["filename"].endswith(".txt"))
            files += [build_key(dataset, filename) for filename in dict.fromkeys(images)]
    task_id = record["id"] if record["task"] is None else call.create_id()
    task = await call.start_task("training", task_id, EngineTask(LEARN, {"files": files}))
    moment = call.format_moment(call.now)[:19].replace(" ", "-").replace("T", "-").replace(":", "-")
    started = {"task": task, "word": "", "is_settled": False, "train_name": f"{record['model']}-{moment}"}
    return await call.records.put("training", record["id"], {**record, **started})


async def list_old_rows(call: SdAwsCall) -> list[dict[str, Any]]:
    """The trainings of v1.3 and v1.4 by kind and state; who may not train is told only where there is one."""
    records = await call.records.list_all("training")
    if records:
        await check_old_viewer(call)
    page, _ = read_page(call, records)
    rows = [await build_old_row(call, await settle(call, record)) for record in page]
    kinds, states = call.read_query_list("types"), call.read_query_list("status")
    return [r for r in rows if (not kinds or r["trainType"] in kinds) and (not states or r["status"] in states)]


async def check_old_viewer(call: SdAwsCall) -> None:
    """Refuse a caller of v1.3 or v1.4 there is not, and one who may not train."""
    user = await find_user(call, call.user)
    if user is None and not call.version.is_legacy:
        raise SdAwsHttpError(400, f'user: "{call.user}" not exist')
    if not may(user or await get_user_or_crash(call, call.user), TRAIN):
        more = {"statusCode": "400"} if call.version.is_legacy else {}  # a text, once
        raise SdAwsHttpError(400, "user has no permission to train", more=more)


async def build_old_row(call: SdAwsCall, record: dict[str, Any]) -> dict[str, Any]:
    """A training as lists have it."""
    is_named = "model_name" in record["params"].get("training_params", {})
    return {
        "id": record["id"],
        "modelName": record["model"] if is_named else "not_applied",
        "status": await get_word(call, record),
        "trainType": record["kind"],
        "created": call.format_epoch(record["created"]),
        "sagemakerTrainName": record["train_name"],
    }
