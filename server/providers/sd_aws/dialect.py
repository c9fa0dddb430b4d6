"""What every version of the middleware can be asked, in our words. Refusals are raised as ``AtelierError``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from atelier_mcp.server.providers.base import ProgressCallback
    from atelier_mcp.server.providers.rate_limit import RequestLimiter
    from atelier_mcp.server.providers.sd_aws.versions import MiddlewareVersion
    from atelier_mcp.server.providers.sd_aws.wire import (
        SdAwsBaseBody,
        SdAwsCheckpointBody,
        SdAwsDatasetBody,
        SdAwsDatasetItemBody,
        SdAwsEndpointBody,
        SdAwsInferenceBody,
        SdAwsRows,
        SdAwsTrainingBody,
    )
    from atelier_mcp.server.requests.aws import CreateTraining, CreateTrainingBase, DeployEndpoint


@dataclass(frozen=True, slots=True)
class InferencePayload:
    """An inference to be started."""

    endpoint: str
    """Empty to let the service choose one."""
    task_type: str
    models: Mapping[str, list[str]]
    parameters: Mapping[str, Any]
    real_time: bool = False


PartTag = dict[str, Any]
"""``ETag`` and ``PartNumber`` of one part, as the services want it."""


class Dialect(Protocol):
    """One version. A list is whole, whatever it takes to read it; what of it cannot be read is counted.

    What can start billing is ``start_inference``, ``deploy_endpoint`` and ``start_training``, and is sent once.
    """

    @property
    def version(self) -> MiddlewareVersion:
        """The version that is deployed."""
        ...

    def limit_by(self, rate_limit: RequestLimiter) -> Dialect:
        """The same deployment, asked at the pace of ``rate_limit`` instead of the account's own."""
        ...

    async def test_connection(self) -> str:
        """What the service says to a connection test."""
        ...

    async def start_inference(self, payload: InferencePayload, report: ProgressCallback) -> str:
        """Start an inference; its id. Raises ``SubmitUnconfirmed`` when the answer was lost."""
        ...

    async def get_inference(self, inference_id: str) -> SdAwsInferenceBody:
        """One inference, with links once it has succeeded."""
        ...

    async def list_inferences(self, limit: int) -> SdAwsRows[SdAwsInferenceBody]:
        """The latest inferences, newest first."""
        ...

    async def get_parameters(self, inference_id: str) -> Any:
        """What an inference was run with; None until the service has written that down."""
        ...

    async def list_endpoints(self) -> SdAwsRows[SdAwsEndpointBody]:
        """All endpoints."""
        ...

    async def deploy_endpoint(self, request: DeployEndpoint) -> SdAwsEndpointBody:
        """Begin a deployment. Raises ``SubmitUnconfirmed`` when the answer was lost."""
        ...

    async def get_deployment(self, job_id: str) -> SdAwsEndpointBody | None:
        """One deployment with why it failed."""
        ...

    async def delete_endpoints(self, names: Sequence[str]) -> None:
        """Take endpoints down."""
        ...

    async def list_checkpoints(
        self, kinds: Sequence[str] = (), states: Sequence[str] = ()
    ) -> SdAwsRows[SdAwsCheckpointBody]:
        """The deployment's files."""
        ...

    async def list_folder_files(self, kind: str) -> list[str]:
        """Files of a kind that lie in the fixed folders of old, where there are such."""
        ...

    async def begin_checkpoint(self, kind: str, name: str, part_count: int, description: str) -> tuple[str, list[str]]:
        """A new checkpoint's id and a signed link per part."""
        ...

    async def finish_checkpoint(self, checkpoint_id: str, name: str, tags: Sequence[PartTag]) -> None:
        """Put an uploaded checkpoint into use."""
        ...

    async def fetch_checkpoints(self, kind: str, links: Sequence[str], description: str) -> SdAwsCheckpointBody | None:
        """Have files fetched; the one checkpoint of them all, or None where each gets one of its own, unseen."""
        ...

    async def disable_checkpoint(self, checkpoint_id: str) -> None:
        """Take a checkpoint out of use."""
        ...

    async def list_bases(self, states: Sequence[str] = ()) -> SdAwsRows[SdAwsBaseBody]:
        """The training bases."""
        ...

    async def begin_base(self, request: CreateTrainingBase, name: str, part_count: int) -> tuple[str, list[str]]:
        """A new base's id and a signed link per part of its file."""
        ...

    async def finish_base(self, base_id: str, name: str, tags: Sequence[PartTag]) -> None:
        """Let the service make the base."""
        ...

    async def begin_dataset(self, name: str, files: Sequence[str]) -> dict[str, str]:
        """A new data set: a signed link per file."""
        ...

    async def finish_dataset(self, name: str) -> None:
        """Put a data set into use."""
        ...

    async def list_datasets(self, states: Sequence[str] = ()) -> SdAwsRows[SdAwsDatasetBody]:
        """The data sets."""
        ...

    async def list_dataset_items(self, name: str) -> SdAwsRows[SdAwsDatasetItemBody]:
        """The files of one."""
        ...

    async def create_training(self, request: CreateTraining) -> str:
        """A training that waits to be started; its id."""
        ...

    async def start_training(self, training_id: str) -> str:
        """Set it going; the id under which it is followed. Raises ``SubmitUnconfirmed`` when the answer was lost."""
        ...

    async def list_trainings(self, states: Sequence[str] = ()) -> SdAwsRows[SdAwsTrainingBody]:
        """The trainings."""
        ...

    async def find_trainings(self, ids: Collection[str]) -> dict[str, SdAwsTrainingBody | None]:
        """Trainings by id: None for one that the service has no more; what nothing is known of is left out."""
        ...

    async def merge_checkpoints(self, names: Sequence[str]) -> Mapping[str, Any]:
        """Merge checkpoints; what the service says."""
        ...

    async def get_storage_link(self, key: str) -> str:
        """A signed link for one file; empty where there is no such call."""
        ...
