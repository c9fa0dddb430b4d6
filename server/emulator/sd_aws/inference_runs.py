"""A run of an inference: started, over, and what its end leaves on record and in storage.

Nothing runs on by itself here: the end of a run is written when somebody looks after it.
(contract: conventions.states.inference, names.pictures, names.parameters)
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.engine_calls import EngineTask
from atelier_mcp.server.emulator.sd_aws.calls import build_service_id, format_time
from atelier_mcp.server.emulator.sd_aws.inference_plan import plan_inference
from atelier_mcp.server.emulator.sd_aws.models import load_profiles
from atelier_mcp.server.emulator.sd_aws.object_store import build_location
from atelier_mcp.server.emulator.sd_aws.parameters import read_object
from atelier_mcp.server.emulator.sd_aws.worker_failures import (
    NULL,
    InferenceFailed,
    WorkerFailure,
    build_notice,
    parse_failure,
)
from atelier_mcp.server.emulator.task_store import Verdict
from atelier_mcp.server.emulator.tasks import Phase
from atelier_mcp.server.errors import ImageRefused
from atelier_mcp.server.images.edges import trace_edges

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import SdAwsCall
    from atelier_mcp.server.emulator.tasks import TaskView

REAL_TIME: Final = "Real-time"
GENERATED: Final = ("txt2img", "img2img")
BATCH: Final = "extra-batch-images"


def build_dump_key(record: dict[str, Any]) -> str:
    """Where the dump of its parameters lies."""
    return f"out/{record['id']}/result/{record['id']}_param.json"


def build_image_key(record: dict[str, Any], name: str) -> str:
    """Where a picture of that name lies."""
    return f"out/{record['id']}/result/{name}"


async def start_run(
    call: SdAwsCall, record: dict[str, Any], parameters: Any, *, seconds: float | None = None
) -> dict[str, Any]:
    """The inference at work on parameters; without any, its worker will answer null.

    What a worker cannot work with is its failure, and no refusal.
    """
    output_id = call.create_id()
    # The id of the inference, so that the control API finds its first run by it; a second run needs another.
    task_id = record["id"] if record["task"] is None else output_id
    engine_task, verdict, maps = await _plan(call, record, parameters)
    kind = "batch" if record["task_type"] == BATCH else "inference"
    task = await call.start_task(kind, task_id, engine_task, seconds=seconds, verdict=verdict)
    for index, detected in enumerate(maps):
        await call.objects.store(_build_map_key(task, index), detected)
    started = {
        "task": task, "task_kind": kind, "is_settled": False, "maps": len(maps), "parameters": parameters,
        "output": build_location(f"sagemaker_output/{output_id}.out"),
    }  # fmt: skip
    is_async = record["type"] != REAL_TIME
    # A Real-time one keeps "created" while it runs; its start time is the only sign (contract: answered.real_time).
    row = {**record["row"], "status": "inprogress"} if is_async else record["row"]
    if not is_async or not call.version.fills_unset:
        row = {**row, "startTime": row["startTime"] or call.format_moment(call.now)}
    return await call.records.put("inference", record["id"], {**record, **started, "row": row})


async def settle(call: SdAwsCall, record: dict[str, Any]) -> dict[str, Any]:
    """An inference; where its run is over, with what that leaves."""
    if record["task"] is None or record["is_settled"]:
        return record
    # Read again under the lock: two polls at once would store the pictures twice and append their names twice.
    async with call.objects.lock:
        record = await call.records.get("inference", record["id"]) or record
        view = None if record["is_settled"] else await call.find_view(record["task_kind"], record["task"])
        if view is None or view.phase is Phase.PENDING:
            return record
        return await _write_progress(call, record, view)


def read_failure(view: TaskView) -> WorkerFailure | None:
    """How a run has failed; None where it has not."""
    return parse_failure(view.outcome.failed) if view.phase is Phase.FAILED and view.outcome else None


async def _plan(
    call: SdAwsCall, record: dict[str, Any], parameters: Any
) -> tuple[EngineTask, Verdict | None, tuple[bytes, ...]]:
    if parameters is None:
        # The start is accepted all the same: only the worker finds that nothing was uploaded.
        return EngineTask("", {}), Verdict(failed=NULL), ()
    try:
        plan = await plan_inference(call.emulator, record["task_type"], parameters, call.version.image_suffix)
    except InferenceFailed as err:
        return EngineTask("", {}), Verdict(failed=f"ValueError: {err}"), ()
    task = plan.engine_task
    if "controls" in task.arguments:
        profiles = await load_profiles(call, plan.loras, record["model_names"])
        task = EngineTask(task.function, {**task.arguments, "profiles": profiles})
    # Edges stand for what any preprocessor detects.
    try:
        maps = [await call.emulator.image_workers.run(trace_edges, image) for image in plan.map_sources]
    except ImageRefused as err:
        return EngineTask("", {}), Verdict(failed=f"ValueError: {err.message}"), ()
    return task, None, tuple(maps)


async def _write_progress(call: SdAwsCall, record: dict[str, Any], view: TaskView) -> dict[str, Any]:
    row = dict(record["row"])
    if not row["startTime"]:  # since v1.6 a worker tells when it begins
        row["startTime"] = call.format_moment(view.task.starts_at)
    if view.phase is Phase.RUNNING:
        return record if row == record["row"] else await call.records.put(
            "inference", record["id"], {**record, "row": row}
        )  # fmt: skip
    failure = read_failure(view)
    if failure is not None:
        _write_failure(call, record, row, failure)
    else:
        await _write_success(call, record, row, view)
    return await call.records.put("inference", record["id"], {**record, "row": row, "is_settled": True})


def _write_failure(call: SdAwsCall, record: dict[str, Any], row: dict[str, Any], failure: WorkerFailure) -> None:
    """What a failure leaves; a Real-time job stays ``created`` (contract: answered.real_time)."""
    version = call.version
    if record["type"] == REAL_TIME:
        if version.keeps_real_time_errors and failure.is_kept:
            row["sagemakerRaw"] = failure.format_real_time(version, record["endpoint"], row["startTime"])
        return
    row["status"] = "failed"
    if failure.kind == "platform":
        row["sagemakerRaw"] = str(_build_notice(call, record, failure))
    elif version.stores_notices:
        row["sagemakerRaw"] = failure.format_async()
    is_reported = failure.kind == "own" or version.stores_notices
    if is_reported and not version.is_legacy and (version.stores_notices or failure.kind != "platform"):
        row["completeTime"] = call.format_moment(call.now)


async def _write_success(call: SdAwsCall, record: dict[str, Any], row: dict[str, Any], view: TaskView) -> None:
    version = call.version
    names = await _store_images(call, record, view)
    is_reported = record["task_type"] in GENERATED or not version.is_legacy
    row |= {"status": "succeed", "completeTime": call.format_moment(max(view.task.ends_at, record["created"]))}
    if is_reported and (names or version.fills_unset):
        # A second run appends, under the same names (contract: conventions.states.inference).
        row["image_names"] = [*(row.get("image_names") or []), *names]
    if is_reported and version.names_parameter_file and record["task_type"] != BATCH:
        row["inference_info_name"] = f"/tmp/{record['id']}_param.json"  # noqa: S108 - as the service says it
    if view.outcome is not None and view.outcome.notes:
        # An addition of ours (contract: get_inference_job.remarks).
        row["remarks"] = list(view.outcome.notes)
    notice = _build_notice(call, record, None)
    if version.stores_notices and record["type"] != REAL_TIME:
        row["sagemakerRaw"] = str(notice)
    if is_reported:
        await _store_dump(call, record, view, notice)


async def _store_images(call: SdAwsCall, record: dict[str, Any], view: TaskView) -> list[str]:
    """The names of the pictures, which lie in storage now; detection maps come last.

    (contract: names.pictures, answered.detected_maps)
    """
    outcome, suffix = view.outcome, call.version.image_suffix
    if outcome is None or (call.version.is_legacy and record["task_type"] not in GENERATED):
        return []
    folder = build_service_id(record["task_kind"])
    paths = [call.emulator.store.build_path(folder, view.task.task_id, image.raw) for image in outcome.images]
    paths += [call.objects.build_path(_build_map_key(view.task.task_id, index)) for index in range(record["maps"])]
    is_single = record["task_type"] not in GENERATED
    names = ["image.png" if is_single else f"image_{index}.{suffix}" for index in range(len(paths))]
    for path, name in zip(paths, names, strict=True):
        # An animation is stored under another name than it is told by.
        stored = name.replace(".png", ".gif") if record["is_animation"] else name
        await call.objects.store(build_image_key(record, stored), await asyncio.to_thread(path.read_bytes))
    return names


async def _store_dump(call: SdAwsCall, record: dict[str, Any], view: TaskView, notice: dict[str, Any]) -> None:
    parameters = read_object(record["parameters"])
    images = view.outcome.images if view.outcome else ()
    shown = ("prompt", "seed", "width", "height", "sampler_name", "steps")
    info = {name: parameters.get(name) for name in shown}
    # Without a seed in the parameters the engine chose one, which the dump must tell.
    if images and not isinstance(info["seed"], int):
        info["seed"] = images[0].seed
    dump: dict[str, Any] = {"parameters": parameters, "info": json.dumps(info), "inference_id": record["id"]}
    # v1.3 and v1.4 spell it otherwise, and tell the notice (contract: names.parameters).
    dump[call.version.endpoint_key] = record["endpoint"]
    if call.version.stores_notices:
        dump["sns_info"] = notice
    await call.objects.store(build_dump_key(record), json.dumps(dump, ensure_ascii=False).encode())


def _build_notice(call: SdAwsCall, record: dict[str, Any], failure: WorkerFailure | None) -> dict[str, Any]:
    return build_notice(
        inference_id=record["id"],
        endpoint=record["endpoint"],
        output=record["output"],
        input_id=call.create_id(),
        moment=f"{format_time(call.now, separator='T')[:-3]}Z",
        failure=failure,
    )


def _build_map_key(task_id: str, index: int) -> str:
    return f"maps/{task_id}/{index}.png"
