"""The services as the table of faults drives them: one job at each, and how its requests are told apart."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from tests.faults.kinds import Step
from tests.support.stepped_server import Upstream

FILES: Final = r"^GET /files/"
S3_FILES: Final = r"^GET /sd_aws/s3/.*\.(png|jpg|jpeg)\b"


@dataclass(frozen=True, kw_only=True)
class FaultedService:
    """One service, and the requests by which a job is submitted, polled and fetched: patterns of ``METHOD /path``."""

    upstream: Upstream
    title: str
    submit: str
    poll: str = ""
    """Empty where the answer to the submit is the result."""
    download: str = FILES
    """Empty where the picture stands in the answer."""
    tool: str = "generate_image"
    settings: dict[str, str] = field(default_factory=dict[str, str])
    """Besides those that lead to it."""
    emulator_settings: dict[str, Any] = field(default_factory=dict[str, Any])

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """By which the table names what is different here."""
        return str(self.upstream)

    def get_pattern(self, step: Step) -> str:
        """The requests of a step; empty where the service has no such step."""
        return {Step.SUBMIT: self.submit, Step.POLL: self.poll, Step.DOWNLOAD: self.download}[step]

    def is_submit(self, line: str) -> bool:
        """Whether a request takes a job that costs something."""
        return re.search(self.submit, line) is not None

    def build_arguments(self, words: str) -> dict[str, Any]:
        """A call of its tool, another one for other words."""
        if self.tool == "chat_with_image":
            return {"messages": [{"role": "user", "content": f"draw {words}"}]}
        return {"prompt": words}


SERVICES: Final = (
    FaultedService(
        upstream=Upstream("mhapi"),
        title="MHAPI",
        submit=r"^POST /mhapi/v1/imgenstd/imgen$",
        poll=r"^GET /mhapi/v1/imgenstd/results?\b",
    ),
    FaultedService(
        upstream=Upstream("miaohua"),
        title="Miaohua",
        submit=r"/task_submit$",
        poll=r"/task_results?$",
    ),
    FaultedService(
        upstream=Upstream("sensenova"),
        title="SenseNova",
        submit=r"/chat-with-image$",
        tool="chat_with_image",
    ),
    FaultedService(
        upstream=Upstream("sd_aws", "1.3"),
        title="SD on AWS 1.3",
        download=S3_FILES,
        submit=r"^PUT /sd_aws/prod/inference/v2/[^/]+/run$",
        poll=r"/get-inference-job\?",
    ),
    FaultedService(
        upstream=Upstream("sd_aws", "1.7"),
        title="SD on AWS 1.7",
        download=S3_FILES,
        submit=r"^PUT /sd_aws/prod/inferences/[^/]+/start$",
        poll=r"^GET /sd_aws/prod/inferences/[^/]+$",
    ),
    FaultedService(
        upstream=Upstream("openai_images"),
        title="OpenAI",
        submit=r"^POST /openai/v1/images/generations$",
        download="",
    ),
    FaultedService(
        upstream=Upstream("openai_images", "whole answers"),
        title="OpenAI-compatible with links",
        submit=r"^POST /openai/v1/images/generations$",
        settings={"OPENAI_SERVER": "relay", "OPENAI_IMAGE_MODEL": "gpt-image-2.6-flare"},
        emulator_settings={"openai_images": {"returns_links": True}},
    ),
    FaultedService(
        upstream=Upstream("sd_webui"),
        title="SD WebUI",
        submit=r"^POST /sd_webui/sdapi/v1/txt2img$",
        download="",
    ),
    FaultedService(
        upstream=Upstream("comfyui"),
        title="ComfyUI",
        submit=r"^POST /comfyui/prompt$",
        poll=r"^GET /comfyui/(queue|history)\b",
        download=r"^GET /comfyui/view\b",
    ),
)
