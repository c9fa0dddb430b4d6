"""Add pictures to a data set."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.datasets import AddDatasetImages
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._answering import answered
from atelier_mcp.tools.train._datasets import ChangeResult


class Arguments(AddDatasetImages):
    """The flat arguments of ``add_dataset_images``."""


@tool(toolset="train", read_only=False, destructive=False, idempotent=True)
async def add_dataset_images(arguments: Arguments, studio: Studio) -> ChangeResult:
    """Upload pictures and add them to a data set. Free."""
    return ChangeResult.model_validate(await answered(arguments, studio))
