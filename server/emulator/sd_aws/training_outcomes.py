"""What becomes of a training: its state, the platform's word about it, and the checkpoint it leaves.

A training's time is that of its task; what it has learnt becomes a checkpoint when somebody looks after its end.
(contract: conventions.states.training)
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.sd_aws.checkpoint_shape import build_folder, build_record
from atelier_mcp.server.emulator.tasks import Phase

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from atelier_mcp.server.emulator.sd_aws.calls import SdAwsCall
    from atelier_mcp.server.emulator.sd_aws.object_store import ObjectStore
    from atelier_mcp.server.emulator.sd_aws.versions import DeployedVersion
    from atelier_mcp.server.emulator.state import EmulatorState
    from atelier_mcp.server.emulator.task_store import TaskRecord

LEARN: Final = "learn"
PREPARE: Final = "training_image"
ARN: Final = "arn:aws:sagemaker:us-east-1:123456789012:training-job/"
LOG_NAME: Final = "training.log"
LIST_WORDS: Final = frozenset(
    {
        "Initial", "Starting", "Pending", "Downloading", "Training", "Uploading", "Completed", "Failed", "Stopped",
        "Complete", "Fail",
    }
)  # fmt: skip
"""The states lists of v1.5 and later can read."""


def build_log_key(record: dict[str, Any]) -> str:
    """Where a training's log lies."""
    return f"kohya/train/{record['id']}/logs/{LOG_NAME}"


async def settle_trainings(call: SdAwsCall) -> list[dict[str, Any]]:
    """All trainings; those that have ended are over on record, and their checkpoints are there."""
    return [await settle(call, record) for record in await call.records.list_all("training")]


async def settle(call: SdAwsCall, record: dict[str, Any]) -> dict[str, Any]:
    """A training; where its time has come, over on record and its checkpoint made."""
    if record["task"] is None or record["is_settled"]:
        return record
    view = await call.find_view("training", record["task"])
    if view is None or view.phase is Phase.FAILED:
        return await end(call, record, reason=view.outcome.failed if view and view.outcome else "its files are gone")
    if view.phase is Phase.SUCCESS:
        return await end(call, record, has_file=True, seconds=view.task.ends_at - view.task.accepted_at)
    return record


async def end(
    call: SdAwsCall, record: dict[str, Any], *, reason: str = "", has_file: bool = False, seconds: float = 0
) -> dict[str, Any]:
    """A training that is over, well or, with a ``reason``, badly; without a file it leaves no checkpoint."""
    version = call.version
    record = {**record, "is_settled": True, "word": _choose_word(version, reason=reason, has_file=has_file)}
    # Nobody tells v1.7 of a training that left nothing, and v1.3 keeps no word of the platform.
    if not version.is_legacy and (reason or has_file or not version.has_flat_trainings):
        record["resp"] = _build_resp(record, reason=reason, seconds=seconds if has_file else None)
    if has_file:
        await _leave_checkpoint(call, record)
    if has_file and version.has_flat_trainings:
        await call.objects.store(build_log_key(record), b"trained\n")
        record["has_log"] = True
    return await call.records.put("training", record["id"], record)


async def get_word(call: SdAwsCall, record: dict[str, Any]) -> str:
    """The state of a settled training, in the version's word or in the platform's."""
    if record["word"] or record["task"] is None:
        return record["word"] or "Initial"
    view = await call.find_view("training", record["task"])
    is_waiting = view is not None and view.phase is Phase.PENDING
    return "Starting" if is_waiting and call.version.has_flat_trainings else "Training"


def build_checkpoint(version: DeployedVersion, record: dict[str, Any], roles: list[str], now: float) -> dict[str, Any]:
    """The checkpoint of a training that has just begun; its file has no suffix, or no name, yet."""
    kind, training_id = record["kind"], record["id"]
    folder = f"{kind}/train/{record['model']}/{training_id}/output"
    names = None
    if version.has_kohya:
        folder, names = f"kohya/train/{training_id}/output", [record["name"]]
    if version.has_flat_trainings:
        folder, names = build_folder("Stable-diffusion", training_id), [record["file"]]
    kind = "Lora" if version.has_kohya else kind
    return build_record(kind=kind, folder=folder, names=names, params=None, now=now, roles=roles)


def build_learner(
    emulator: EmulatorState, objects: ObjectStore
) -> Callable[[TaskRecord, dict[str, Any]], Awaitable[bytes]]:
    """What renders a training: it learns from the uploaded pictures, one read at a time."""

    async def learn(_task: TaskRecord, arguments: dict[str, Any]) -> bytes:
        images: list[bytes] = []
        for key in arguments["files"]:
            path = objects.build_path(key)
            if not path.is_file():
                raise ValueError(f"{key} was not uploaded")
            image = await emulator.sources.find_unmarked(await asyncio.to_thread(path.read_bytes))
            images.append(await emulator.run_engine(PREPARE, image=image, main_object="Style"))
        if not images:
            raise ValueError("there are no pictures to learn from")
        return await emulator.run_engine(LEARN, images=images)

    return learn


def _choose_word(version: DeployedVersion, *, reason: str, has_file: bool) -> str:
    if version.is_legacy:
        return "Fail" if reason else "Complete"
    if reason:
        return "Failed"
    return "Completed" if has_file or version.has_flat_trainings or not version.has_kohya else "Fail"


def _build_resp(record: dict[str, Any], *, reason: str, seconds: float | None) -> dict[str, Any]:
    word = "Failed" if reason else "Completed"
    raw = {
        "TrainingJobName": record["train_name"],
        "TrainingJobArn": f"{ARN}{record['train_name']}",
        "TrainingJobStatus": word,
        "SecondaryStatus": word,
    }
    if reason:
        return {"status": word, "error_msg": reason, "raw_resp": {**raw, "FailureReason": reason}}
    if seconds is not None:
        raw |= {"TrainingTimeInSeconds": str(int(seconds)), "BillableTimeInSeconds": str(int(seconds))}
    return {"raw_resp": raw}


async def _leave_checkpoint(call: SdAwsCall, record: dict[str, Any]) -> None:
    """The file of a training among the checkpoints: since v1.7 a new one, before it the one that was waiting."""
    if call.version.has_flat_trainings:
        checkpoint = build_checkpoint(call.version, record, record["roles"], call.now)
        await call.records.put("checkpoint", call.create_id(), {**checkpoint, "status": "Active"})
        return
    checkpoint = await call.records.get("checkpoint", record["id"])
    if checkpoint is not None:
        changed = {**checkpoint, "status": "Active", "names": [record["file"]]}
        await call.records.put("checkpoint", record["id"], changed)
