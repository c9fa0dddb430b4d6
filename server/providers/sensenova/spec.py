"""SenseNova's conversations: what they need and what they can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, SecretStr

from atelier_mcp.server.providers.spec import OperationSpec, ProviderSettings, ProviderSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.providers.spec import SettingsProblem


class SensenovaSettings(ProviderSettings):
    """One SenseNova account."""

    required_fields: ClassVar[tuple[str, ...]] = ("api_key",)

    api_key: SecretStr = Field(SecretStr(""), alias="SENSENOVA_API_KEY", description="SenseNova: API key")
    miaohua_token: SecretStr = Field(
        SecretStr(""),
        alias="SENSENOVA_MIAOHUA_TOKEN",
        description="Miaohua token that pays for SenseNova's pictures (default: that of the Miaohua account)",
    )
    fusion_url: str = Field(
        "https://sensenova.sensetime.com",
        alias="SENSENOVA_FUSION_URL",
        description="SenseNova: base address, or endpoint, for `chat_with_image`",
    )
    chat_url: str = Field(
        "https://lm_experience.sensetime.com",
        alias="SENSENOVA_CHAT_URL",
        description="SenseNova: base address, or endpoint, for `chat`",
    )


def build_emulator_variables(base_url: str) -> Mapping[str, str]:
    """Point it at the built-in emulator, whose demo account this is."""
    return {
        "SENSENOVA_API_KEY": "atelier-demo-api-key-0123456789abcdef",
        "SENSENOVA_FUSION_URL": f"{base_url}/sensenova",
        "SENSENOVA_CHAT_URL": f"{base_url}/sensenova",
    }


def check_image_payment(settings_by_name: Mapping[str, ProviderSettings]) -> Sequence[SettingsProblem]:
    """SenseNova's images are drawn by Miaohua, and paid for with a token of an account there."""
    own, miaohua = settings_by_name["sensenova"], settings_by_name.get("miaohua")
    assert isinstance(own, SensenovaSettings)  # noqa: S101  # for the type checker
    if not own.api_key or own.miaohua_token or (miaohua is not None and miaohua.is_configured()):
        return ()
    message = "cannot be paid for: set SENSENOVA_MIAOHUA_TOKEN, or MIAOHUA_EMAIL and MIAOHUA_PASSWORD"
    return (("SenseNova's pictures", message),)


SPEC = ProviderSpec(
    name="sensenova",
    title="SenseNova",
    rank=30,
    settings=SensenovaSettings,
    operations={"chat_with_image": OperationSpec(), "chat": OperationSpec()},
    factory="atelier_mcp.server.providers.sensenova.factory:create",
    emulator=build_emulator_variables,
    check=check_image_payment,
)
