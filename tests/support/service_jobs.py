"""Jobs at each of the services that the emulator plays, and the settings that lead there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from atelier_mcp.server.emulator.accounts import (
    DEMO_ACCESS_KEY,
    DEMO_API_KEY,
    DEMO_EMAIL,
    DEMO_PASSWORD,
    DEMO_SECRET_KEY,
)


@dataclass(frozen=True)
class ServiceJob:
    """A service, and one job at it."""

    name: str
    settings: dict[str, str]
    """``{base}`` is the emulator's address."""
    submit_path: str
    tool: str = "generate_image"
    arguments: dict[str, Any] = field(default_factory=lambda: {"prompt": "a red kite"})
    preparation: tuple[str, dict[str, Any]] | None = None


MIAOHUA = {
    "MIAOHUA_EMAIL": DEMO_EMAIL,
    "MIAOHUA_PASSWORD": DEMO_PASSWORD,
    "MIAOHUA_BASE_URL": "{base}/miaohua/api/v1b",
}
CARD_SERVICES = [
    ServiceJob(
        "mhapi",
        {
            "MHAPI_ACCESS_KEY": DEMO_ACCESS_KEY,
            "MHAPI_SECRET_KEY": DEMO_SECRET_KEY,
            "MHAPI_BASE_URL": "{base}/mhapi",
        },
        "/v1/imgenstd/imgen",
    ),
    ServiceJob(
        "miaohua",
        MIAOHUA,
        "/api/v1b/task_submit",
    ),
    ServiceJob(
        "sensenova",
        {
            "SENSENOVA_API_KEY": DEMO_API_KEY,
            "SENSENOVA_FUSION_URL": "{base}/sensenova",
            "SENSENOVA_CHAT_URL": "{base}/sensenova",
            # Its pictures are charged there.
            **MIAOHUA,
        },
        "/v1/fusion/chat-with-image",
        tool="chat_with_image",
        arguments={"messages": [{"role": "user", "content": "draw a red kite"}]},
    ),
    ServiceJob(
        "sd_aws",
        {"SD_AWS_URL": "{base}/sd_aws/prod", "SD_AWS_API_KEY": DEMO_API_KEY},
        "/prod/inferences/*/start",
        preparation=("aws_deploy_endpoint", {"instance_type": "ml.g5.2xlarge"}),
    ),
]
"""Those that are paid for a job and polled for it, or answer when it is done."""
OTHER_SERVICES = [
    ServiceJob(
        "openai_images",
        {"OPENAI_API_KEY": DEMO_API_KEY, "OPENAI_BASE_URL": "{base}/openai/v1", "OPENAI_SERVER": "openai"},
        "/v1/images/generations",
    ),
    ServiceJob("sd_webui", {"SD_WEBUI_URL": "{base}/sd_webui"}, "/sdapi/v1/txt2img"),
    ServiceJob("comfyui", {"COMFYUI_URL": "{base}/comfyui"}, "/prompt"),
]
"""Those that other people's programs serve."""
