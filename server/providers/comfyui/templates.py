"""The built-in workflows: what a request becomes where it names none (contract: workflow_templates).

Each picture of a job has a sampler of its own, so that picture n has the seed plus n: a batch would have one seed for
all. Every template ends with nodes that save, in the order of the pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.providers.comfyui.graph import FILE_INPUT, FOLDER, build_node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.images.finish_plan import Size
    from atelier_mcp.server.providers.comfyui.graph import Graph, Link, Node

SCALE_METHOD: Final = "lanczos"
LATENT_STEP_PX: Final = 8
"""A picture's sides in the model are eighths (contract: bounds.EmptyLatentImage)."""
CANNY_MAX: Final = 255
MAP_NODE: Final = "AIO_Preprocessor"
"""Of the extension comfyui_controlnet_aux, for all its kinds of maps (contract: nodes.aux)."""
FULL_DENOISE: Final = 1.0
GROW_MASK_PX: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What every template that draws has, with the server's own names of its files."""

    checkpoint: str
    prompt: str
    negative_prompt: str
    seed: int
    samples: int
    steps: int
    guidance: float
    sampler: str
    scheduler: str
    denoise: float = FULL_DENOISE
    vae: str | None = None
    clip_skip: int | None = None
    loras: Sequence[tuple[str, float]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlGuide:
    """A picture that guides, with its net's file.

    ``canny`` are thresholds where edges are drawn from it first, ``preprocessor`` names what else makes a map of it.
    """

    net: str
    image: str
    weight: float
    start: float
    end: float
    canny: tuple[int, int] | None = None
    preprocessor: str | None = None


def build_text_to_image(drawing: Drawing, size: Size, guides: Sequence[ControlGuide] = ()) -> Graph:
    """Pictures from words."""
    latent = build_node("EmptyLatentImage", width=size[0], height=size[1], batch_size=1)
    graph = _begin(drawing, guides, size) | {"latent": latent}
    return _finish(graph, drawing, _get_conditioning(len(guides)))


def build_image_to_image(drawing: Drawing, size: Size, source: str, guides: Sequence[ControlGuide] = ()) -> Graph:
    """Pictures from words and a picture, which fills ``size`` and is cropped where its shape is another."""
    graph = _begin(drawing, guides, size) | {
        "source": build_node("LoadImage", image=source),
        "scaled": _scale(["source", 0], size, crop="center"),
        "latent": build_node("VAEEncode", pixels=["scaled", 0], vae=_get_vae(drawing)),
    }
    return _finish(graph, drawing, _get_conditioning(len(guides)))


def build_inpainting(
    drawing: Drawing, size: Size, sent_size: Size, *, source: str, mask: str, is_inpaint_model: bool
) -> Graph:
    """A part of a picture of ``size`` drawn anew in ``sent_size``; around it the picture's own pixels are put back.

    ``mask`` is a picture of ``size``, white where it is drawn anew.
    """
    graph = _begin(drawing, (), sent_size) | {
        "source": build_node("LoadImage", image=source),
        "mask": build_node("LoadImageMask", image=mask, channel="red"),
        "scaled": _scale(["source", 0], sent_size),
    }
    if is_inpaint_model:
        # Such a checkpoint draws from nothing: what was there is hidden from it (contract: inpaint).
        vae, grow = _get_vae(drawing), GROW_MASK_PX
        graph["latent"] = build_node(
            "VAEEncodeForInpaint", pixels=["scaled", 0], vae=vae, mask=["mask", 0], grow_mask_by=grow
        )
    else:
        graph["encoded"] = build_node("VAEEncode", pixels=["scaled", 0], vae=_get_vae(drawing))
        graph["latent"] = build_node("SetLatentNoiseMask", samples=["encoded", 0], mask=["mask", 0])
    return _finish(graph, drawing, _get_conditioning(0), paste_size=size)


def build_upscaling(size: Size, *, source: str, model: str) -> Graph:
    """A picture enlarged by a model, and brought to ``size`` from whatever the model's factor made of it."""
    return {
        "source": build_node("LoadImage", image=source),
        "model": build_node("UpscaleModelLoader", model_name=model),
        "enlarged": build_node("ImageUpscaleWithModel", upscale_model=["model", 0], image=["source", 0]),
        "scaled": _scale(["enlarged", 0], size),
        "save": _save(["scaled", 0]),
    }


def _begin(drawing: Drawing, guides: Sequence[ControlGuide], size: Size) -> Graph:
    """From the checkpoint to the conditioning."""
    graph: Graph = {"checkpoint": build_node("CheckpointLoaderSimple", ckpt_name=drawing.checkpoint)}
    model: Link = ["checkpoint", 0]
    clip: Link = ["checkpoint", 1]
    for number, (name, weight) in enumerate(drawing.loras, 1):
        graph[f"lora_{number}"] = build_node(
            "LoraLoader", model=model, clip=clip, lora_name=name, strength_model=weight, strength_clip=weight
        )
        model, clip = [f"lora_{number}", 0], [f"lora_{number}", 1]
    if drawing.clip_skip is not None:
        graph["clip"] = build_node("CLIPSetLastLayer", clip=clip, stop_at_clip_layer=-drawing.clip_skip)
        clip = ["clip", 0]
    if drawing.vae is not None:
        graph["vae"] = build_node("VAELoader", vae_name=drawing.vae)
    graph["positive"] = build_node("CLIPTextEncode", clip=clip, text=drawing.prompt)
    graph["negative"] = build_node("CLIPTextEncode", clip=clip, text=drawing.negative_prompt)
    return graph | _build_guides(guides, size)


def _build_guides(guides: Sequence[ControlGuide], size: Size) -> Graph:
    graph: Graph = {}
    for number, guide in enumerate(guides, 1):
        image: Link = [f"guide_{number}_scaled", 0]
        graph[f"guide_{number}"] = build_node("LoadImage", image=guide.image)
        graph[image[0]] = _scale([f"guide_{number}", 0], size, crop="center")
        if guide.canny is not None:
            low, high = (threshold / CANNY_MAX for threshold in guide.canny)
            graph[f"guide_{number}_edges"] = build_node("Canny", image=image, low_threshold=low, high_threshold=high)
            image = [f"guide_{number}_edges", 0]
        if guide.preprocessor is not None:
            graph[f"guide_{number}_map"] = build_node(
                MAP_NODE, image=image, preprocessor=guide.preprocessor, resolution=min(size)
            )
            image = [f"guide_{number}_map", 0]
        graph[f"net_{number}"] = build_node("ControlNetLoader", control_net_name=guide.net)
        positive, negative = _get_conditioning(number - 1)
        graph[f"control_{number}"] = build_node(
            "ControlNetApplyAdvanced",
            positive=positive,
            negative=negative,
            control_net=[f"net_{number}", 0],
            image=image,
            strength=guide.weight,
            start_percent=guide.start,
            end_percent=guide.end,
        )
    return graph


def _get_conditioning(count: int) -> tuple[Link, Link]:
    """Prompt and negative prompt after ``count`` guides."""
    return ([f"control_{count}", 0], [f"control_{count}", 1]) if count else (["positive", 0], ["negative", 0])


def _finish(
    graph: Graph, drawing: Drawing, conditioning: tuple[Link, Link], *, paste_size: Size | None = None
) -> Graph:
    """From the latent to the files, once for each picture."""
    for number in range(1, drawing.samples + 1):
        sample, decoded, image = f"sample_{number}", f"decoded_{number}", [f"decoded_{number}", 0]
        graph[sample] = build_node(
            "KSampler",
            model=["checkpoint", 0] if not drawing.loras else [f"lora_{len(drawing.loras)}", 0],
            positive=conditioning[0],
            negative=conditioning[1],
            latent_image=["latent", 0],
            seed=drawing.seed + number - 1,
            steps=drawing.steps,
            cfg=drawing.guidance,
            sampler_name=drawing.sampler,
            scheduler=drawing.scheduler,
            denoise=drawing.denoise,
        )
        graph[decoded] = build_node("VAEDecode", samples=[sample, 0], vae=_get_vae(drawing))
        if paste_size is not None:
            graph |= _paste(number, image, paste_size)
            image = [f"pasted_{number}", 0]
        graph[f"save_{number}"] = _save(image)
    return graph


def _paste(number: int, image: Link, size: Size) -> Graph:
    """What was drawn under the mask, in the picture it was drawn for."""
    pasted = build_node(
        "ImageCompositeMasked",
        destination=["source", 0],
        source=[f"fitted_{number}", 0],
        x=0,
        y=0,
        resize_source=False,
        mask=["mask", 0],
    )
    return {f"fitted_{number}": _scale(image, size), f"pasted_{number}": pasted}


def _get_vae(drawing: Drawing) -> Link:
    return ["checkpoint", 2] if drawing.vae is None else ["vae", 0]


def _scale(image: Link, size: Size, *, crop: str = "disabled") -> Node:
    return build_node("ImageScale", image=image, upscale_method=SCALE_METHOD, width=size[0], height=size[1], crop=crop)


def _save(image: Link) -> Node:
    return build_node("SaveImage", images=image, **{FILE_INPUT: FOLDER})
