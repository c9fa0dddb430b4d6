"""What is done at once, without a job: lists, deletions, drafts, and the connection test."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import InvalidRequest, UpstreamFailed
from atelier_mcp.server.requests.aws import (
    CreateTraining,
    DeleteEndpoints,
    DisableCheckpoint,
    ListAwsDatasets,
    ListCheckpoints,
    ListEndpoints,
    ListInferenceJobs,
    ListTrainingBases,
    ListTrainings,
    MergeModels,
    TestConnection,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.providers.sd_aws.dialect import Dialect
    from atelier_mcp.server.providers.sd_aws.middleware import MiddlewareClient
    from atelier_mcp.server.providers.sd_aws.wire import SdAwsEndpointBody, SdAwsInferenceBody
    from atelier_mcp.server.requests.base import Request

TEXT_MEDIA_TYPE = "text/plain;charset=UTF-8"
"""Links of the presign call are bound to exactly this (contract: presign_upload.content_type)."""
TEST_FILE = "atelier/connection-test.txt"
MAX_TEXT_CHARS = 200


async def execute_operation(request: Request, dialect: Dialect, middleware: MiddlewareClient) -> Mapping[str, Any]:  # noqa: C901  # one case per request
    """The answer to a request as JSON. Raises ``InvalidRequest`` for one that is a job's."""
    match request:
        case TestConnection(storage=storage):
            return await _test_connection(dialect, middleware, storage=storage)
        case ListEndpoints():
            return {"endpoints": [_format_endpoint(endpoint) for endpoint in await dialect.list_endpoints()]}
        case DeleteEndpoints(names=names):
            return await _delete_endpoints(dialect, list(names))
        case ListInferenceJobs(job_id=str(job_id)):
            inference, parameters = await asyncio.gather(dialect.get_inference(job_id), dialect.get_parameters(job_id))
            result = _format_inference(inference)
            return {"jobs": [{**result, "parameters": _shorten(parameters)} if parameters else result]}
        case ListInferenceJobs(limit=limit):
            return {"jobs": [_format_inference(inference) for inference in await dialect.list_inferences(limit)]}
        case ListCheckpoints(kinds=kinds, states=states):
            return {
                "checkpoints": [
                    {"id": entry.id, "kind": entry.kind, "state": entry.state, "files": list(entry.names)}
                    for entry in await dialect.list_checkpoints(kinds, states)
                ]
            }
        case DisableCheckpoint(checkpoint_id=checkpoint_id):
            return await _disable_checkpoint(dialect, checkpoint_id)
        case ListTrainingBases(states=states):
            bases = await dialect.list_bases(states)
            return {"bases": [{"id": base.id, "name": base.name, "state": base.state} for base in bases]}
        case ListAwsDatasets(name=str(name)):
            items = await dialect.list_dataset_items(name)
            files = [{"name": item.name, "state": item.state, "link": item.preview} for item in items]
            return {"datasets": [{"name": name, "files": files}]}
        case ListAwsDatasets(states=states):
            return {"datasets": [{"name": e.name, "state": e.state} for e in await dialect.list_datasets(states)]}
        case CreateTraining():
            return {"training_id": await dialect.create_training(request)}
        case ListTrainings(states=states):
            trainings = await dialect.list_trainings(states)
            return {"trainings": [{"id": t.id, "name": t.name, "state": t.state} for t in trainings]}
        case MergeModels(primary=primary, secondary=secondary, tertiary=tertiary):
            names = [name for name in (primary, secondary, tertiary) if name]
            return {"merged": names, "answer": dict(await dialect.merge_checkpoints(names))}
        case _:
            raise InvalidRequest(f"Stable Diffusion on AWS cannot {request.capability.replace('_', ' ')} at once.")


async def _test_connection(dialect: Dialect, middleware: MiddlewareClient, *, storage: bool) -> dict[str, Any]:
    message = await dialect.test_connection()
    result: dict[str, Any] = {
        "generation": await middleware.get_generation(),
        "message": message,
        "user": middleware.username,
    }
    if storage:
        if link := await dialect.get_storage_link(TEST_FILE):
            await middleware.put(link, b"Written by a connection test.", media_type=TEXT_MEDIA_TYPE)
        result["storage"] = "written" if link else "this generation has no call to test it with"
    return result


async def _delete_endpoints(dialect: Dialect, names: list[str]) -> dict[str, Any]:
    """Unknown names count as success at the service (contract: delete_endpoints), so they are told apart here."""
    known = {endpoint.name for endpoint in await dialect.list_endpoints()}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InvalidRequest(f"There is no endpoint {unknown[0]}; nothing was deleted.", hint="See list_endpoints.")
    await dialect.delete_endpoints(names)
    return {"deleted": names}


async def _disable_checkpoint(dialect: Dialect, checkpoint_id: str) -> dict[str, Any]:
    """Listed afterwards: the answer to the change shows the old state (contract: update_checkpoint.stale_status)."""
    await dialect.disable_checkpoint(checkpoint_id)
    states = [entry.state for entry in await dialect.list_checkpoints() if entry.id == checkpoint_id]
    if states and states[0] != "Disabled":
        raise UpstreamFailed(f"Checkpoint {checkpoint_id} is still {states[0]}.", hint="Try again in a minute.")
    return {"checkpoint_id": checkpoint_id, "state": "Disabled"}


def _format_endpoint(endpoint: SdAwsEndpointBody) -> dict[str, Any]:
    row = {
        "name": endpoint.name,
        "state": endpoint.state or endpoint.job_state,
        "kind": endpoint.kind,
        "instance_type": endpoint.machine,
        "instances": endpoint.most,
        "started": endpoint.started,
        "error": endpoint.error,
    }
    return {name: value for name, value in row.items() if value}


def _format_inference(inference: SdAwsInferenceBody) -> dict[str, Any]:
    row = {
        "id": inference.id,
        "state": inference.status,
        "task": inference.task_type,
        "started": inference.started,
        "completed": inference.completed,
    }
    return {name: value for name, value in row.items() if value}


def _shorten(value: Any) -> Any:
    """Parameters without megabytes."""
    match value:
        case dict():
            return {name: _shorten(item) for name, item in value.items()}  # pyright: ignore[reportUnknownVariableType]  # JSON
        case list():
            return [_shorten(item) for item in value]  # pyright: ignore[reportUnknownVariableType]  # JSON
        case str() if len(value) > MAX_TEXT_CHARS:
            return f"{value[:40]}... ({len(value)} characters)"
        case float() if value != value or value in (float("inf"), float("-inf")):
            return None
        case _:
            return value
