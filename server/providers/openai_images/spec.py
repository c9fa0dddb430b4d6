"""OpenAI-compatible endpoints: what each needs and what it can do."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from pydantic import Field, SecretStr, create_model

from atelier_mcp.server.providers.spec import OperationSpec, ProviderSettings, ProviderSpec

MAX_ENDPOINTS: Final = 4
_OPTIONS: Final = {"advanced": "atelier_mcp.server.providers.openai_images.advanced:OpenaiOptions"}
_DEADLINE_S: Final = 2 * 3600.0


class OpenaiSettings(ProviderSettings):
    """One endpoint. A server of one's own may need no key: its address alone configures it."""

    required_fields: ClassVar[tuple[str, ...]] = ("api_key",)
    alternative_fields: ClassVar[tuple[str, ...]] = ("base_url",)
    suffix: ClassVar[str] = ""
    """What the provider's name ends in: ``_2`` for the second endpoint."""

    api_key: SecretStr = Field(
        SecretStr(""),
        alias="OPENAI_API_KEY",
        description="OpenAI or a compatible service: API key; three further endpoints: all these with `_2`, `_3`, `_4`",
    )
    base_url: str = Field(
        "",
        alias="OPENAI_BASE_URL",
        description="OpenAI-compatible: base address (default: `https://api.openai.com/v1`)",
    )
    model: str = Field("", alias="OPENAI_IMAGE_MODEL", description="OpenAI-compatible: model, where a call names none")
    server: str = Field(
        "",
        alias="OPENAI_SERVER",
        description="OpenAI-compatible: which server answers there, e.g. `localai`, where its address does not tell",
    )


def _create_numbered_settings(number: int) -> type[OpenaiSettings]:
    """The same settings under variables that end in a number: ``OPENAI_BASE_URL_2``."""
    fields: dict[str, Any] = {
        name: (field.annotation, Field(field.default, alias=f"{field.alias}_{number}", description=field.description))
        for name, field in OpenaiSettings.model_fields.items()
    }
    settings = create_model(f"OpenaiSettings{number}", __base__=OpenaiSettings, **fields)
    settings.suffix = f"_{number}"
    return settings


def _create_spec(number: int) -> ProviderSpec:
    generation, inpainting = (
        OperationSpec(deadline_s=_DEADLINE_S, exclusive_fields=_OPTIONS, refused_fields=frozenset(refused))
        for refused in (("controls", "loras", "strength"), ("strength",))
    )
    return ProviderSpec(
        name="openai_images" if number == 1 else f"openai_images_{number}",
        title="OpenAI-compatible images" if number == 1 else f"OpenAI-compatible images {number}",
        rank=50,
        settings=OpenaiSettings if number == 1 else _create_numbered_settings(number),
        operations={"generate_image": generation, "inpaint_image": inpainting, "list_models": OperationSpec()},
        factory="atelier_mcp.server.providers.openai_images.factory:create",
        is_further=number > 1,
    )


SPECS = tuple(_create_spec(number) for number in range(1, MAX_ENDPOINTS + 1))
SPEC = SPECS[0]
