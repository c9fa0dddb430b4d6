"""SenseTime's Miaohua, API v1b: what it needs and what it can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, SecretStr

from atelier_mcp.server.providers.spec import OperationSpec, ProviderSettings, ProviderSpec

if TYPE_CHECKING:
    from collections.abc import Mapping


class MiaohuaSettings(ProviderSettings):
    """One Miaohua account."""

    required_fields: ClassVar[tuple[str, ...]] = ("email", "password")

    email: str = Field("", alias="MIAOHUA_EMAIL", description="Miaohua: e-mail of the account")
    password: SecretStr = Field(SecretStr(""), alias="MIAOHUA_PASSWORD", description="Miaohua: password of the account")
    base_url: str = Field(
        "https://miaohua.sensetime.com/api/v1b", alias="MIAOHUA_BASE_URL", description="Miaohua: base address"
    )
    sensitive_limit: float | None = Field(
        None,
        ge=0,
        le=1,
        alias="MIAOHUA_SENSITIVE_LIMIT",
        description="Miaohua: how strictly finished pictures are checked, 0 to 1 (default: the service's own way)",
    )


def build_emulator_variables(base_url: str) -> Mapping[str, str]:
    """Point it at the built-in emulator, whose demo account this is."""
    return {
        "MIAOHUA_EMAIL": "demo@atelier.example",
        "MIAOHUA_PASSWORD": "atelier-demo-password",
        "MIAOHUA_BASE_URL": f"{base_url}/miaohua/api/v1b",
    }


SPEC = ProviderSpec(
    name="miaohua",
    title="SenseTime Miaohua",
    rank=20,
    settings=MiaohuaSettings,
    operations={
        "generate_image": OperationSpec(),
        "outpaint_image": OperationSpec(),
        "describe_image": OperationSpec(),
        "train_lora": OperationSpec(deadline_s=24 * 3600, exclusive_fields={"dataset_ids": None}),
        "create_dataset": OperationSpec(),
        "list_datasets": OperationSpec(),
        "add_dataset_images": OperationSpec(),
        "remove_dataset_images": OperationSpec(),
        "list_models": OperationSpec(),
    },
    factory="atelier_mcp.server.providers.miaohua.factory:create",
    emulator=build_emulator_variables,
    hosts_images=True,
)
