"""What the middleware says of its inferences, endpoints and trainings, as snapshots of tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import UpstreamFailed
from atelier_mcp.server.images.exchange import OutputImage
from atelier_mcp.server.providers.base import (
    TaskFailed,
    TaskLost,
    TaskPending,
    TaskRunning,
    TaskSnapshot,
    TaskSucceeded,
)
from atelier_mcp.server.providers.sd_aws.failure_reasons import find_reason, has_worker_error

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from atelier_mcp.server.providers.http import UpstreamClient
    from atelier_mcp.server.providers.sd_aws.wire import (
        SdAwsCheckpointBody,
        SdAwsEndpointBody,
        SdAwsInferenceBody,
        SdAwsTrainingBody,
    )


def parse_inference(inference: SdAwsInferenceBody, client: UpstreamClient, *, image_count: int = 0) -> TaskSnapshot:
    """An inference; one that has succeeded has links, of which those past ``image_count`` are no pictures asked for.

    The state comes first: a success may keep what an earlier try left (contract: answered.sagemaker_raw). A Real-time
    one has no other state than created until it succeeds (contract: conventions.states.inference).
    """
    if inference.has_failed or (inference.is_created and has_worker_error(inference.raw)):
        reason = client.quote(find_reason(inference.raw))
        return TaskFailed(UpstreamFailed(f"{client.service} could not finish the job. {reason}"))
    if not inference.is_done:
        return TaskPending() if inference.is_created and not inference.started else TaskRunning()
    if not inference.images:
        return TaskLost(UpstreamFailed(f"{client.service} finished the job without a picture."))
    links = inference.images[: image_count or None]
    remarks = client.clean("; ".join(inference.remarks))
    return TaskSucceeded(tuple(OutputImage(url=link) for link in links), data={"remarks": remarks} if remarks else {})


def parse_endpoint(endpoint: SdAwsEndpointBody | None, client: UpstreamClient) -> TaskSnapshot:
    """A deployment that has not failed; None for one that is not listed."""
    if endpoint is None:
        return TaskLost(UpstreamFailed(f"{client.service} does not list the endpoint any more: it was deleted."))
    if endpoint.is_ready:
        return TaskSucceeded(data={"endpoint": endpoint.name, "state": endpoint.state})
    return TaskRunning(note=f"{endpoint.name} is {endpoint.state or 'being created'}")


def parse_failed_endpoint(reason: str, client: UpstreamClient) -> TaskFailed:
    """A deployment that has failed for this reason."""
    return TaskFailed(
        UpstreamFailed(
            f"The endpoint could not be deployed. {client.quote(reason)}",
            hint="Most often the AWS account's quota for the machine type is used up.",
        )
    )


def parse_fetch(
    names: Sequence[str], checkpoints: Sequence[SdAwsCheckpointBody], stored_names: Collection[str]
) -> TaskSnapshot:
    """Files that were to be fetched, when nothing more comes: which are stored, in which checkpoints, and which not."""
    stored = [name for name in names if name in stored_names]
    lost = [name for name in names if name not in stored_names]
    if not stored:
        return TaskFailed(
            UpstreamFailed(
                f"The service did not store {', '.join(lost)}.",
                hint="Check the links: each must lead to the file itself. aws_list_checkpoints may show an empty row.",
            )
        )
    ids = [checkpoint.id for checkpoint in checkpoints if set(checkpoint.names) & set(stored)]
    data: dict[str, Any] = {"checkpoint_id": ids[0], "checkpoint_ids": ids, "files": stored}
    if lost:
        data["remarks"] = f"not stored: {', '.join(lost)}; check these links"
    return TaskSucceeded(data=data)


def parse_training(
    training: SdAwsTrainingBody | None, client: UpstreamClient, *, files: Sequence[str] = ()
) -> TaskSnapshot:
    """A training, with the files it has left; None for one that the service has no more."""
    if training is None:
        return TaskLost(UpstreamFailed(f"{client.service} does not list the training any more."))
    if training.has_failed:
        reason = client.quote(training.reason) if training.reason else ""
        return TaskFailed(UpstreamFailed(f"The training ended as {training.state}. {reason}".strip()))
    if training.is_done:
        remarks = "list_models shows its file, kind lora or checkpoint" if files else "the service has no file of it"
        data = {"training": training.id, "name": training.name, "files": list(files), "remarks": remarks}
        return TaskSucceeded(data=data)
    return TaskRunning(note=training.state.lower())
