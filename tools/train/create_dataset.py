"""Make a data set to train on."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.datasets import CreateDataset
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._answering import answered
from atelier_mcp.tools.train._datasets import ChangeResult


class Arguments(CreateDataset):
    """The flat arguments of ``create_dataset``."""


@tool(toolset="train", read_only=False, destructive=False, idempotent=False)
async def create_dataset(arguments: Arguments, studio: Studio) -> ChangeResult:
    """Upload pictures and make a data set of them at the service; its id then goes into train_lora. Free."""
    return ChangeResult.model_validate(await answered(arguments, studio))
