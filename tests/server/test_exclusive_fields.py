"""What one service alone understands: offered where it is configured, and never given to another."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client

from atelier_mcp.server import registry
from atelier_mcp.server.app import create_server
from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.discovery import discover_own_specs
from atelier_mcp.server.providers.openai_images.operations import generate as openai_generation
from atelier_mcp.server.providers.openai_images.operations import inpaint as openai_inpainting
from atelier_mcp.server.providers.operation_index import OperationIndex
from atelier_mcp.server.providers.routing import Router
from atelier_mcp.server.providers.sd_webui.operations import faces as webui_faces
from atelier_mcp.server.requests.aws import AdvancedOptions
from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.settings import load_settings
from tests.support.tool_results import get_refusal

if TYPE_CHECKING:
    from pathlib import Path

GENERATE_DEFINITION = next(
    definition for definition in registry.discover().definitions if definition.name == "generate_image"
)
OPERATIONS = OperationIndex(discover_own_specs())
PLAIN_REQUEST = GenerateImage.model_validate({"prompt": "a kite"})
ADVANCED_REQUEST = PLAIN_REQUEST.model_copy(update={"advanced": AdvancedOptions.model_validate({"real_time": True})})


def build_arguments_schema(*configured: str) -> dict[str, Any]:
    """The published arguments of ``generate_image``."""
    arguments = GENERATE_DEFINITION.build_arguments(
        providers=configured, exclusive_fields=OPERATIONS.find_exclusive_fields("generate_image", configured)
    )
    return arguments.build_schema()["properties"]


def make_provider(name: str) -> Any:
    return SimpleNamespace(name=name, operations={"generate_image": None})


def test_an_exclusive_field_is_offered_only_where_its_service_is_configured() -> None:
    assert "advanced" not in build_arguments_schema()
    assert "advanced" not in build_arguments_schema("mhapi", "miaohua")
    assert "sampler_name" in build_arguments_schema("mhapi", "sd_aws")["advanced"]["properties"]


def test_every_field_of_it_is_described() -> None:
    missing = [
        n
        for n, node in build_arguments_schema("sd_aws")["advanced"]["properties"].items()
        if not node.get("description")
    ]
    assert missing == []


def test_a_request_that_uses_it_goes_to_its_service_though_another_is_preferred() -> None:
    router = Router([make_provider("mhapi"), make_provider("sd_aws")], operations=OPERATIONS)
    assert router.find_candidates(PLAIN_REQUEST)[0].name == "mhapi"
    assert router.find_candidates(ADVANCED_REQUEST)[0].name == "sd_aws"


@pytest.mark.parametrize(
    ("there", "wanted", "words"),
    [
        (("mhapi",), None, "advanced.real_time: only sd_aws understands that.*set SD_AWS_URL and SD_AWS_API_KEY"),
        (("mhapi", "sd_aws"), "mhapi", 'advanced.real_time: only sd_aws understands that.*say provider="sd_aws"'),
    ],
)
def test_no_other_service_is_given_it_to_ignore(there: tuple[str, ...], wanted: str | None, words: str) -> None:
    with pytest.raises(InvalidRequest, match=f"(?s){words}"):
        Router([make_provider(name) for name in there], operations=OPERATIONS).find_candidates(ADVANCED_REQUEST, wanted)


SD_WEBUI = {"SD_WEBUI_URL": "http://127.0.0.1:1"}
COMFYUI = {"COMFYUI_URL": "http://127.0.0.1:1"}
OPENAI = {"OPENAI_API_KEY": "sk-nobody"}
REFUSALS: list[tuple[dict[str, str], dict[str, Any], tuple[str, ...]]] = [
    (SD_WEBUI, {"workflow": "house"}, ("workflow: only comfyui understands that.", "or set COMFYUI_URL.")),
    (
        SD_WEBUI,
        {"advanced": {"quality": "low"}},
        ("advanced.quality: only openai_images understands that.", "or set OPENAI_API_KEY or OPENAI_BASE_URL."),
    ),
    (
        OPENAI,
        {"advanced": {"scheduler": "karras", "nonsense": 1}},
        ("advanced.scheduler: only sd_webui, comfyui understand that.", "SD_WEBUI_URL, or COMFYUI_URL", "nonsense"),
    ),
    ({"MHAPI_ACCESS_KEY": "a", "MHAPI_SECRET_KEY": "b"}, {"advanced": {"first": True}}, ("set COMFYUI_URL.",)),
    (
        SD_WEBUI | OPENAI,
        {"advanced": {"quality": "low"}, "provider": "sd_webui"},
        ("advanced.quality: only openai_images understands that.", 'say provider="openai_images".'),
    ),
    (
        SD_WEBUI | OPENAI | COMFYUI,
        {"advanced": {"scheduler": "x", "vae": "y", "quality": "low"}},
        (
            "advanced.scheduler, advanced.vae: only sd_webui, comfyui understand that.",
            "advanced.quality: only openai_images understands that.",
            "keep what is one's",
        ),
    ),
    (
        SD_WEBUI | COMFYUI | {"ATELIER_PROVIDERS": "sd_webui"},
        {"workflow": "house"},
        ("workflow: only comfyui", "set ATELIER_PROVIDERS to name comfyui, too."),
    ),
]


@pytest.mark.parametrize(("settings", "arguments", "words"), REFUSALS, ids=str)
async def test_a_field_of_another_service_is_refused_with_the_setting_or_the_name_of_that_one(
    tmp_path: Path, settings: dict[str, str], arguments: dict[str, Any], words: tuple[str, ...]
) -> None:
    async with Client(create_server(load_settings({"ATELIER_HOME": str(tmp_path), **settings}))) as client:
        refusal = get_refusal(await client.call_tool("generate_image", {"prompt": "a kite", **arguments}))
    assert [word for word in words if word not in refusal] == [], refusal


async def list_generate_fields(tmp_path: Path, settings: dict[str, str]) -> dict[str, Any]:
    """The published arguments of ``generate_image`` with these settings."""
    async with Client(create_server(load_settings({"ATELIER_HOME": str(tmp_path), **settings}))) as client:
        tools = (await client.list_tools()).tools
    return next(tool.input_schema["properties"] for tool in tools if tool.name == "generate_image")


async def test_what_the_only_service_never_takes_is_not_offered(tmp_path: Path) -> None:
    """A call that uses it is refused in words all the same."""
    assert not {"controls", "loras", "strength"} & (await list_generate_fields(tmp_path, OPENAI)).keys()
    assert {"controls", "loras", "strength"} <= (await list_generate_fields(tmp_path, OPENAI | SD_WEBUI)).keys()


@pytest.mark.parametrize(
    ("settings", "first_fields"),
    [
        (COMFYUI, {"sampler_name", "scheduler"}),
        (OPENAI, {"quality", "background"}),
        (SD_WEBUI | OPENAI | COMFYUI, {"sampler_name", "quality"}),
    ],
)
async def test_the_first_fields_of_each_service_are_offered_with_type_and_description(
    tmp_path: Path, settings: dict[str, str], first_fields: set[str]
) -> None:
    advanced = (await list_generate_fields(tmp_path, settings))["advanced"]
    assert advanced["properties"].keys() == first_fields
    assert all(node["type"] and node["description"] for node in advanced["properties"].values())
    assert "; also " in advanced["description"]


async def test_every_field_is_offered_to_whoever_asks_for_a_toolset(tmp_path: Path) -> None:
    advanced = (await list_generate_fields(tmp_path, COMFYUI | {"ATELIER_TOOLSETS": "create"}))["advanced"]
    assert advanced["properties"].keys() == {"sampler_name", "scheduler", "vae", "clip_skip", "first"}


def test_no_field_is_refused_that_is_supported() -> None:
    taken = {
        ("openai_images", "generate_image"): openai_generation.SUPPORTED_FIELDS,
        ("openai_images", "inpaint_image"): openai_inpainting.SUPPORTED_FIELDS,
        ("sd_webui", "swap_faces"): webui_faces.SUPPORTED_FIELDS,
    }
    for (name, capability), fields in taken.items():
        assert OPERATIONS.find(name, capability).refused_fields
        assert not OPERATIONS.find(name, capability).refused_fields & fields
