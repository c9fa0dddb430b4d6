"""The servers that speak the dialect, a row for each: where they differ from OpenAI (contract: dialects)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.providers.openai_images.size_rules import FreeSizes, ListedSizes, RatioSizes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.providers.openai_images.size_rules import SizeRule

EditStyle: TypeAlias = Literal["multipart", "json_images", "json_image_url", "same_endpoint", "none"]
SizeStyle: TypeAlias = Literal["wxh", "width_height", "image_size", "aspect_ratio"]
NegativeStyle: TypeAlias = Literal["", "field", "pipe", "tag"]
ImageStyle: TypeAlias = Literal["data_url", "base64"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerDialect:
    """One server's way of speaking; what is left as it is here, is OpenAI's."""

    id: str
    title: str
    hosts: tuple[str, ...] = ()
    """Ends of host names by which it is recognised."""
    port: int | None = None
    """The port by which it is recognised on this machine."""
    default_model: str = ""
    generations_path: str = "/images/generations"
    edit_style: EditStyle = "multipart"
    edits_path: str = "/images/edits"
    image_field: str = "image"
    images_field: str = "image[]"
    """The name for several pictures; with ``{n}`` in it, each after the first has a name of its own."""
    image_style: ImageStyle = "data_url"
    """How a picture stands in JSON."""
    takes_json_edits: bool = False
    """Edits may be JSON as well as forms, which lack one field (contract: edits.moderation)."""
    max_images: int = 16
    mask: Literal["alpha", "white", "none"] = "alpha"
    mask_field: str = "mask"
    mask_path: str = ""
    """Where edits with a mask go, where that is elsewhere."""
    size_style: SizeStyle = "wxh"
    sizes: SizeRule | None = None
    """None: as the model has it."""
    sizes_by_model: tuple[tuple[str, SizeRule | None], ...] = ()
    """By a part of the model's name; None: no size is sent."""
    n_field: str = "n"
    n_max: int = 10
    response_format: str = ""
    """What is sent as that; empty: nothing."""
    has_quality: bool = False
    has_background: bool = False
    output_formats: tuple[str, ...] = ()
    has_openai_options: bool = False
    """Complexity, fidelity, moderation, and the rules of OpenAI's own models."""
    seed_field: str = ""
    negative: NegativeStyle = ""
    steps_field: str = ""
    guidance_field: str = ""
    strict_prompt_field: str = ""
    """The switch that lets the service extend a prompt."""
    fixed_fields: tuple[tuple[str, Any], ...] = ()
    """Always sent."""
    streams: bool = False
    throttle_statuses: tuple[int, ...] = (429,)
    key_header: Literal["Authorization", "api-key"] = "Authorization"
    is_own_hardware: bool = False
    """It runs on a machine of the user's own, and costs nothing."""

    def find_sizes(self, model_id: str, model_sizes: SizeRule | None) -> SizeRule | None:
        """The sizes a model draws here; None where no size is sent."""
        for part, rule in self.sizes_by_model:
            if part in model_id:
                return rule
        return self.sizes or model_sizes or ANY_SIZES

    @property
    def takes_images(self) -> bool:
        """Whether it can start from a picture."""
        return self.edit_style != "none"


ANY_SIZES: Final = FreeSizes(multiple_of=8)
_GPT: Final[Mapping[str, Any]] = {
    "has_quality": True,
    "has_background": True,
    "output_formats": ("png", "jpeg", "webp"),
    "has_openai_options": True,
}
_DIFFUSION: Final[Mapping[str, Any]] = {
    "seed_field": "seed",
    "negative": "field",
    "steps_field": "num_inference_steps",
    "guidance_field": "guidance_scale",
}
_SILICONFLOW_QWEN: Final = ListedSizes(
    ((1328, 1328), (1664, 928), (928, 1664), (1472, 1140), (1140, 1472), (1584, 1056), (1056, 1584))
)
_SILICONFLOW_KOLORS: Final = ListedSizes(((1024, 1024), (960, 1280), (768, 1024), (720, 1440), (720, 1280)))
_U1_FAST: Final = ListedSizes(((2048, 2048), (2752, 1536), (1536, 2752), (2496, 1664), (1664, 2496)))
_U1: Final = FreeSizes(multiple_of=32, min_edge=512, max_edge=4096, max_aspect=3.0, default=(2048, 2048))
_U1_PRO: Final = FreeSizes(multiple_of=32, min_edge=512, max_edge=8192, max_aspect=5.0, default=(2048, 2048))
_XAI_RATIOS: Final = (
    "1:1", "3:4", "4:3", "9:16", "16:9", "2:3", "3:2", "9:19.5", "19.5:9", "9:20", "20:9", "1:2", "2:1", "21:9", "5:2",
)  # fmt: skip

SERVERS: Final = {
    server.id: server
    for server in (
        ServerDialect(
            id="openai",
            title="OpenAI",
            hosts=("api.openai.com",),
            default_model="gpt-image-2.6-flare",
            takes_json_edits=True,
            streams=True,
            **_GPT,
        ),
        ServerDialect(
            id="azure",
            title="Azure OpenAI",
            hosts=(".openai.azure.com", ".cognitiveservices.azure.com"),
            key_header="api-key",
            **_GPT,
        ),
        ServerDialect(
            id="sensenova_u1",
            title="SenseNova U1",
            hosts=("token.sensenova.cn",),
            default_model="sensenova-u1.5-lite",
            edit_style="json_images",
            max_images=5,
            mask="none",
            sizes=_U1,
            sizes_by_model=(("u1-pro", _U1_PRO), ("u1-fast", _U1_FAST)),
            n_max=1,
            response_format="b64_json",
            output_formats=("png", "jpeg", "webp"),
            strict_prompt_field="prompt_extend",
            fixed_fields=(("watermark", False),),
            throttle_statuses=(429, 403),
        ),
        ServerDialect(
            id="xai",
            title="xAI",
            hosts=("api.x.ai",),
            edit_style="json_image_url",
            images_field="images",
            max_images=3,
            mask="none",
            size_style="aspect_ratio",
            sizes=RatioSizes(_XAI_RATIOS, (("1k", 1024), ("1.5k", 1536), ("2k", 2048))),
            response_format="b64_json",
        ),
        ServerDialect(
            id="together",
            title="Together AI",
            hosts=("api.together.xyz", "api.together.ai"),
            edit_style="same_endpoint",
            image_field="image_url",
            max_images=1,
            mask="none",
            size_style="width_height",
            sizes=FreeSizes(multiple_of=16, min_edge=64, max_edge=2048),
            n_max=4,
            response_format="base64",
            seed_field="seed",
            negative="field",
            steps_field="steps",
            guidance_field="guidance",
        ),
        ServerDialect(
            id="deepinfra",
            title="DeepInfra",
            hosts=("api.deepinfra.com",),
            images_field="image",
            response_format="b64_json",
        ),
        ServerDialect(
            id="siliconflow",
            title="SiliconFlow",
            hosts=("api.siliconflow.cn", "api.siliconflow.com"),
            edit_style="same_endpoint",
            images_field="image{n}",
            max_images=3,
            mask="none",
            size_style="image_size",
            sizes_by_model=(
                ("Qwen-Image-Edit", None),
                ("Qwen-Image", _SILICONFLOW_QWEN),
                ("Kolors", _SILICONFLOW_KOLORS),
            ),
            n_field="batch_size",
            n_max=1,
            **_DIFFUSION,
        ),
        ServerDialect(
            id="ark",
            title="Volcengine Ark",
            hosts=(".volces.com", ".bytepluses.com"),
            edit_style="same_endpoint",
            images_field="image",
            max_images=10,
            mask="none",
            # Within what every version takes.
            sizes=FreeSizes(
                multiple_of=8,
                min_edge=256,
                max_edge=4096,
                min_pixels=3_686_400,
                max_pixels=4_624_220,
                max_aspect=16.0,
                default=(2048, 2048),
            ),
            n_max=1,
            response_format="b64_json",
            fixed_fields=(("watermark", False),),
        ),
        ServerDialect(
            id="zhipu",
            title="Zhipu",
            hosts=("open.bigmodel.cn", "api.z.ai"),
            edit_style="none",
            mask="none",
            sizes=FreeSizes(multiple_of=16, min_edge=512, max_edge=2048, max_pixels=2_097_152),
            sizes_by_model=(
                (
                    "glm-image",
                    FreeSizes(multiple_of=32, min_edge=1024, max_edge=2048, max_pixels=4_194_304, default=(1280, 1280)),
                ),
            ),
            n_max=1,
            fixed_fields=(("watermark_enabled", False),),
        ),
        ServerDialect(
            id="gemini",
            title="Gemini",
            hosts=("generativelanguage.googleapis.com",),
            edit_style="none",
            mask="none",
            sizes_by_model=(("", None),),
            n_max=1,
            response_format="b64_json",
        ),
        ServerDialect(
            id="openrouter",
            title="OpenRouter",
            hosts=("openrouter.ai",),
            generations_path="/images",
            edit_style="same_endpoint",
            image_field="input_references",
            images_field="input_references",
            mask="none",
            sizes_by_model=(("", None),),
            n_max=1,
        ),
        ServerDialect(
            id="localai",
            title="LocalAI",
            port=8080,
            edit_style="same_endpoint",
            image_field="file",
            images_field="ref_images",
            image_style="base64",
            mask="white",
            mask_path="/images/inpainting",
            sizes=FreeSizes(multiple_of=8, max_edge=2048, default=(512, 512)),
            response_format="b64_json",
            negative="pipe",
            steps_field="step",
            throttle_statuses=(),
            is_own_hardware=True,
        ),
        ServerDialect(id="litellm", title="LiteLLM", port=4000, **_GPT),
        ServerDialect(
            id="vllm_omni",
            title="vLLM-Omni",
            port=8000,
            images_field="image",
            mask="white",
            mask_field="mask_image",
            response_format="b64_json",
            throttle_statuses=(503,),
            is_own_hardware=True,
            **_DIFFUSION,
        ),
        ServerDialect(
            id="sglang",
            title="SGLang",
            port=30000,
            mask="none",
            response_format="b64_json",
            throttle_statuses=(503,),
            is_own_hardware=True,
            **_DIFFUSION,
        ),
        ServerDialect(
            id="sdcpp",
            title="stable-diffusion.cpp",
            port=1234,
            image_field="image[]",
            mask="white",
            output_formats=("png", "jpeg"),
            negative="tag",
            seed_field="tag",
            throttle_statuses=(),
            is_own_hardware=True,
        ),
        ServerDialect(id="relay", title="Relay", **_GPT),
    )
}
"""By the name that ``OPENAI_SERVER`` takes; ``relay`` is who is not recognised."""
_OTHER_APIS: Final = ("api.fireworks.ai", "api.stability.ai")


def find_server(base_url: str, name: str = "", *, suffix: str = "") -> ServerDialect:
    """The row called ``name``, else that of the address; ``suffix`` is that of the endpoint's settings.

    Raises ``ConfigurationError`` for a name there is not, and for services whose images API is another one.
    """
    if name:
        if name not in SERVERS:
            raise ConfigurationError(f"OPENAI_SERVER{suffix}: there is no {name!r}; there are {', '.join(SERVERS)}.")
        return SERVERS[name]
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if host in _OTHER_APIS:
        raise ConfigurationError(
            f"OPENAI_BASE_URL{suffix}: {host} draws by another API than OpenAI's.",
            hint="Put a LiteLLM proxy before it.",
        )
    for server in SERVERS.values():
        if any(host == end or host.endswith(end) for end in server.hosts):
            return server
    if host in ("localhost", "127.0.0.1", "::1"):
        return next((server for server in SERVERS.values() if server.port == parts.port), SERVERS["relay"])
    return SERVERS["relay"]
