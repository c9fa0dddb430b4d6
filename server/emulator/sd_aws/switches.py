"""Other readings of the contract of Stable Diffusion on AWS, for tests of clients that must bear both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class SdAwsSwitches:
    """Other readings of the contract of Stable Diffusion on AWS; the default is what its column "Emulator" says."""

    generation: Literal["2023", "2024", "both"] = "both"
    """Which generation is deployed; with both, who sends ``username`` is served the later one
    (appendix_generation_2.detection)."""
    two_step: bool = False
    """POST /inference/v2 only prepares, as deployed (inference_v2.one_step_or_two)."""
    documented_trainings: bool = False
    """Trainings are created on the documented path alone (create_training.wrong_path)."""
    wrapped_endpoints: bool = False
    """GET /endpoints answers with an object (list_endpoints.list_shape)."""
    null_reply: bool = False
    """POST /endpoints answers null, as printed (create_endpoint.null_reply)."""
    printed_uploads: bool = False
    """Upload data as printed, which for parts holds no links (create_checkpoint.presign_shape)."""
    mirror_status: bool = False
    """Failures carry their status as the HTTP status too (inference_v2.status_in_body)."""
    deploy_seconds: float | None = None
    """How long a deployment takes; as long as any task when absent
    (conventions.limits.endpoint_start_minutes)."""
