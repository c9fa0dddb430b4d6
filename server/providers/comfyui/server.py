"""One ComfyUI as its operations use it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.comfyui.families import find_family
from atelier_mcp.server.providers.comfyui.model_list import LOADERS

if TYPE_CHECKING:
    from atelier_mcp.server.providers.comfyui.node_list import NodeList
    from atelier_mcp.server.providers.comfyui.session import ComfyuiSession
    from atelier_mcp.server.providers.comfyui.submitting import PromptQueue
    from atelier_mcp.server.providers.comfyui.workflow_folder import WorkflowFolder

SAMPLER_NODE: Final = "KSampler"
DEFAULT_SAMPLER: Final = "euler"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComfyuiServer:
    """Its parts."""

    session: ComfyuiSession
    nodes: NodeList
    queue: PromptQueue
    workflows: WorkflowFolder
    default_checkpoint: str = ""

    @property
    def is_cloud(self) -> bool:
        """True where every job costs credits."""
        return self.session.is_cloud

    async def choose_file(self, kind: str, wanted: str, *, place: str) -> str:
        """A file of one of the kinds of ``LOADERS``; raises ``InvalidRequest`` that begins with ``place``."""
        return await self.nodes.choose(*LOADERS[kind], wanted, place=place, what=kind)

    async def choose_checkpoint(self, wanted: str | None) -> str:
        """The checkpoint that is asked for, else the operator's, else the first there is. Raises ``InvalidRequest``."""
        if wanted is not None:
            return await self.choose_file("checkpoint", wanted, place="model")
        if self.default_checkpoint:
            return await self.choose_file("checkpoint", self.default_checkpoint, place="COMFYUI_CHECKPOINT")
        for refresh in (False, True):
            if names := await self.nodes.list_choices(*LOADERS["checkpoint"], refresh=refresh):
                # One for inpainting draws nothing well from words.
                return next((name for name in names if "inpaint" not in name.lower()), names[0])
        raise InvalidRequest("ComfyUI has no checkpoint.", hint="Put one into its models/checkpoints.")

    async def choose_sampling(self, checkpoint: str, sampler: str | None, scheduler: str | None) -> tuple[str, str]:
        """Sampler and scheduler: those asked for, else the usual ones. Raises ``InvalidRequest``."""
        chosen: list[str] = []
        for field, input_name, wanted, usual in (
            ("advanced.sampler_name", "sampler_name", sampler, DEFAULT_SAMPLER),
            ("advanced.scheduler", "scheduler", scheduler, find_family(checkpoint).scheduler),
        ):
            if wanted is not None:
                what = input_name.partition("_")[0]
                chosen.append(await self.nodes.choose(SAMPLER_NODE, input_name, wanted, place=field, what=what))
            else:
                names = await self.nodes.list_choices(SAMPLER_NODE, input_name)
                chosen.append(usual if usual in names or not names else names[0])
        return chosen[0], chosen[1]

    async def check_nodes(self, *class_names: str) -> None:
        """Raise ``InvalidRequest`` where the server lacks nodes that a built-in workflow is made of."""
        if missing := await self.nodes.find_missing(class_names):
            raise InvalidRequest(
                f"This ComfyUI has no {', '.join(missing)}, which that needs.",
                hint="Update it, or use a workflow of your own.",
            )
