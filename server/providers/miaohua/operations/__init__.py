"""What Miaohua does: one class for each capability, by family, each with its plan and its payload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.providers.miaohua.operations.datasets import (
    MiaohuaDatasetCreation,
    MiaohuaDatasetListing,
    MiaohuaImageAddition,
    MiaohuaImageRemoval,
)
from atelier_mcp.server.providers.miaohua.operations.describe import MiaohuaDescription
from atelier_mcp.server.providers.miaohua.operations.generate import MiaohuaGeneration
from atelier_mcp.server.providers.miaohua.operations.outpaint import MiaohuaOutpainting
from atelier_mcp.server.providers.miaohua.operations.train import MiaohuaTraining

if TYPE_CHECKING:
    from atelier_mcp.server.providers.miaohua.operation import MiaohuaAccount
    from atelier_mcp.server.providers.operation import Operation


def create_operations(account: MiaohuaAccount) -> tuple[Operation[Any], ...]:
    """Every operation, for one account."""
    return (
        MiaohuaGeneration(account),
        MiaohuaOutpainting(account),
        MiaohuaDescription(account),
        MiaohuaTraining(account),
        MiaohuaDatasetCreation(account),
        MiaohuaDatasetListing(account),
        MiaohuaImageAddition(account),
        MiaohuaImageRemoval(account),
    )
