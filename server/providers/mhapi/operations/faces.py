"""Finding faces in an image, and replacing them with others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.providers.base import Plan
from atelier_mcp.server.providers.mhapi.checks import (
    COORDINATE_RULE,
    IMAGE_RULE,
    NEARLY_ZERO,
    check_width,
    choose_service_model,
)
from atelier_mcp.server.providers.mhapi.operation import (
    MhapiOperation,
    MhapiPayload,
    build_output_options,
    get_link,
)
from atelier_mcp.server.providers.plan_defaults import build_uniform_rules
from atelier_mcp.server.requests.base import format_place
from atelier_mcp.server.requests.faces import DetectFaces, SwapFaces

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.probe import ImageHeader

DEFAULT_SWAP_MODELS = {"normal": "faceswap_v1", "anime": "faceswap_yw"}
"""The ids the contract names, by style of face (contract: enums.model_ids_named)."""
MAX_PROMPT_WIDTH = 1000


class MhapiFaceDetection(MhapiOperation[DetectFaces]):
    """``detect_faces``."""

    request_type = DetectFaces

    async def plan(self, request: DetectFaces, headers: Mapping[str, ImageHeader]) -> Plan:  # noqa: ARG002  # the base's signature
        """As it is; nothing is left open."""
        return Plan(request, {"image": COORDINATE_RULE})

    def build_payload(self, request: DetectFaces, links: Mapping[str, str]) -> MhapiPayload:
        """The image, and whether its faces are drawn or real."""
        body = {"img_url": get_link(links, "image"), "type": request.style}
        return MhapiPayload("/v1/face/detect", "face.detect", body)


class MhapiFaceSwap(MhapiOperation[SwapFaces]):
    """``swap_faces``."""

    request_type = SwapFaces

    async def plan(self, request: SwapFaces, headers: Mapping[str, ImageHeader]) -> Plan:  # noqa: ARG002  # the base's signature
        """With its model and every face's number."""
        check_width("prompt", request.prompt, MAX_PROMPT_WIDTH)
        default_id = DEFAULT_SWAP_MODELS[request.style]
        model, notes = await choose_service_model(self._model_list, "face", request.model, default_id=default_id)
        faces = tuple(
            face.model_copy(update={"index": face.index or 0, "target_index": target})
            for face, target in zip(request.faces, request.assign_targets(), strict=True)
        )
        likeness = NEARLY_ZERO if request.likeness == 0 else request.likeness
        planned = request.model_copy(update={"model": model, "faces": faces, "likeness": likeness})
        # which face replaces which costs money to get wrong: said unless the caller said it for all of them
        if any(face.target_index is None for face in request.faces):
            notes = (*notes, *(f"face {i} replaces face {face.target_index}" for i, face in enumerate(faces)))
        return Plan(planned, build_uniform_rules(planned, IMAGE_RULE), notes)

    def build_payload(self, request: SwapFaces, links: Mapping[str, str]) -> MhapiPayload:
        """Each new face with its number there and the number of the one it replaces."""
        faces = [
            {
                "url": get_link(links, format_place("faces", i, "image")),
                "index": face.index or 0,
                "base_index": face.target_index or 0,
            }
            for i, face in enumerate(request.faces)
        ]
        body = {
            "model_id": request.model,
            "base_img": {"url": get_link(links, "image")},
            "faces": faces,
            "dino_scale": request.likeness,
            "guidance_scale": request.guidance,
            "prompt": request.prompt,
            **build_output_options(request),
        }
        path = "/v1/face/imggen_sync" if request.direct else "/v1/face/imggen"
        return MhapiPayload(path, "face.imggen", body, is_sync=request.direct)
