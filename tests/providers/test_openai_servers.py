"""Every server of the dialect: how it is recognised, and what it is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.errors import ConfigurationError, InvalidRequest
from atelier_mcp.server.providers.openai_images.advanced import OpenaiOptions
from atelier_mcp.server.providers.openai_images.servers import SERVERS, find_server
from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.requests.edit import InpaintImage
from atelier_mcp.server.testing import provider_calls
from tests.support.openai_script import HEADER, IMAGE, create_provider, read_form
from tests.support.upstream_script import SentRequest, UpstreamScript, build_response

if TYPE_CHECKING:
    from atelier_mcp.server.requests.base import Request
    from tests.support.clock import AutoAdvanceClock

DRAWN = build_response({"data": [{"b64_json": "aW1hZ2U="}]})
MODELS = build_response({"data": [{"id": "some-image-model"}, {"id": "words-1"}]})
DATA_URL = f"data:image/png;base64,{IMAGE}"
ADDRESSES = {
    "openai": "https://api.openai.com/v1",
    "azure": "https://resource.openai.azure.com/openai/v1",
    "sensenova_u1": "https://token.sensenova.cn/v1",
    "xai": "https://api.x.ai/v1",
    "together": "https://api.together.xyz/v1",
    "deepinfra": "https://api.deepinfra.com/v1/openai",
    "siliconflow": "https://api.siliconflow.cn/v1",
    "ark": "https://ark.cn-beijing.volces.com/api/v3",
    "zhipu": "https://open.bigmodel.cn/api/paas/v4",
    "gemini": "https://generativelanguage.googleapis.com/v1beta/openai",
    "openrouter": "https://openrouter.ai/api/v1",
    "localai": "http://localhost:8080/v1",
    "litellm": "http://localhost:4000/v1",
    "vllm_omni": "http://localhost:8000/v1",
    "sglang": "http://localhost:30000/v1",
    "sdcpp": "http://127.0.0.1:1234/v1",
    "relay": "https://relay.example.com/v1",
}
WISH = {"prompt": "a kite", "width": 1024, "height": 1024}
SENT: dict[str, tuple[str, dict[str, Any]]] = {
    "openai": ("/images/generations", {"size": "1024x1024", "stream": True, "partial_images": 0}),
    "azure": ("/images/generations", {"size": "1024x1024"}),
    "sensenova_u1": (
        "/images/generations",
        {"size": "1024x1024", "response_format": "b64_json", "watermark": False, "prompt_extend": False},
    ),
    "xai": ("/images/generations", {"aspect_ratio": "1:1", "resolution": "1k", "response_format": "b64_json"}),
    "together": ("/images/generations", {"width": 1024, "height": 1024, "response_format": "base64", "seed": 7}),
    "deepinfra": ("/images/generations", {"size": "1024x1024", "response_format": "b64_json"}),
    "siliconflow": ("/images/generations", {"image_size": "1024x1024", "seed": 7}),
    "ark": ("/images/generations", {"size": "1920x1920", "response_format": "b64_json", "watermark": False}),
    "zhipu": ("/images/generations", {"size": "1024x1024", "watermark_enabled": False}),
    "gemini": ("/images/generations", {"response_format": "b64_json"}),
    "openrouter": ("/images", {}),
    "localai": ("/images/generations", {"size": "1024x1024", "response_format": "b64_json"}),
    "litellm": ("/images/generations", {"size": "1024x1024"}),
    "vllm_omni": ("/images/generations", {"size": "1024x1024", "response_format": "b64_json", "seed": 7}),
    "sglang": ("/images/generations", {"size": "1024x1024", "response_format": "b64_json", "seed": 7}),
    "sdcpp": ("/images/generations", {"size": "1024x1024"}),
    "relay": ("/images/generations", {"size": "1024x1024"}),
}
"""Path and fields beside model and prompt, of a PNG of 1024x1024; with seed 7 where there are seeds."""
EDITS: dict[str, tuple[str, Any]] = {
    "openai": ("/images/edits", ["image[]", "image[]"]),
    "azure": ("/images/edits", ["image[]", "image[]"]),
    "sensenova_u1": ("/images/edits", {"images": [{"image_url": DATA_URL}] * 2}),
    "xai": ("/images/edits", {"images": [{"url": DATA_URL, "type": "image_url"}] * 2}),
    "deepinfra": ("/images/edits", ["image", "image"]),
    "siliconflow": ("/images/generations", {"image": DATA_URL, "image2": DATA_URL}),
    "ark": ("/images/generations", {"image": [DATA_URL, DATA_URL]}),
    "openrouter": ("/images", {"input_references": [{"type": "image_url", "image_url": {"url": DATA_URL}}] * 2}),
    "localai": ("/images/generations", {"ref_images": [IMAGE, IMAGE]}),
    "litellm": ("/images/edits", ["image[]", "image[]"]),
    "vllm_omni": ("/images/edits", ["image", "image"]),
    "sglang": ("/images/edits", ["image[]", "image[]"]),
    "sdcpp": ("/images/edits", ["image[]", "image[]"]),
    "relay": ("/images/edits", ["image[]", "image[]"]),
}
"""Path, and how two pictures stand there: names of form parts, or fields of a JSON body."""
SINGLE_EDITS: dict[str, Any] = {
    "openai": ["image"],
    "xai": {"image": {"url": DATA_URL, "type": "image_url"}},
    "together": {"image_url": DATA_URL},
    "siliconflow": {"image": DATA_URL},
    "ark": {"image": DATA_URL},
    "localai": {"file": IMAGE},
    "sdcpp": ["image[]"],
}
MASKS: dict[str, tuple[str, list[str]]] = {
    "openai": ("/images/edits", ["image", "mask"]),
    "azure": ("/images/edits", ["image", "mask"]),
    "deepinfra": ("/images/edits", ["image", "mask"]),
    "localai": ("/images/inpainting", ["file", "mask"]),
    "litellm": ("/images/edits", ["image", "mask"]),
    "vllm_omni": ("/images/edits", ["image", "mask_image"]),
    "sdcpp": ("/images/edits", ["image[]", "mask"]),
    "relay": ("/images/edits", ["image", "mask"]),
}


def list_files(sent: SentRequest) -> list[str]:
    return read_form(sent)[1]


async def send(server: str, request: Request, clock: AutoAdvanceClock, images: dict[str, str]) -> SentRequest:
    """What a server is sent for a request, planned before."""
    script = UpstreamScript()
    base = "/" + ADDRESSES[server].split("/", 3)[3]
    for path in ("/images/generations", "/images/edits", "/images", "/images/inpainting"):
        script.set_steps(base + path, DRAWN)
    script.set_steps(f"{base}/models", MODELS)
    provider = create_provider(script, clock, base_url=ADDRESSES[server], model="some-image-model")
    plan = await provider_calls.plan(provider, request, dict.fromkeys(images, HEADER))
    await provider_calls.submit(provider, plan.sent_request or plan.request, images)
    await provider.close()
    sent = script.requests[-1]
    assert sent.path.startswith(base)
    return sent


def make_images(count: int) -> tuple[dict[str, Any], dict[str, str]]:
    """The fields that name so many pictures, and the pictures by place."""
    fields: dict[str, Any] = {"image": "img_1"}
    images = {"image": IMAGE}
    if count > 1:
        fields["advanced"] = OpenaiOptions.model_validate({"more_images": ["img_2"] * (count - 1)})
        images |= {f"advanced.more_images[{n}]": IMAGE for n in range(count - 1)}
    return fields, images


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_is_recognised_by_its_address(server: str) -> None:
    assert find_server(ADDRESSES[server]).id == server


def test_a_server_behind_another_address_is_named_by_a_setting() -> None:
    assert find_server("http://192.168.1.5:9999/v1", "localai").id == "localai"
    with pytest.raises(ConfigurationError, match="OPENAI_SERVER: there is no 'nobody'; there are openai"):
        find_server("http://192.168.1.5:9999/v1", "nobody")


@pytest.mark.parametrize("host", ["api.fireworks.ai", "api.stability.ai"])
def test_a_service_with_an_api_of_its_own_is_refused_with_the_way_out(host: str) -> None:
    with pytest.raises(ConfigurationError, match="LiteLLM"):
        find_server(f"https://{host}/v1")


@pytest.mark.parametrize("server", SERVERS)
async def test_a_server_is_sent_its_own_fields_and_no_others(server: str, clock: AutoAdvanceClock) -> None:
    seeded = {"seed": 7} if SERVERS[server].seed_field else {}
    request = GenerateImage.model_validate({**WISH, "format": "png", **seeded})
    sent = await send(server, request, clock, {})
    path, fields = SENT[server]
    prompt = 'a kite <sd_cpp_extra_args>{"seed": 7}</sd_cpp_extra_args>' if server == "sdcpp" else "a kite"
    assert sent.path.endswith(path)
    assert sent.body == {"model": "some-image-model", "prompt": prompt, **fields}
    key = sent.headers.get("api-key") if server == "azure" else sent.headers.get("authorization")
    assert key in {"OPENAI-hidden-everywhere", "Bearer OPENAI-hidden-everywhere"}


@pytest.mark.parametrize("server", EDITS)
async def test_a_server_gets_several_pictures_in_the_way_it_takes_them(server: str, clock: AutoAdvanceClock) -> None:
    fields, images = make_images(2)
    request = GenerateImage.model_validate({**WISH, **fields})
    sent = await send(server, request, clock, images)
    path, expected = EDITS[server]
    assert sent.path.endswith(path)
    if isinstance(expected, list):
        assert list_files(sent) == expected
    else:
        assert sent.body.items() >= expected.items()


@pytest.mark.parametrize("server", SINGLE_EDITS)
async def test_a_server_gets_one_picture_in_the_way_it_takes_it(server: str, clock: AutoAdvanceClock) -> None:
    sent = await send(server, GenerateImage.model_validate({**WISH, "image": "img_1"}), clock, {"image": IMAGE})
    if isinstance(expected := SINGLE_EDITS[server], list):
        assert list_files(sent) == expected
    else:
        assert sent.body.items() >= expected.items()


@pytest.mark.parametrize("server", MASKS)
async def test_a_mask_goes_where_the_server_reads_it(server: str, clock: AutoAdvanceClock) -> None:
    request = InpaintImage.model_validate({"prompt": "a kite", "image": "img_1", "mask": "img_2"})
    sent = await send(server, request, clock, {"image": IMAGE, "mask": IMAGE})
    path, names = MASKS[server]
    assert sent.path.endswith(path)
    assert list_files(sent) == names


@pytest.mark.parametrize("server", [name for name, row in SERVERS.items() if row.mask == "none" and row.takes_images])
async def test_a_server_without_masks_is_sent_the_picture_alone_and_the_rest_is_put_back(
    server: str, clock: AutoAdvanceClock
) -> None:
    request = InpaintImage.model_validate({"prompt": "a kite", "image": "img_1", "mask": "img_2"})
    sent = await send(server, request, clock, {"image": IMAGE, "mask": IMAGE})
    assert b"mask" not in sent.content


@pytest.mark.parametrize("server", [name for name, row in SERVERS.items() if not row.takes_images])
async def test_a_server_that_takes_no_pictures_refuses_one(server: str, clock: AutoAdvanceClock) -> None:
    with pytest.raises(InvalidRequest, match="image: "):
        await send(server, GenerateImage.model_validate({**WISH, "image": "img_1"}), clock, {"image": IMAGE})


@pytest.mark.parametrize(
    ("server", "prompt", "field"),
    [
        ("localai", "a kite|rain", None),
        ("sdcpp", 'a kite <sd_cpp_extra_args>{"seed": 7, "negative_prompt": "rain"}</sd_cpp_extra_args>', None),
        ("together", "a kite", "rain"),
    ],
)
async def test_what_to_avoid_goes_where_the_server_reads_it(
    server: str, prompt: str, field: str | None, clock: AutoAdvanceClock
) -> None:
    seeded = {"seed": 7} if SERVERS[server].seed_field else {}
    request = GenerateImage.model_validate({**WISH, "negative_prompt": "rain", **seeded})
    sent = await send(server, request, clock, {})
    assert (sent.body["prompt"], sent.body.get("negative_prompt")) == (prompt, field)


@pytest.mark.parametrize("server", [name for name, row in SERVERS.items() if row.is_own_hardware])
def test_a_server_of_ones_own_is_free_and_needs_no_key(server: str, clock: AutoAdvanceClock) -> None:
    provider = create_provider(UpstreamScript(), clock, base_url=ADDRESSES[server])
    assert provider.is_free
    assert not create_provider(UpstreamScript(), clock).is_free
