"""What one service alone understands: offered where it is configured, and never given to another."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from atelier_mcp.server import registry
from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.discovery import discover_own_specs
from atelier_mcp.server.providers.operation_index import OperationIndex
from atelier_mcp.server.providers.routing import Router
from atelier_mcp.server.requests.aws import AdvancedOptions
from atelier_mcp.server.requests.create import GenerateImage

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
        (("mhapi",), None, "advanced: only sd_aws understands it"),
        (("mhapi", "sd_aws"), "mhapi", "advanced: only sd_aws understands it"),
    ],
)
def test_no_other_service_is_given_it_to_ignore(there: tuple[str, ...], wanted: str | None, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        Router([make_provider(name) for name in there], operations=OPERATIONS).find_candidates(ADVANCED_REQUEST, wanted)
