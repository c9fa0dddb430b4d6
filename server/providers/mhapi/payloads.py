"""Planned requests as MHAPI's calls: only the listed names are sent (contract: shared.unknown_params)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from typing import TYPE_CHECKING, Any, Protocol

from atelier_mcp.server.errors import ImageRefused, InvalidRequest
from atelier_mcp.server.providers.mhapi.edit_plans import MAX_BASE64_CHARS
from atelier_mcp.server.requests.base import format_place
from atelier_mcp.server.requests.create import ControlNetUnit, GenerateImage
from atelier_mcp.server.requests.edit import (
    CutOutSubject,
    EraseObject,
    InpaintImage,
    OutpaintImage,
    SegmentImage,
    StylizeImage,
    UpscaleImage,
)
from atelier_mcp.server.requests.faces import DetectFaces, SwapFaces
from atelier_mcp.server.requests.train import TrainLora

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.requests.base import Request

WATERMARKS = {"notice": "Default", "logo": "MakaLogo"}


@dataclass(frozen=True, slots=True)
class MhapiPayload:
    """One submit: where to, with what, and which kind of task comes of it."""

    path: str
    kind: str
    body: dict[str, Any]
    is_sync: bool = False
    """True when the answer holds the result itself."""


@singledispatch
def build_payload(request: Request, links: Mapping[str, str]) -> MhapiPayload:  # noqa: ARG001  # the handlers below read it
    """The payload for a planned request; ``links`` holds a link, or base64, by place in the request.

    Raises ``InvalidRequest`` for a capability that MHAPI does not have.
    """
    raise InvalidRequest(f"MHAPI cannot {request.capability.replace('_', ' ')}.")


@build_payload.register(GenerateImage)
def _(request: GenerateImage, links: Mapping[str, str]) -> MhapiPayload:
    body = {
        "model_id": request.model,
        "prompt": request.prompt,
        "neg_prompt": request.negative_prompt,
        "force_translation": request.translate_prompt or None,
        "add_prompt": request.enhance_prompt or None,
        "cfg_scale": request.guidance,
        "samples": request.samples,
        "width": request.width,
        "height": request.height,
        "seed": request.seed,
        "steps": request.steps,
        "img_url": links.get("image"),
        "image_strength": request.strength if request.image is not None else None,
        "controlnet_configs": [
            _build_control(control, _get_link(links, format_place("controls", i, "image")))
            for i, control in enumerate(request.controls)
        ]
        or None,
        "lora_configs": [{"model_id": lora.model, "merge_weight": lora.weight} for lora in request.loras] or None,
        **_build_output_options(request),
    }
    return MhapiPayload("/v1/imgenstd/imgen", "imgenstd", _drop_none(body))


@build_payload.register(InpaintImage)
def _(request: InpaintImage, links: Mapping[str, str]) -> MhapiPayload:
    body = {
        "model_id": request.model,
        **_build_image_and_mask(links),
        "samples": request.samples,
        "prompt": request.prompt,
        "neg_prompt": request.negative_prompt,
        "force_translation": request.translate_prompt or None,
        "add_prompt": request.enhance_prompt or None,
        "repaint_strength": request.strength,
        "cfg_scale": request.guidance,
        "seed": request.seed,
        "steps": request.steps,
        **_build_output_options(request),
    }
    return MhapiPayload("/v1/inpaint/imgen", "inpaint", _drop_none(body))


@build_payload.register(EraseObject)
def _(request: EraseObject, links: Mapping[str, str]) -> MhapiPayload:
    body = {
        "model_id": request.model,
        **_build_image_and_mask(links),
        "mask_type": request.mark,
        "samples": request.samples,
        **_build_output_options(request),
    }
    return MhapiPayload("/v1/erase/imgen", "erase", _drop_none(body))


@build_payload.register(CutOutSubject)
def _(request: CutOutSubject, links: Mapping[str, str]) -> MhapiPayload:
    body = {
        "model_id": request.model,
        **_build_image_and_mask(links),
        "mask_type": request.mark,
        **_build_output_options(request),
    }
    return MhapiPayload("/v1/erase/cutout", "erase", _drop_none(body))


@build_payload.register(SegmentImage)
def _(request: SegmentImage, links: Mapping[str, str]) -> MhapiPayload:
    """Neither hd_ratio nor a watermark belongs here (contract: split.imgen.hd_ratio, split.imgen.watermark)."""
    body = {"model_id": request.model, "img_url": _get_link(links, "image"), "format": request.format.upper()}
    return MhapiPayload("/v1/split/imgen", "split", _drop_none(body))


@build_payload.register(OutpaintImage)
def _(request: OutpaintImage, links: Mapping[str, str]) -> MhapiPayload:
    body = {
        "model_id": request.model,
        "img_url": _get_link(links, "image"),
        "samples": request.samples,
        "width": request.width,
        "height": request.height,
        **_build_output_options(request),
    }
    if request.x is not None or request.y is not None:
        free = {**body, "free_x": request.x or 0, "free_y": request.y or 0}
        return MhapiPayload("/v1/outpaint/imgen_free", "outpaint", _drop_none(free))
    same = {**body, "outpaint_ratio": request.ratio, "align_position": request.position}
    return MhapiPayload("/v1/outpaint/imgen", "outpaint", _drop_none(same))


@build_payload.register(UpscaleImage)
def _(request: UpscaleImage, links: Mapping[str, str]) -> MhapiPayload:
    body = {
        "model_id": request.model,
        "img_url": _get_link(links, "image"),
        "hd_ratio": request.ratio,
        **_build_output_options(request),
    }
    return MhapiPayload("/v1/sup_res/imgen", "sup_res", _drop_none(body))


@build_payload.register(StylizeImage)
def _(request: StylizeImage, links: Mapping[str, str]) -> MhapiPayload:
    """What went in as base64 comes back as base64: such a server may have no way to the vendor's files."""
    source = _get_link(links, "image")
    linked = source.startswith(("http://", "https://"))
    if not linked and len(source) > MAX_BASE64_CHARS:
        raise ImageRefused(f"image: too large to be sent inside the request ({MAX_BASE64_CHARS} characters of base64).")
    body = {
        "model_id": request.style,
        "img_url": source if linked else None,
        "img_base64": None if linked else source,
        "samples": request.samples,
        "width": request.width,
        "height": request.height,
        **_build_output_options(request),
    }
    if request.direct:
        sync = {**body, "get_type": "url" if linked else "base64"}
        return MhapiPayload("/v1/stylization/imgen_sync", "stylization", _drop_none(sync), is_sync=True)
    return MhapiPayload("/v1/stylization/imgen", "stylization" if linked else "stylization.base64", _drop_none(body))


@build_payload.register(DetectFaces)
def _(request: DetectFaces, links: Mapping[str, str]) -> MhapiPayload:
    return MhapiPayload("/v1/face/detect", "face.detect", {"img_url": _get_link(links, "image"), "type": request.style})


@build_payload.register(SwapFaces)
def _(request: SwapFaces, links: Mapping[str, str]) -> MhapiPayload:
    faces = [
        {
            "url": _get_link(links, format_place("faces", i, "image")),
            "index": face.index or 0,
            "base_index": face.target_index or 0,
        }
        for i, face in enumerate(request.faces)
    ]
    body = {
        "model_id": request.model,
        "base_img": {"url": _get_link(links, "image")},
        "faces": faces,
        "dino_scale": request.likeness,
        "guidance_scale": request.guidance,
        "prompt": request.prompt,
        **_build_output_options(request),
    }
    path = "/v1/face/imggen_sync" if request.direct else "/v1/face/imggen"
    return MhapiPayload(path, "face.imggen", _drop_none(body), is_sync=request.direct)


@build_payload.register(TrainLora)
def _(request: TrainLora, links: Mapping[str, str]) -> MhapiPayload:
    images = [_get_link(links, format_place("images", i)) for i in range(len(request.images))]
    body = {
        "base_model_id": request.base,
        "model_name": request.name,
        "description": request.description,
        "trigger_word": request.trigger,
        "main_object": request.subject.capitalize(),
        "task_type": request.queue.upper(),
        "images": list(dict.fromkeys(images)),
    }
    return MhapiPayload("/v1/lora/train", "lora", _drop_none(body))


def _build_control(control: ControlNetUnit, link: str) -> dict[str, Any]:
    body = {
        "type": control.type,
        "img_url": link,
        "weight": control.weight,
        "pre_processor": control.pre_processor,
        "guidance_start": control.start,
        "guidance_end": control.end,
        "canny_low_threshold": control.canny_low,
        "canny_high_threshold": control.canny_high,
        "tile_down_sample_rate": control.tile_rate,
    }
    return _drop_none(body)


def _build_image_and_mask(links: Mapping[str, str]) -> dict[str, Any]:
    return {"img_url": _get_link(links, "image"), "mask_img_url": _get_link(links, "mask")}


class _OutputOptions(Protocol):
    @property
    def format(self) -> str: ...

    @property
    def watermark(self) -> str: ...


def _build_output_options(request: _OutputOptions) -> dict[str, Any]:
    """File format and mark; both are always said, for what their absence means is open (contract: watermark_absent)."""
    return {"format": request.format.upper(), "watermark_config": {"type": WATERMARKS[request.watermark]}}


def _get_link(links: Mapping[str, str], place: str) -> str:
    if place not in links:
        raise InvalidRequest(f"{place}: a picture is needed.")
    return links[place]


def _drop_none(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}
