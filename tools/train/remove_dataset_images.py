"""Take pictures out of a data set."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.datasets import RemoveDatasetImages
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._answering import answered
from atelier_mcp.tools.train._datasets import ChangeResult


class Arguments(RemoveDatasetImages):
    """The flat arguments of ``remove_dataset_images``."""


@tool(toolset="train", read_only=False, destructive=True, idempotent=False)
async def remove_dataset_images(arguments: Arguments, studio: Studio) -> ChangeResult:
    """Take pictures out of a data set at the service; those in the library stay. Free."""
    return ChangeResult.model_validate(await answered(arguments, studio))
