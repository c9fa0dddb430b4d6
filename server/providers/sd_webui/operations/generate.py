"""Pictures from words, or from a picture and words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.images.finish_plan import Reframe
from atelier_mcp.server.providers.base import Plan
from atelier_mcp.server.providers.plan_defaults import build_uniform_rules, format_choices
from atelier_mcp.server.providers.sd_webui import generation_body
from atelier_mcp.server.providers.sd_webui.advanced import PLAIN_UNIT, SdWebuiOptions, get_options
from atelier_mcp.server.providers.sd_webui.control_types import plan_unit
from atelier_mcp.server.providers.sd_webui.generation_body import PROMPT_NOTATIONS
from atelier_mcp.server.providers.sd_webui.operation import SOURCE_RULE, SdWebuiDrawing, round_up
from atelier_mcp.server.providers.sd_webui.results import read_images
from atelier_mcp.server.requests.base import format_place
from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.requests.sizes import complete_size, parse_aspect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.finish_plan import Size
    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import ProgressCallback, TaskSucceeded
    from atelier_mcp.server.providers.sd_webui.server_facts import SdWebuiFacts
    from atelier_mcp.server.requests.prompt_notations import PromptNotation

DEFAULT_STEPS: Final = 25
DEFAULT_GUIDANCE: Final = 7.0
SMALL_SIDE_PX, LARGE_SIDE_PX = 512, 1024
LARGE_FAMILIES: Final = re.compile(r"xl|sd_?3|flux|pony|illustrious|noob|chroma|qwen", re.IGNORECASE)
"""In the names of checkpoints that were trained on pictures of a million pixels."""
DISTILLED_FAMILIES: Final = re.compile(r"flux|schnell", re.IGNORECASE)
"""In the names of those that want guidance 1 (contract: variants)."""
SECOND_PASS_FIELDS: Final = (
    "denoising_strength", "firstphase_width", "firstphase_height", "hr_scale", "hr_upscaler", "hr_second_pass_steps",
    "hr_resize_x", "hr_resize_y", "hr_checkpoint_name", "hr_sampler_name", "hr_scheduler", "hr_prompt",
    "hr_negative_prompt",
)  # fmt: skip
NAMED_OPTIONS: Final = {
    "sampler_name": "sampler", "scheduler": "scheduler", "vae": "vae", "hr_checkpoint_name": "checkpoint",
    "hr_sampler_name": "sampler", "hr_scheduler": "scheduler", "refiner_checkpoint": "checkpoint",
}  # fmt: skip
"""Inputs of ``advanced`` that name something of a list."""


@dataclass(frozen=True, slots=True)
class _Defaults:
    """What is taken for a checkpoint where the caller says nothing."""

    side_px: int
    guidance: float


class SdWebuiGeneration(SdWebuiDrawing[GenerateImage]):
    """``generate_image``."""

    request_type = GenerateImage
    prompt_notations: ClassVar[frozenset[PromptNotation]] = PROMPT_NOTATIONS

    async def plan(self, request: GenerateImage, headers: Mapping[str, ImageHeader]) -> Plan:
        """With names that are there, size, steps and guidance.

        Raises ``InvalidRequest`` for what this server cannot do or does not have.
        """
        facts, options = await self._account.probe.get(), get_options(request)
        _check_request(request, options)
        checkpoint = await self._account.find_checkpoint(request.model)
        defaults = _choose_defaults(checkpoint or facts.loaded_checkpoint)
        size = self._choose_size(request, headers.get("image"), defaults.side_px)
        changes: dict[str, Any] = {
            "model": checkpoint,
            "loras": tuple([await self._choose_lora(index, request) for index in range(len(request.loras))]),
            "advanced": await self._choose_options(request, options, facts),
            "width": size[0],
            "height": size[1],
            "aspect": None,
            "steps": request.steps or DEFAULT_STEPS,
            "guidance": request.guidance or defaults.guidance,
        }
        planned = request.model_copy(update=changes)
        # A second pass has sizes of its own: what comes out is then the server's to say.
        sent_size = size if options.enable_hr else round_up(size)
        return Plan(
            planned,
            build_uniform_rules(planned, SOURCE_RULE),
            (await self._account.describe_checkpoint(checkpoint), *_build_notes(request, planned)),
            sent_request=planned.model_copy(update={"width": sent_size[0], "height": sent_size[1]}),
            finish=None if sent_size == size else Reframe(size=size, canvas=sent_size, region=(0, 0, *size)),
            needs_seed=True,
        )

    async def draw(
        self, request: GenerateImage, images: Mapping[str, str], *, task_id: str, report: ProgressCallback
    ) -> TaskSucceeded:
        """One call for all samples."""
        facts = await self._account.probe.get()
        documents = await self._account.model_list.fetch_control_documents() if request.controls else {}
        body = generation_body.build_generation(request, images, facts, documents)
        path = generation_body.TEXT_PATH if request.image is None else generation_body.IMAGE_PATH
        answer = await self._account.call(path, body, task_id=task_id, report=report)
        return await read_images(self._account.session, body, answer, count=request.samples)

    def _choose_size(self, request: GenerateImage, source: ImageHeader | None, side_px: int) -> Size:
        """The caller's, else by the aspect or the source's ratio, with the checkpoint's side as the shorter one."""
        ratio = source.width / source.height if request.image is not None and source is not None else 1.0
        ratio = parse_aspect(request.aspect) if request.aspect else ratio
        max_side_px = self._account.settings.max_side_px
        if size := complete_size(request.width, request.height, ratio):
            if max(size) > max_side_px:
                raise InvalidRequest(
                    f"width, height: {size[0]}x{size[1]} is too large; at most {max_side_px} a side is drawn here.",
                    hint="Draw it smaller and enlarge it with upscale_image, or raise SD_WEBUI_MAX_SIDE.",
                )
            return size
        # Of a very long shape the short side gives way, so that the long one is still drawn.
        short_px = min(side_px, max_side_px / max(ratio, 1 / ratio))
        width, height = round_up((round(short_px * max(ratio, 1)), round(short_px * max(1 / ratio, 1))))
        return min(width, max_side_px), min(height, max_side_px)

    async def _choose_lora(self, index: int, request: GenerateImage) -> Any:
        lora = request.loras[index]
        place = format_place("loras", index, "model")
        return lora.model_copy(update={"model": await self._account.model_list.find("lora", lora.model, place=place)})

    async def _choose_options(
        self, request: GenerateImage, options: SdWebuiOptions, facts: SdWebuiFacts
    ) -> SdWebuiOptions | None:
        """What the caller said, by names that are there, with a model for each control."""
        model_list, changes = self._account.model_list, dict[str, Any]()
        for field, kind in NAMED_OPTIONS.items():
            if (name := getattr(options, field)) is not None:
                changes[field] = await model_list.find(kind, name, place=f"advanced.{field}")
        if options.hr_upscaler is not None:
            changes["hr_upscaler"] = await self._find_second_upscaler(options.hr_upscaler)
        if request.controls:
            if not facts.has_controlnet:
                raise InvalidRequest(f"controls: this {facts.title} has no ControlNet.", hint="Install its extension.")
            documents = await model_list.fetch_control_documents()
            units = [*options.control_units, *[PLAIN_UNIT] * len(request.controls)]
            changes["control_units"] = tuple(
                plan_unit(format_place("controls", index), control, unit, documents)
                for index, (control, unit) in enumerate(zip(request.controls, units, strict=False))
            )
        planned = options.model_copy(update=changes)
        return planned if changes or request.advanced is not None else None

    async def _find_second_upscaler(self, name: str) -> str:
        modes = [mode.id for mode in await self._account.model_list.fetch("latent_mode")]
        if name in modes:
            return name
        return await self._account.model_list.find("upscale", name, place="advanced.hr_upscaler")


def _check_request(request: GenerateImage, options: SdWebuiOptions) -> None:
    if len(options.control_units) > len(request.controls):
        raise InvalidRequest("advanced.control_units: there are more of them than controls.")
    if options.batch_size and request.samples % options.batch_size:
        raise InvalidRequest(f"advanced.batch_size: {options.batch_size} does not divide {request.samples} samples.")
    set_fields = [name for name in SECOND_PASS_FIELDS if getattr(options, name) is not None]
    # A field that would be ignored is a wish that is not granted.
    if request.image is not None and (options.enable_hr or set_fields):
        names = ", ".join(f"advanced.{name}" for name in (*["enable_hr"] * options.enable_hr, *set_fields))
        raise InvalidRequest(f"{names}: with a source picture there is no second pass.", hint="Leave it out.")
    if set_fields and not options.enable_hr:
        raise InvalidRequest(f"advanced.{set_fields[0]}: it is of the second pass.", hint="Set advanced.enable_hr.")
    source_fields = ("resize_mode", "image_cfg_scale", "initial_noise_multiplier")
    if request.image is None and (unused := [n for n in source_fields if getattr(options, n) is not None]):
        raise InvalidRequest(f"advanced.{unused[0]}: it needs a source picture in image.")


def _choose_defaults(checkpoint: str) -> _Defaults:
    side_px = LARGE_SIDE_PX if LARGE_FAMILIES.search(checkpoint) else SMALL_SIDE_PX
    return _Defaults(side_px, 1.0 if DISTILLED_FAMILIES.search(checkpoint) else DEFAULT_GUIDANCE)


def _build_notes(request: GenerateImage, planned: GenerateImage) -> tuple[str, ...]:
    choices = format_choices(request.model_copy(update={"model": planned.model}), planned)
    unheard = "a WebUI extends and translates no prompts" if request.enhance_prompt or request.translate_prompt else ""
    return tuple(note for note in (choices, unheard) if note)
