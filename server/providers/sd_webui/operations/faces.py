"""Other faces in a picture, by the ReActor extension."""

from __future__ import annotations

import asyncio
import base64
import io
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.errors import InvalidRequest, Spent, UpstreamFailed
from atelier_mcp.server.images.exchange import OutputImage
from atelier_mcp.server.images.finish_plan import Reframe
from atelier_mcp.server.providers.base import Plan, TaskSucceeded
from atelier_mcp.server.providers.plan_defaults import build_uniform_rules, refuse_unsupported_fields
from atelier_mcp.server.providers.sd_webui.operation import SOURCE_RULE, SdWebuiOperation, get_size
from atelier_mcp.server.providers.sd_webui.wire import decode_base64_image
from atelier_mcp.server.requests.base import format_place
from atelier_mcp.server.requests.faces import SwapFaces

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import SubmitCall

SWAP_PATH: Final = "/reactor/image"
DEFAULT_MODEL: Final = "inswapper_128.onnx"
SUPPORTED_FIELDS: Final = frozenset({"image", "faces", "model", "direct"})


class SdWebuiFaceSwap(SdWebuiOperation[SwapFaces]):
    """``swap_faces``: one call for each face, since each has a picture of its own."""

    request_type = SwapFaces

    async def plan(self, request: SwapFaces, headers: Mapping[str, ImageHeader]) -> Plan:
        """With its model and every face's number. Raises ``InvalidRequest`` without the extension."""
        facts = await self._account.probe.get()
        if facts.swap_models is None:
            self._account.probe.forget()
            raise InvalidRequest(
                f"This {facts.title} has no ReActor extension, which swaps faces.",
                hint="Install sd-webui-reactor there and restart it.",
            )
        refuse_unsupported_fields(request, service="A WebUI's ReActor", supported=SUPPORTED_FIELDS)
        model = request.model or (DEFAULT_MODEL if DEFAULT_MODEL in facts.swap_models else (*facts.swap_models, "")[0])
        if request.model is not None:
            model = await self._account.model_list.find("face", request.model, place="model")
        faces = tuple(
            face.model_copy(update={"index": face.index or 0, "target_index": target})
            for face, target in zip(request.faces, request.assign_targets(), strict=True)
        )
        planned = request.model_copy(update={"model": model or DEFAULT_MODEL, "faces": faces})
        # Which order the faces have there is not promised (contract: reactor.indices).
        order = "faces are counted by the WebUI, mostly from the left" if len(faces) > 1 else ""
        return Plan(
            planned,
            build_uniform_rules(planned, SOURCE_RULE),
            (await self._account.describe_choice(planned.model), order),
            finish=Reframe(size=get_size(headers["image"])),
        )

    async def submit(
        self,
        request: SwapFaces,
        images: Mapping[str, str],
        call: SubmitCall,
    ) -> TaskSucceeded:
        """Face after face, each into what came of the one before."""
        target = images["image"]
        for index, face in enumerate(request.faces):
            call.report(index / len(request.faces), f"face {index + 1} of {len(request.faces)}")
            source = images[format_place("faces", index, "image")]
            target = await self._swap(request, source, target, face.index or 0, face.target_index or 0)
        return TaskSucceeded((OutputImage(data=base64.b64decode(target)),))

    async def _swap(self, request: SwapFaces, source: str, target: str, index: int, target_index: int) -> str:
        body: dict[str, Any] = {
            "source_image": source,
            "target_image": target,
            "source_faces_index": [index],
            "face_index": [target_index],
            "model": request.model,
            # Files are ours to keep, and none is left on the server.
            "save_to_file": 0,
        }
        answer = await self._account.session.submit(SWAP_PATH, body)
        if "image" not in answer:
            raise self._account.session.build_unreadable_error()
        data = decode_base64_image(answer["image"])
        # Without a face the target comes back as it was (contract: reactor.no_face).
        if data is None or await asyncio.to_thread(_has_same_pixels, data, base64.b64decode(target)):
            raise UpstreamFailed(
                f"The WebUI swapped nothing: it found no face {index} to take, or no face {target_index} to replace.",
                hint="Give the numbers of faces that are there, counted from 0.",
                spent=Spent.NOTHING,
            )
        return base64.b64encode(data).decode()


def _has_same_pixels(one: bytes, other: bytes) -> bool:
    from PIL import Image, ImageChops

    with Image.open(io.BytesIO(one)) as first, Image.open(io.BytesIO(other)) as second:
        if first.size != second.size:
            return False
        return ImageChops.difference(first.convert("RGB"), second.convert("RGB")).getbbox() is None
