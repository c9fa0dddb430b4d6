"""What can be chosen by name: files of each kind, and the user's own workflows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.providers.base import ListedModel, ModelPage
from atelier_mcp.server.providers.comfyui.families import find_family
from atelier_mcp.server.providers.http_messages import HttpRequest

if TYPE_CHECKING:
    from atelier_mcp.server.providers.comfyui.node_list import NodeList
    from atelier_mcp.server.providers.comfyui.session import ComfyuiSession
    from atelier_mcp.server.providers.comfyui.workflow_folder import WorkflowFolder

LOADERS: Final = {
    "checkpoint": ("CheckpointLoaderSimple", "ckpt_name"),
    "lora": ("LoraLoader", "lora_name"),
    "controlnet": ("ControlNetLoader", "control_net_name"),
    "upscale": ("UpscaleModelLoader", "model_name"),
    "vae": ("VAELoader", "vae_name"),
}
"""By kind, the node that loads such a file and the input that lists them."""
EMBEDDING: Final = "embedding"
WORKFLOW: Final = "workflow"
MODEL_KINDS: Final = (*LOADERS, EMBEDDING, WORKFLOW)


class ComfyuiModelList:
    """The lists of one server, and the folder of workflows."""

    def __init__(self, session: ComfyuiSession, nodes: NodeList, workflows: WorkflowFolder) -> None:
        """Read through ``session`` and ``nodes``."""
        self._session = session
        self._nodes = nodes
        self._workflows = workflows

    async def list_page(self, kind: str, *, offset: int, limit: int) -> ModelPage:
        """A part of the models of one of ``MODEL_KINDS``."""
        models = await self._list_all(kind)
        return ModelPage(tuple(models[offset : offset + limit]), has_more=len(models) > offset + limit)

    async def _list_all(self, kind: str) -> list[ListedModel]:
        if kind == WORKFLOW:
            return await asyncio.to_thread(self._list_workflows)
        if kind == EMBEDDING:
            # No node has a list of them: they are named in the prompt.
            names = await self._session.send(HttpRequest("GET", "/models/embeddings"))
            return [ListedModel(str(name), kind, triggers=f"embedding:{name}") for name in names]
        names = await self._nodes.list_choices(*LOADERS[kind], refresh=True)
        return [ListedModel(name, kind, base=_find_base(kind, name)) for name in names]

    def _list_workflows(self) -> list[ListedModel]:
        workflows = [
            ListedModel(workflow.name, WORKFLOW, description=f"takes {workflow.format_inputs()}")
            for workflow in self._workflows.list_workflows()
        ]
        broken = [
            ListedModel(name, WORKFLOW, description=f"cannot be used: {why}")
            for name, why in self._workflows.list_broken()
        ]
        return [*workflows, *broken]


def _find_base(kind: str, name: str) -> str:
    """The family of a checkpoint, where its name tells one."""
    family = find_family(name).name if kind == "checkpoint" else ""
    return "" if family == "unknown" else family
