"""SenseTime's open image API, MHAPI: what it needs and what it can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from pydantic import Field, SecretStr

from atelier_mcp.server.providers.spec import OperationSpec, ProviderSettings, ProviderSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

_MARKED: Final = OperationSpec(
    puts_visible_mark=True,
    # (contract: enums.watermark_type)
    mark_hint='It cannot be left off; watermark="logo", taken though not listed, puts a logo there instead of words.',
)


class MhapiSettings(ProviderSettings):
    """One MHAPI account."""

    required_fields: ClassVar[tuple[str, ...]] = ("access_key", "secret_key")

    access_key: str = Field("", alias="MHAPI_ACCESS_KEY", description="MHAPI: access key")
    secret_key: SecretStr = Field(SecretStr(""), alias="MHAPI_SECRET_KEY", description="MHAPI: secret key")
    base_url: str = Field("https://mhapi.sensetime.com", alias="MHAPI_BASE_URL", description="MHAPI: base address")


def build_emulator_variables(base_url: str) -> Mapping[str, str]:
    """Point it at the built-in emulator, whose demo account this is."""
    return {
        "MHAPI_ACCESS_KEY": "atelier-demo-ak",
        "MHAPI_SECRET_KEY": "atelier-demo-sk-0123456789abcdef0123456789abcdef",
        "MHAPI_BASE_URL": f"{base_url}/mhapi",
    }


SPEC = ProviderSpec(
    name="mhapi",
    title="SenseTime MHAPI",
    rank=10,
    settings=MhapiSettings,
    operations={
        "generate_image": _MARKED,
        "inpaint_image": _MARKED,
        "erase_object": _MARKED,
        "cut_out_subject": OperationSpec(),
        "outpaint_image": _MARKED,
        "upscale_image": _MARKED,
        "stylize_image": _MARKED,
        "detect_faces": OperationSpec(),
        "swap_faces": _MARKED,
        "train_lora": OperationSpec(deadline_s=24 * 3600),
        "list_models": OperationSpec(),
    },
    factory="atelier_mcp.server.providers.mhapi.factory:create",
    emulator=build_emulator_variables,
)
