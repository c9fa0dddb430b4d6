"""What Stable Diffusion on AWS does: one class for each capability, by noun, each with its plan and its payload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.providers.sd_aws.operations.checkpoints import (
    CheckpointTarget,
    SdAwsCheckpointAddition,
    SdAwsCheckpointDisabling,
    SdAwsCheckpointListing,
    SdAwsModelMerge,
)
from atelier_mcp.server.providers.sd_aws.operations.connection import SdAwsConnectionTest
from atelier_mcp.server.providers.sd_aws.operations.datasets import (
    DatasetTarget,
    SdAwsDatasetCreation,
    SdAwsDatasetListing,
)
from atelier_mcp.server.providers.sd_aws.operations.endpoints import (
    SdAwsDeployment,
    SdAwsEndpointDeletion,
    SdAwsEndpointListing,
)
from atelier_mcp.server.providers.sd_aws.operations.generate import SdAwsGeneration
from atelier_mcp.server.providers.sd_aws.operations.inference_jobs import SdAwsInferenceListing
from atelier_mcp.server.providers.sd_aws.operations.training_bases import (
    BaseTarget,
    SdAwsBaseCreation,
    SdAwsBaseListing,
)
from atelier_mcp.server.providers.sd_aws.operations.trainings import (
    SdAwsTrainingCreation,
    SdAwsTrainingListing,
    SdAwsTrainingStart,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.providers.operation import Operation
    from atelier_mcp.server.providers.sd_aws.operation import SdAwsAccount
    from atelier_mcp.server.providers.sd_aws.uploads.target import UploadTarget

OPERATION_TYPES = (
    SdAwsGeneration,
    SdAwsDeployment,
    SdAwsEndpointListing,
    SdAwsEndpointDeletion,
    SdAwsInferenceListing,
    SdAwsCheckpointAddition,
    SdAwsCheckpointListing,
    SdAwsCheckpointDisabling,
    SdAwsModelMerge,
    SdAwsBaseCreation,
    SdAwsBaseListing,
    SdAwsDatasetCreation,
    SdAwsDatasetListing,
    SdAwsTrainingCreation,
    SdAwsTrainingStart,
    SdAwsTrainingListing,
    SdAwsConnectionTest,
)
UPLOAD_TARGETS: Mapping[str, UploadTarget] = {
    target.kind: target for target in (CheckpointTarget(), BaseTarget(), DatasetTarget())
}
"""What can be uploaded, by kind of task."""


def create_operations(account: SdAwsAccount) -> tuple[Operation[Any], ...]:
    """Every operation, for one account."""
    return tuple(operation_type(account) for operation_type in OPERATION_TYPES)
