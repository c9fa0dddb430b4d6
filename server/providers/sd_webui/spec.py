"""A Stable Diffusion WebUI: what it needs and what it can do."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Final

from pydantic import Field, SecretStr

from atelier_mcp.server.providers.spec import OperationSpec, ProviderSettings, ProviderSpec

HOUR_S: Final = 3600.0


class SdWebuiSettings(ProviderSettings):
    """One WebUI."""

    required_fields: ClassVar[tuple[str, ...]] = ("url",)

    url: str = Field("", alias="SD_WEBUI_URL", description="Stable Diffusion WebUI: address, `http://127.0.0.1:7860`")
    user: str = Field("", alias="SD_WEBUI_USER", description="WebUI: user, where it was started with `--api-auth`")
    password: SecretStr = Field(SecretStr(""), alias="SD_WEBUI_PASSWORD", description="WebUI: password")
    checkpoint: str = Field("", alias="SD_WEBUI_CHECKPOINT", description="WebUI: checkpoint (default: the loaded one)")
    cut_out_model: str = Field("u2net", alias="SD_WEBUI_CUT_OUT_MODEL", description="WebUI: rembg's model")
    max_side_px: int = Field(
        2048, ge=512, le=8192, alias="SD_WEBUI_MAX_SIDE", description="WebUI: longest side that its card can draw"
    )
    timeout_s: float = Field(
        600.0, gt=0, alias="SD_WEBUI_TIMEOUT", description="WebUI: seconds that a call may take, its own queue included"
    )


# A job waits here for its turn, one call after the other, and a slow card takes minutes for a picture.
_JOB: Final = OperationSpec(deadline_s=12 * HOUR_S)

SPEC = ProviderSpec(
    name="sd_webui",
    title="Stable Diffusion WebUI",
    rank=60,
    settings=SdWebuiSettings,
    is_free=True,
    operations={
        "generate_image": OperationSpec(
            deadline_s=12 * HOUR_S,
            exclusive_fields={"advanced": "atelier_mcp.server.providers.sd_webui.advanced:SdWebuiOptions"},
        ),
        "inpaint_image": _JOB,
        "outpaint_image": _JOB,
        "upscale_image": _JOB,
        # SD.Next alone; what the others cannot is known only when the server is asked.
        "describe_image": replace(_JOB, exclusive_fields={"question": None}),
        "cut_out_subject": _JOB,
        "swap_faces": replace(_JOB, refused_fields=frozenset({"likeness", "prompt", "style"})),
        "list_models": OperationSpec(),
    },
    factory="atelier_mcp.server.providers.sd_webui.factory:create",
)
