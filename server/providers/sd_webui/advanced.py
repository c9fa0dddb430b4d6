"""What only a WebUI has of a picture: samplers, the second pass, and more of each control."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field, WithJsonSchema

from atelier_mcp.server.requests.base import RequestModel

if TYPE_CHECKING:
    from atelier_mcp.server.requests.create import GenerateImage

ResizeMode = Literal["Just Resize", "Crop and Resize", "Resize and Fill"]
ControlMode = Literal["Balanced", "My prompt is more important", "ControlNet is more important"]
OptionValue = str | int | float | bool


class SdWebuiUnitOptions(RequestModel):
    """What only a WebUI has of one entry of ``controls``, in the same order."""

    model: str | None = Field(None, min_length=1, description="ControlNet model; else by type")
    resize_mode: ResizeMode | None = Field(None, description="How the guide is fitted")
    control_mode: ControlMode | None = Field(None, description="Prompt against guide")
    processor_res: int | None = Field(None, ge=64, le=2048, description="Pre-processor's resolution")
    threshold_a: float | None = Field(None, ge=0, description="Its first slider")
    threshold_b: float | None = Field(None, ge=0, description="Its second slider")
    pixel_perfect: bool = Field(False, description="Choose its resolution")
    low_vram: bool = Field(False, description="Save memory")
    hr_option: Literal["Both", "Low res only", "High res only"] | None = Field(None, description="Which pass it guides")


SHORT_UNITS_SCHEMA: Final[dict[str, Any]] = {"type": "array", "items": {"type": "object"}}
"""What a unit may hold is named in the description: in full it would cost more words than most tools."""
UNITS_DESCRIPTION: Final = "More of each of controls, in order: " + ", ".join(SdWebuiUnitOptions.model_fields)


class SdWebuiOptions(RequestModel):
    """The inputs of a WebUI for which there is no common name."""

    sampler_name: str | None = Field(None, min_length=1, description="Sampler, from list_models")
    scheduler: str | None = Field(None, min_length=1, description="Scheduler, from list_models")
    batch_size: int | None = Field(None, ge=1, le=8, description="Pictures at once; divides samples (1)")
    vae: str | None = Field(None, min_length=1, description="VAE, from list_models")
    clip_skip: int | None = Field(None, ge=1, le=12, description="Layers of CLIP to stop at")
    control_units: Annotated[tuple[SdWebuiUnitOptions, ...], WithJsonSchema(SHORT_UNITS_SCHEMA)] = Field(
        (), max_length=3, description=UNITS_DESCRIPTION
    )
    enable_hr: bool = Field(False, description="Second pass at a higher resolution")
    denoising_strength: float | None = Field(None, ge=0, le=1, description="Of the second pass")
    firstphase_width: int | None = Field(None, ge=64, le=2048, description="First pass, pixels")
    firstphase_height: int | None = Field(None, ge=64, le=2048, description="First pass, pixels")
    hr_scale: float | None = Field(None, ge=1, le=4, description="Second pass scale (2)")
    hr_upscaler: str | None = Field(None, min_length=1, description="Its upscaler (Latent)")
    hr_second_pass_steps: int | None = Field(None, ge=0, le=150, description="Its steps (0: same)")
    hr_resize_x: int | None = Field(None, ge=64, le=8192, description="Its width, instead of a scale")
    hr_resize_y: int | None = Field(None, ge=64, le=8192, description="Its height")
    hr_checkpoint_name: str | None = Field(None, min_length=1, description="Its checkpoint")
    hr_sampler_name: str | None = Field(None, min_length=1, description="Its sampler")
    hr_scheduler: str | None = Field(None, min_length=1, description="Its scheduler")
    hr_prompt: str | None = Field(None, max_length=2000, description="Its prompt")
    hr_negative_prompt: str | None = Field(None, max_length=2000, description="Its negative prompt")
    refiner_checkpoint: str | None = Field(None, min_length=1, description="Takes over for the last steps")
    refiner_switch_at: float | None = Field(None, ge=0, le=1, description="From this share of them")
    resize_mode: ResizeMode | None = Field(None, description="How a source is fitted (Crop and Resize)")
    image_cfg_scale: float | None = Field(None, ge=0, le=10, description="Hold on the source, pix2pix models")
    initial_noise_multiplier: float | None = Field(None, ge=0, le=2, description="Noise on the source")
    styles: tuple[str, ...] = Field((), max_length=10, description="Stored prompt styles")
    subseed: int | None = Field(None, ge=0, le=4_294_967_295, description="Variation seed")
    subseed_strength: float | None = Field(None, ge=0, le=1, description="Variation strength")
    seed_resize_from_w: int | None = Field(None, ge=64, le=4096, description="Width the seed was used at")
    seed_resize_from_h: int | None = Field(None, ge=64, le=4096, description="Height the seed was used at")
    restore_faces: bool = Field(False, description="Restore faces")
    tiling: bool = Field(False, description="Tileable picture")
    eta: float | None = Field(None, ge=0, le=1, description="Sampler eta")
    s_min_uncond: float | None = Field(None, ge=0, le=15, description="Sampler parameter")
    s_churn: float | None = Field(None, ge=0, le=100, description="Sampler parameter")
    s_tmin: float | None = Field(None, ge=0, le=10, description="Sampler parameter")
    s_tmax: float | None = Field(None, ge=0, le=999, description="Sampler parameter")
    s_noise: float | None = Field(None, ge=0, le=2, description="Sampler parameter")
    distilled_cfg_scale: float | None = Field(None, ge=0, le=30, description="Forge: guidance of Flux (3.5)")
    override_settings: dict[str, OptionValue] = Field(
        default_factory=dict[str, OptionValue], description="Its settings for this picture"
    )
    override_settings_restore_afterwards: bool | None = Field(None, description="Put them back")
    save_images: bool = Field(False, description="Also keep files on its computer")


NO_OPTIONS: Final = SdWebuiOptions.model_validate({})
PLAIN_UNIT: Final = SdWebuiUnitOptions.model_validate({})


def get_options(request: GenerateImage) -> SdWebuiOptions:
    """What the caller said that only a WebUI understands."""
    return request.advanced if isinstance(request.advanced, SdWebuiOptions) else NO_OPTIONS
