"""Make a data set to train on."""

from __future__ import annotations

from atelier.server.registry import tool
from atelier.server.requests.datasets import CreateDataset
from atelier.server.studio import Studio
from atelier.tools._answering import answered
from atelier.tools.train._datasets import ChangeResult


class Arguments(CreateDataset):
    """The flat arguments of ``create_dataset``."""


@tool(toolset="train", read_only=False, destructive=False, idempotent=False)
async def create_dataset(arguments: Arguments, studio: Studio) -> ChangeResult:
    """Upload pictures and make a data set of them at the service; its id then goes into train_lora. Free."""
    return ChangeResult.model_validate(await answered(arguments, studio))
