"""Add pictures to a data set."""

from __future__ import annotations

from atelier.server.registry import tool
from atelier.server.requests.datasets import AddDatasetImages
from atelier.server.studio import Studio
from atelier.tools._answering import answered
from atelier.tools.train._datasets import ChangeResult


class Arguments(AddDatasetImages):
    """The flat arguments of ``add_dataset_images``."""


@tool(toolset="train", read_only=False, destructive=False, idempotent=True)
async def add_dataset_images(arguments: Arguments, studio: Studio) -> ChangeResult:
    """Upload pictures and add them to a data set. Free."""
    return ChangeResult.model_validate(await answered(arguments, studio))
