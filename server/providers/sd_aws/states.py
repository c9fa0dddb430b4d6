"""What the middleware says of its inferences, endpoints and trainings, as snapshots of tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.errors import UpstreamFailed
from atelier_mcp.server.images.exchange import OutputImage
from atelier_mcp.server.providers.base import TaskFailed, TaskPending, TaskRunning, TaskSnapshot, TaskSucceeded

if TYPE_CHECKING:
    from atelier_mcp.server.providers.http import UpstreamClient
    from atelier_mcp.server.providers.sd_aws.wire import SdAwsEndpointBody, SdAwsInferenceBody, SdAwsTrainingBody


def parse_inference(inference: SdAwsInferenceBody, client: UpstreamClient) -> TaskSnapshot:
    """An inference; one that has succeeded has links."""
    if inference.has_failed:
        reason = client.quote(inference.raw)
        return TaskFailed(UpstreamFailed(f"{client.service} could not finish the job. {reason}"))
    if not inference.is_done:
        return TaskPending() if inference.status == "created" else TaskRunning()
    if not inference.pictures:
        return TaskFailed(UpstreamFailed(f"{client.service} finished the job without a picture."))
    return TaskSucceeded(tuple(OutputImage(url=link) for link in inference.pictures))


def parse_endpoint(endpoint: SdAwsEndpointBody | None, client: UpstreamClient) -> TaskSnapshot:
    """A deployment that has not failed; None for one that is not listed."""
    if endpoint is None:
        return TaskFailed(UpstreamFailed(f"{client.service} does not list the endpoint any more: it was deleted."))
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


def parse_training(training: SdAwsTrainingBody | None, client: UpstreamClient) -> TaskSnapshot:
    """A training; None for one that is not listed."""
    if training is None:
        return TaskFailed(UpstreamFailed(f"{client.service} does not list the training any more."))
    if training.has_failed:
        return TaskFailed(UpstreamFailed(f"The training ended as {training.state}."))
    if training.is_done:
        remarks = "its file is in list_models, kind lora or checkpoint"
        return TaskSucceeded(data={"training": training.id, "name": training.name, "remarks": remarks})
    return TaskRunning(note=training.state.lower())
