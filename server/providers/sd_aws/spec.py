"""Stable Diffusion on AWS: what it needs and what it can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from pydantic import Field, SecretStr

from atelier_mcp.server.providers.spec import OperationSpec, ProviderSettings, ProviderSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

_HOUR_S: Final = 3600.0
_UPLOAD: Final = OperationSpec(deadline_s=7 * 24 * _HOUR_S, polls_from_start=True)
"""We send the files ourselves, a piece at every poll; the links for them work for seven days."""


class SdAwsSettings(ProviderSettings):
    """One deployment of the middleware."""

    required_fields: ClassVar[tuple[str, ...]] = ("url", "api_key")

    url: str = Field(
        "",
        alias="SD_AWS_URL",
        description="Stable Diffusion on AWS: address of the deployment's API, with its stage, such as `.../prod`",
    )
    api_key: SecretStr = Field(SecretStr(""), alias="SD_AWS_API_KEY", description="Stable Diffusion on AWS: API key")
    username: str = Field("api", alias="SD_AWS_USERNAME", description="Stable Diffusion on AWS: user to act as")
    endpoint: str = Field(
        "",
        alias="SD_AWS_ENDPOINT",
        description="Stable Diffusion on AWS: endpoint to use (default: the first in service)",
    )


def build_emulator_variables(base_url: str) -> Mapping[str, str]:
    """Point it at the built-in emulator, whose demo account this is."""
    return {"SD_AWS_URL": f"{base_url}/sd_aws/prod", "SD_AWS_API_KEY": "atelier-demo-api-key-0123456789abcdef"}


SPEC = ProviderSpec(
    name="sd_aws",
    title="Stable Diffusion on AWS",
    rank=40,
    settings=SdAwsSettings,
    operations={
        "generate_image": OperationSpec(
            exclusive_fields={"advanced": "atelier_mcp.server.requests.aws:AdvancedOptions"}
        ),
        "aws_deploy_endpoint": OperationSpec(deadline_s=2 * _HOUR_S),
        "aws_list_endpoints": OperationSpec(),
        "aws_delete_endpoints": OperationSpec(),
        "aws_list_inference_jobs": OperationSpec(),
        "aws_add_checkpoint": _UPLOAD,
        "aws_list_checkpoints": OperationSpec(),
        "aws_disable_checkpoint": OperationSpec(),
        "aws_create_training_base": _UPLOAD,
        "aws_list_training_bases": OperationSpec(),
        "aws_create_dataset": _UPLOAD,
        "aws_list_datasets": OperationSpec(),
        "aws_create_training": OperationSpec(deadline_s=24 * _HOUR_S),
        "aws_start_training": OperationSpec(deadline_s=24 * _HOUR_S),
        "aws_list_trainings": OperationSpec(),
        "aws_merge_models": OperationSpec(deadline_s=6 * _HOUR_S),
        "aws_test_connection": OperationSpec(),
        "list_models": OperationSpec(),
    },
    factory="atelier_mcp.server.providers.sd_aws.factory:create",
    emulator=build_emulator_variables,
)
