"""Images drawn on an endpoint: what was left open is filled in, the rest becomes an inference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.images.exchange import DeliveryMethod, ImageRule
from atelier_mcp.server.images.finish_plan import Reframe
from atelier_mcp.server.providers.base import Plan, UpstreamTask
from atelier_mcp.server.providers.sd_aws import inference_parameters
from atelier_mcp.server.providers.sd_aws.controls import plan_unit
from atelier_mcp.server.providers.sd_aws.dialect import InferencePayload
from atelier_mcp.server.providers.sd_aws.inference_parameters import PLAIN_UNIT, get_advanced
from atelier_mcp.server.providers.sd_aws.model_list import REAL_TIME
from atelier_mcp.server.providers.sd_aws.operation import SdAwsJobOperation
from atelier_mcp.server.requests.base import format_place
from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.requests.sizes import complete_size, parse_aspect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.finish_plan import Size
    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import SubmitCall
    from atelier_mcp.server.requests.aws import AdvancedOptions
    from atelier_mcp.server.requests.create import Lora

INFERENCE: Final = "inference"
"""The kind of an inference's task; one that is guided has the number of its pictures added, for maps may follow."""
IMAGE_RULE = ImageRule(min_side_px=64, max_side_px=4096, max_bytes=8_000_000, deliveries=(DeliveryMethod.BASE64,))
"""Pictures travel inside the parameters (contract: inference_v2.img2img_input); no limit of theirs is printed."""
DEFAULT_SIDE_PX = 512
SIDE_STEP_PX = 8
DEFAULT_STEPS = 28
DEFAULT_GUIDANCE = 7.0
DEFAULT_SAMPLER = "Euler a"
MAX_SIDE_PX = 4096


class SdAwsGeneration(SdAwsJobOperation[GenerateImage]):
    """``generate_image``."""

    request_type = GenerateImage

    async def plan(self, request: GenerateImage, headers: Mapping[str, ImageHeader]) -> Plan:
        """With endpoint, files, size, steps and guidance.

        Raises ``InvalidRequest`` for what the deployment cannot do.
        """
        advanced = get_advanced(request)
        _check_request(request, advanced)
        # Names first: whoever named a file that is not here is not to deploy an endpoint for it.
        model = None if request.model is None else await self._find_checkpoint(request.model)
        loras = tuple([await self._choose_lora(index, lora) for index, lora in enumerate(request.loras)])
        endpoint = await self._account.model_list.choose_endpoint(
            advanced.endpoint or self._account.default_endpoint, real_time=advanced.real_time
        )
        real_time = endpoint.kind == REAL_TIME if endpoint else advanced.real_time
        width, height = size = _choose_size(request, headers.get("image"))
        changes: dict[str, Any] = {
            "advanced": advanced.model_copy(
                update={
                    "endpoint": endpoint.name if endpoint else None,
                    "real_time": real_time,
                    **await self._choose_files(request, advanced),
                }
            ),
            "model": model or await self._account.model_list.choose_default_checkpoint(),
            "loras": loras,
            "width": width,
            "height": height,
            "aspect": None,
            "steps": request.steps or DEFAULT_STEPS,
            "guidance": request.guidance or DEFAULT_GUIDANCE,
        }
        planned = request.model_copy(update=changes)
        image_rules = {place: IMAGE_RULE for place, _ in planned.list_image_references()}
        # A second pass has sizes of its own: what comes out is then the service's to say.
        sent_size = size if advanced.enable_hr else _round_up(size)
        return Plan(
            _add_sampler(planned),
            image_rules,
            _build_notes(request, planned),
            sent_request=planned.model_copy(update={"width": sent_size[0], "height": sent_size[1]}),
            finish=None if sent_size == size else Reframe(size=size, canvas=sent_size, region=(0, 0, *size)),
            has_unchecked_ids=not await self._can_check_ids(request),
            needs_seed=True,
        )

    async def submit(self, request: GenerateImage, images: Mapping[str, str], call: SubmitCall) -> UpstreamTask:
        """Start the inference; ``images`` maps each place to base64."""
        dialect = await self._account.get_dialect()
        inference_id = await dialect.start_inference(build_payload(request, images), call.report)
        # The poller sees only the task after a restart, so the count travels in its kind.
        return UpstreamTask(inference_id, f"{INFERENCE}.{request.samples}" if request.controls else INFERENCE)

    async def _can_check_ids(self, request: GenerateImage) -> bool:
        """False where a list that a name of the request is looked up in cannot be read."""
        kinds = ["checkpoint"] * (request.model is not None) + ["lora"] * bool(request.loras)
        return None not in [await self._account.model_list.try_fetch_files(kind) for kind in kinds]

    async def _find_checkpoint(self, name: str) -> str:
        return await self._account.model_list.find_file("checkpoint", name, place="model")

    async def _choose_lora(self, index: int, lora: Lora) -> Lora:
        file = await self._account.model_list.find_file("lora", lora.model, place=format_place("loras", index, "model"))
        return lora.model_copy(update={"model": file})

    async def _choose_files(self, request: GenerateImage, advanced: AdvancedOptions) -> dict[str, Any]:
        """The units of the controls with their files, and the other files of ``advanced`` by their full names."""
        model_list = self._account.model_list
        changes: dict[str, Any] = {}
        if request.controls:
            files = await model_list.try_fetch_files("controlnet")
            units = [*advanced.control_units, *[PLAIN_UNIT] * len(request.controls)]
            changes["control_units"] = tuple(
                plan_unit(format_place("controls", index), control, unit, files)
                for index, (control, unit) in enumerate(zip(request.controls, units, strict=False))
            )
        for field, kind in (("embeddings", "embedding"), ("hypernetworks", "hypernetwork")):
            names: tuple[str, ...] = getattr(advanced, field)
            found = [await model_list.find_file(kind, name, place=f"advanced.{field}") for name in names]
            if found:
                changes[field] = tuple(found)
        return changes


def parse_image_count(kind: str) -> int | None:
    """How many pictures an inference's task was to make, 0 where it does not matter; None for any other task.

    What a ControlNet detected comes after them as further pictures (contract: answered.detected_maps).
    """
    name, _, count = kind.partition(".")
    return int(count or 0) if name == INFERENCE else None


def build_payload(request: GenerateImage, images: Mapping[str, str]) -> InferencePayload:
    """The inference for a planned request; what was left open is left to the service."""
    advanced = get_advanced(request)
    parameters = inference_parameters.build_parameters(request, images)
    return InferencePayload(
        endpoint=advanced.endpoint or "",
        task_type=inference_parameters.get_task_type(request),
        models=inference_parameters.list_files(request),
        parameters={name: value for name, value in parameters.items() if value is not None},
        real_time=advanced.real_time,
    )


def _add_sampler(planned: GenerateImage) -> GenerateImage:
    """As it is written down: with the sampler that the service takes where none is sent."""
    advanced = get_advanced(planned)
    sampler = advanced.sampler_name or DEFAULT_SAMPLER
    return planned.model_copy(update={"advanced": advanced.model_copy(update={"sampler_name": sampler})})


def _check_request(request: GenerateImage, advanced: AdvancedOptions) -> None:
    if len(advanced.control_units) > len(request.controls):
        raise InvalidRequest("advanced.control_units: there are more of them than controls.")
    if advanced.batch_size and request.samples % advanced.batch_size:
        raise InvalidRequest(f"advanced.batch_size: {advanced.batch_size} does not divide {request.samples} samples.")
    # Both end up in the one field denoising_strength of img2img, and one would silently win.
    if request.image is not None and advanced.denoising_strength is not None:
        raise InvalidRequest("advanced.denoising_strength: with a source picture, give strength instead.")


def _choose_size(request: GenerateImage, source: ImageHeader | None) -> tuple[int, int]:
    """The caller's, else by the aspect or the source's ratio with 512 on the short side, else 512 x 512."""
    ratio = source.width / source.height if request.image is not None and source is not None else 1.0
    ratio = parse_aspect(request.aspect) if request.aspect else ratio
    if size := complete_size(request.width, request.height, ratio):
        return size
    return _round_side(DEFAULT_SIDE_PX * max(ratio, 1)), _round_side(DEFAULT_SIDE_PX * max(1 / ratio, 1))


def _round_up(size: Size) -> Size:
    """The next size in the service's steps."""
    width, height = (-(-side // SIDE_STEP_PX) * SIDE_STEP_PX for side in size)
    return width, height


def _round_side(pixels: float) -> int:
    return min(MAX_SIDE_PX, max(64, round(pixels / SIDE_STEP_PX) * SIDE_STEP_PX))


def _build_notes(request: GenerateImage, planned: GenerateImage) -> tuple[str, ...]:
    choices = [
        f"endpoint {get_advanced(planned).endpoint or 'of its own choice'}",
        f"model {planned.model}" if request.model != planned.model else "",
        f"{planned.steps} steps" if request.steps is None else "",
        f"guidance {planned.guidance:g}" if request.guidance is None else "",
        f"{planned.width}x{planned.height}"
        if (request.width, request.height) != (planned.width, planned.height)
        else "",
    ]
    notes = [
        ", ".join(part for part in choices if part),
        "Stable Diffusion on AWS extends and translates no prompts"
        if request.enhance_prompt or request.translate_prompt
        else "",
        "Stable Diffusion on AWS chooses the file format itself" if request.format == "png" else "",
        "Stable Diffusion on AWS puts no mark on pictures" if request.watermark == "logo" else "",
    ]
    return tuple(note for note in notes if note)
