"""What MHAPI does: one class for each capability, by family, each with its plan and its payload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.providers.mhapi.operations.cut_out import MhapiCutOut
from atelier_mcp.server.providers.mhapi.operations.erase import MhapiErasure
from atelier_mcp.server.providers.mhapi.operations.faces import MhapiFaceDetection, MhapiFaceSwap
from atelier_mcp.server.providers.mhapi.operations.generate import MhapiGeneration
from atelier_mcp.server.providers.mhapi.operations.inpaint import MhapiInpainting
from atelier_mcp.server.providers.mhapi.operations.outpaint import MhapiOutpainting
from atelier_mcp.server.providers.mhapi.operations.stylize import MhapiStylization
from atelier_mcp.server.providers.mhapi.operations.train import MhapiTraining
from atelier_mcp.server.providers.mhapi.operations.upscale import MhapiUpscaling

if TYPE_CHECKING:
    from atelier_mcp.server.providers.mhapi.model_list import MhapiModelList
    from atelier_mcp.server.providers.mhapi.operation import MhapiOperation
    from atelier_mcp.server.providers.mhapi.session import MhapiSession

OPERATION_TYPES: tuple[type[MhapiOperation[Any]], ...] = (
    MhapiGeneration,
    MhapiInpainting,
    MhapiErasure,
    MhapiCutOut,
    MhapiOutpainting,
    MhapiUpscaling,
    MhapiStylization,
    MhapiFaceDetection,
    MhapiFaceSwap,
    MhapiTraining,
)


def create_operations(session: MhapiSession, model_list: MhapiModelList) -> tuple[MhapiOperation[Any], ...]:
    """Every operation, for one account."""
    return tuple(operation_type(session, model_list) for operation_type in OPERATION_TYPES)
