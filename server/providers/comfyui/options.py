"""What ``generate_image`` takes in ``advanced`` for ComfyUI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from atelier_mcp.server.requests.base import RequestModel

if TYPE_CHECKING:
    from atelier_mcp.server.requests.create import GenerateImage


class ComfyuiOptions(RequestModel):
    """How the built-in workflows draw; a workflow of the user's own has its own ways."""

    sampler_name: str | None = Field(None, min_length=1, description="Sampler")
    scheduler: str | None = Field(None, min_length=1, description="Scheduler")
    vae: str | None = Field(None, min_length=1, description="VAE file (the checkpoint's own)")
    clip_skip: int | None = Field(None, ge=1, le=24, description="CLIP layer to stop at, from the end")
    first: bool = Field(False, description="Before all that wait in the queue")


def read_options(request: GenerateImage) -> ComfyuiOptions:
    """What the caller said that only ComfyUI understands."""
    return request.advanced if isinstance(request.advanced, ComfyuiOptions) else ComfyuiOptions.model_validate({})
