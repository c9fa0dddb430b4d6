"""``generate_image`` by a workflow of the user's own: the request's arguments go where its nodes say."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.base import Plan
from atelier_mcp.server.providers.comfyui.uploads import SOURCE_RULE
from atelier_mcp.server.providers.plan_defaults import build_uniform_rules, refuse_unsupported_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.providers.comfyui.graph import Graph
    from atelier_mcp.server.providers.comfyui.server import ComfyuiServer
    from atelier_mcp.server.providers.comfyui.uploads import UploadedImage
    from atelier_mcp.server.providers.comfyui.workflow import Workflow
    from atelier_mcp.server.requests.create import GenerateImage

_OWN_FIELDS: Final = frozenset({"prompt", "workflow", "workflow_inputs"})


class OwnWorkflows:
    """The workflows of the folder as the operation uses them."""

    def __init__(self, server: ComfyuiServer) -> None:
        """Draw at ``server``."""
        self._server = server

    async def plan(self, request: GenerateImage) -> Plan:
        """As it is: a workflow decides for itself what the caller leaves open.

        Raises ``InvalidRequest`` for an argument that it does not take, a picture that it needs, or a node that the
        server does not have.
        """
        if request.workflow is None:
            raise InvalidRequest("workflow_inputs: name the workflow that they are for.")
        workflow = await asyncio.to_thread(self._server.workflows.get, request.workflow)
        service = f"the workflow {workflow.name} (it takes {workflow.format_inputs()})"
        refuse_unsupported_fields(request, service=service, supported=_OWN_FIELDS | workflow.places.keys())
        if "image" in workflow.places and request.image is None:
            raise InvalidRequest(f"image: the workflow {workflow.name} begins with a picture.")
        if missing := await self._server.nodes.find_missing(workflow.class_names):
            raise InvalidRequest(f"workflow: {workflow.name} has nodes that this ComfyUI lacks: {', '.join(missing)}.")
        # Tried before anything is sent: a value of the wrong kind is refused here.
        workflow.fill_in({}, request.workflow_inputs or {})
        is_paid = await self.is_paid(request)
        notes = [
            f"workflow {workflow.name}",
            "" if "prompt" in workflow.places else "which takes no prompt",
        ]
        return Plan(
            request.model_copy(update={"workflow": workflow.name}),
            build_uniform_rules(request, SOURCE_RULE),
            (", ".join(note for note in notes if note),),
            image_count=None if is_paid else 0,
            needs_seed="seed" in workflow.places,
        )

    async def is_paid(self, request: GenerateImage) -> bool:
        """Whether one of its nodes, or the server, costs credits."""
        if request.workflow is None:
            return self._server.is_cloud
        workflow = await asyncio.to_thread(self._server.workflows.get, request.workflow)
        return self._server.is_cloud or await self._server.nodes.has_paid(workflow.class_names)

    def build_graph(self, request: GenerateImage, images: Mapping[str, UploadedImage]) -> Graph:
        """The workflow with the request's arguments in it."""
        workflow = self._server.workflows.get(request.workflow or "")
        return workflow.fill_in(_list_values(request, workflow, images), request.workflow_inputs or {})


def _list_values(request: GenerateImage, workflow: Workflow, images: Mapping[str, UploadedImage]) -> dict[str, Any]:
    """What goes into the workflow: what the caller said, and the seed; the rest stays as it is in the file."""
    said = request.model_fields_set | {"prompt", "seed"}
    values = {name: getattr(request, name) for name in workflow.places if name in said and name != "image"}
    values |= {place: image.name for place, image in images.items()}
    return {name: value for name, value in values.items() if value is not None}
