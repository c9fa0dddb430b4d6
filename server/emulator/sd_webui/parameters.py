"""What the bodies of a WebUI's calls may hold: types are checked, bounds are not (contract: txt2img, img2img).

Unknown names are ignored, and null is absent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.json_numbers import is_finite_number
from atelier_mcp.server.emulator.sd_webui.errors import build_field_error

if TYPE_CHECKING:
    from collections.abc import Mapping

_MESSAGES: Final = {
    "string": ("str type expected", "type_error.str"),
    "integer": ("value is not a valid integer", "type_error.integer"),
    "number": ("value is not a valid float", "type_error.float"),
    "boolean": ("value could not be parsed to a boolean", "type_error.bool"),
    "array": ("value is not a valid list", "type_error.list"),
    "object": ("value is not a valid dict", "type_error.dict"),
}
REQUIRED: Final = object()
"""In the place of a default."""


@dataclass(frozen=True, slots=True)
class WebuiField:
    """One field: its type in the contract's words, and what it is when nobody sends it."""

    kind: str
    default: Any = None

    def read(self, name: str, body: Mapping[str, Any]) -> Any:
        """The value in a body; raises WebuiHttpError."""
        value = body.get(name)
        if value is None:
            if self.default is REQUIRED:
                raise build_field_error([name], "field required", "value_error.missing")
            return self.default
        if not _is_of_kind(value, self.kind):
            raise build_field_error([name], *_MESSAGES[self.kind])
        return value


def read_fields(body: Mapping[str, Any], fields: Mapping[str, WebuiField]) -> dict[str, Any]:
    """Every field's value."""
    return {name: known.read(name, body) for name, known in fields.items()}


def _is_of_kind(value: Any, kind: str) -> bool:
    match kind:
        case "string":
            return isinstance(value, str)
        case "integer":
            return is_finite_number(value) and value == int(value)
        case "number":
            return is_finite_number(value)
        case "boolean":
            return isinstance(value, bool)
        case "array":
            return isinstance(value, list)
        case _:
            return isinstance(value, dict)


def _text(default: str | None = None) -> WebuiField:
    return WebuiField("string", default)


def _whole(default: int | None = None) -> WebuiField:
    return WebuiField("integer", default)


def _number(default: float | None = None) -> WebuiField:
    return WebuiField("number", default)


def _flag(default: bool | None = None) -> WebuiField:  # a default among defaults
    return WebuiField("boolean", default)


GENERATION_FIELDS: Final[dict[str, WebuiField]] = {
    "prompt": _text(""), "negative_prompt": _text(""), "styles": WebuiField("array"),
    "seed": _whole(-1), "subseed": _whole(-1), "subseed_strength": _number(0),
    "seed_resize_from_h": _whole(-1), "seed_resize_from_w": _whole(-1),
    "sampler_name": _text(), "sampler_index": _text("Euler"), "scheduler": _text(),
    "batch_size": _whole(1), "n_iter": _whole(1), "steps": _whole(50), "cfg_scale": _number(7.0),
    "width": _whole(512), "height": _whole(512), "restore_faces": _flag(), "tiling": _flag(),
    "eta": _number(), "s_min_uncond": _number(), "s_churn": _number(), "s_tmax": _number(), "s_tmin": _number(),
    "s_noise": _number(), "override_settings": WebuiField("object"),
    "override_settings_restore_afterwards": _flag(default=True),
    "refiner_checkpoint": _text(), "refiner_switch_at": _number(), "disable_extra_networks": _flag(default=False),
    "script_name": _text(), "script_args": WebuiField("array", ()), "send_images": _flag(default=True),
    "save_images": _flag(default=False), "alwayson_scripts": WebuiField("object"), "infotext": _text(),
    "force_task_id": _text(), "denoising_strength": _number(0.75),
}  # fmt: skip
TXT2IMG_FIELDS: Final = {
    **GENERATION_FIELDS,
    "enable_hr": _flag(default=False), "firstphase_width": _whole(0), "firstphase_height": _whole(0),
    "hr_scale": _number(2.0), "hr_upscaler": _text(), "hr_second_pass_steps": _whole(0), "hr_resize_x": _whole(0),
    "hr_resize_y": _whole(0), "hr_checkpoint_name": _text(), "hr_sampler_name": _text(), "hr_scheduler": _text(),
    "hr_prompt": _text(""), "hr_negative_prompt": _text(""),
}  # fmt: skip
IMG2IMG_FIELDS: Final = {
    **GENERATION_FIELDS,
    "init_images": WebuiField("array"), "resize_mode": _whole(0), "image_cfg_scale": _number(), "mask": _text(),
    "mask_blur": _whole(), "mask_blur_x": _whole(4), "mask_blur_y": _whole(4), "mask_round": _flag(default=True),
    "inpainting_fill": _whole(0), "inpaint_full_res": _flag(default=True), "inpaint_full_res_padding": _whole(0),
    "inpainting_mask_invert": _whole(0), "initial_noise_multiplier": _number(),
    "include_init_images": _flag(default=False),
}  # fmt: skip
SDNEXT_DEFAULTS: Final[dict[str, Any]] = {"steps": 20, "width": 1024, "height": 1024, "cfg_scale": 6.0}
"""What SD.Next takes where nothing is sent (variants)."""
EXTRAS_FIELDS: Final = {
    "resize_mode": _whole(0), "show_extras_results": _flag(default=True), "gfpgan_visibility": _number(0),
    "codeformer_visibility": _number(0), "codeformer_weight": _number(0), "upscaling_resize": _number(2),
    "upscaling_resize_w": _whole(512), "upscaling_resize_h": _whole(512), "upscaling_crop": _flag(default=True),
    "upscaler_1": _text("None"), "upscaler_2": _text("None"), "extras_upscaler_2_visibility": _number(0),
    "upscale_first": _flag(default=False),
}  # fmt: skip
REMBG_FIELDS: Final = {
    "input_image": WebuiField("string", ""), "model": _text("u2net"), "return_mask": _flag(default=False),
    "alpha_matting": _flag(default=False), "alpha_matting_foreground_threshold": _whole(240),
    "alpha_matting_background_threshold": _whole(10), "alpha_matting_erode_size": _whole(10),
}  # fmt: skip
REACTOR_FIELDS: Final = {
    "source_image": WebuiField("string", ""), "target_image": WebuiField("string", ""),
    "source_faces_index": WebuiField("array", (0,)), "face_index": WebuiField("array", (0,)),
    "upscaler": _text("None"), "scale": _number(1), "upscale_visibility": _number(1), "face_restorer": _text("None"),
    "restorer_visibility": _number(1), "codeformer_weight": _number(0.5), "restore_first": _whole(1),
    "model": _text("inswapper_128.onnx"), "gender_source": _whole(0), "gender_target": _whole(0),
    "save_to_file": _whole(0), "result_file_path": _text(""), "device": _text("CPU"), "mask_face": _whole(0),
    "select_source": _whole(0), "face_model": _text("None"), "source_folder": _text(""), "random_image": _whole(0),
    "upscale_force": _whole(0), "det_thresh": _number(0.5), "det_maxnum": _whole(0),
}  # fmt: skip
DETECT_FIELDS: Final = {
    "controlnet_module": _text("none"), "controlnet_input_images": WebuiField("array", ()),
    "controlnet_images": WebuiField("array", ()), "controlnet_masks": WebuiField("array", ()),
    "controlnet_processor_res": _whole(-1), "controlnet_threshold_a": _number(-1),
    "controlnet_threshold_b": _number(-1), "low_vram": _flag(default=False),
}  # fmt: skip
UNIT_FIELDS: Final = {
    "module": _text("none"), "model": _text("None"), "weight": _number(1), "resize_mode": _text("Crop and Resize"),
    "low_vram": _flag(default=False), "processor_res": _whole(-1), "threshold_a": _number(-1),
    "threshold_b": _number(-1), "guidance_start": _number(0), "guidance_end": _number(1),
    "pixel_perfect": _flag(default=False), "control_mode": _text("Balanced"),
    "save_detected_map": _flag(default=True), "hr_option": _text("Both"),
}  # fmt: skip
