"""``upscale_image``: by a model that enlarges, to exactly the size that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.base import Plan
from atelier_mcp.server.providers.comfyui import templates
from atelier_mcp.server.providers.comfyui.model_list import LOADERS
from atelier_mcp.server.providers.comfyui.operation import ComfyuiOperation
from atelier_mcp.server.providers.comfyui.uploads import SOURCE_RULE
from atelier_mcp.server.requests.edit import UpscaleImage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.comfyui.graph import Graph
    from atelier_mcp.server.providers.comfyui.uploads import UploadedImage

KIND: Final = "upscale"


class ComfyuiUpscaling(ComfyuiOperation[UpscaleImage]):
    """A picture enlarged."""

    request_type = UpscaleImage

    async def plan(self, request: UpscaleImage, headers: Mapping[str, ImageHeader]) -> Plan:  # noqa: ARG002  # any size
        """With its model."""
        await self._server.check_nodes("ImageUpscaleWithModel", "ImageScale")
        model = await self._choose_model(request.model)
        notes = (f"model {model}",) if request.model != model else ()
        return Plan(
            request.model_copy(update={"model": model}),
            {"image": SOURCE_RULE},
            notes,
            image_count=None if self._server.is_cloud else 0,
        )

    async def build_graph(self, request: UpscaleImage, images: Mapping[str, UploadedImage]) -> Graph:
        """The model's factor is its own: what it makes is brought to the ratio."""
        source = images["image"]
        width, height = (round(side * request.ratio) for side in source.size)
        return templates.build_upscaling((width, height), source=source.name, model=request.model or "")

    async def _choose_model(self, wanted: str | None) -> str:
        if wanted is not None:
            return await self._server.choose_file(KIND, wanted, place="model")
        for refresh in (False, True):
            if names := await self._server.nodes.list_choices(*LOADERS[KIND], refresh=refresh):
                return names[0]
        raise InvalidRequest(
            "ComfyUI has no model that enlarges pictures.", hint="Put one into its models/upscale_models."
        )
