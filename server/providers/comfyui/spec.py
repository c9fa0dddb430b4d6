"""ComfyUI: where it is, and what can be asked of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from atelier_mcp.server.providers.spec import OperationSpec, ProviderSettings, ProviderSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.providers.spec import SettingsProblem

CLOUD_HOST: Final = "cloud.comfy.org"
DEADLINE_S: Final = 4 * 3600.0
"""A queue on one's own computer may be long, and its first job loads a checkpoint."""


class ComfyuiSettings(ProviderSettings):
    """One ComfyUI."""

    required_fields: ClassVar[tuple[str, ...]] = ("url",)

    url: str = Field(
        "",
        alias="COMFYUI_URL",
        description="ComfyUI: address, e.g. `http://127.0.0.1:8188`, or `https://cloud.comfy.org/api`",
    )
    api_key: SecretStr = Field(SecretStr(""), alias="COMFYUI_API_KEY", description="Comfy Cloud: API key")
    partner_key: SecretStr = Field(
        SecretStr(""), alias="COMFYUI_PARTNER_KEY", description="ComfyUI: key that pays for partner nodes in workflows"
    )
    checkpoint: str = Field(
        "", alias="COMFYUI_CHECKPOINT", description="ComfyUI: checkpoint where a call names none (default: its first)"
    )
    workflows: str = Field(
        "", alias="COMFYUI_WORKFLOWS", description="ComfyUI: folder of your own workflows, exported in API form"
    )


def is_free(settings: ComfyuiSettings) -> bool:
    """True for a server of the user's own; not for the cloud, nor with a key that pays for partners' nodes."""
    return not is_cloud(settings.url) and not settings.partner_key


def is_cloud(url: str) -> bool:
    """True for Comfy Cloud's address."""
    return urlsplit(url).hostname == CLOUD_HOST


def check_workflows(settings_by_name: Mapping[str, ProviderSettings]) -> Sequence[SettingsProblem]:
    """Each file of the folder that is no workflow."""
    settings = settings_by_name["comfyui"]
    assert isinstance(settings, ComfyuiSettings)  # noqa: S101  # for the type checker
    if not settings.workflows:
        return ()
    from atelier_mcp.server.providers.comfyui.workflow_folder import WorkflowFolder

    return [("ComfyUI's workflows", problem) for problem in WorkflowFolder(settings.workflows).list_problems()]


SPEC = ProviderSpec(
    name="comfyui",
    title="ComfyUI",
    rank=70,
    is_free=is_free,
    settings=ComfyuiSettings,
    operations={
        "generate_image": OperationSpec(
            deadline_s=DEADLINE_S,
            polls_from_start=True,
            exclusive_fields={
                "workflow": None,
                "workflow_inputs": None,
                "advanced": "atelier_mcp.server.providers.comfyui.options:ComfyuiOptions",
            },
        ),
        "inpaint_image": OperationSpec(deadline_s=DEADLINE_S, polls_from_start=True),
        "upscale_image": OperationSpec(deadline_s=DEADLINE_S, polls_from_start=True),
        "list_models": OperationSpec(),
    },
    factory="atelier_mcp.server.providers.comfyui.factory:create",
    check=check_workflows,
)
