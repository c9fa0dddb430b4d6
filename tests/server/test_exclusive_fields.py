"""What one service alone understands: offered where it is configured, and never given to another."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from atelier_mcp.server import registry
from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.routing import Router
from atelier_mcp.server.requests.aws import Advanced
from atelier_mcp.server.requests.create import GenerateImage

GENERATE = next(definition for definition in registry.discover() if definition.name == "generate_image")
PLAIN = GenerateImage.model_validate({"prompt": "a kite"})
ADVANCED = PLAIN.model_copy(update={"advanced": Advanced.model_validate({"sampler_name": "DDIM"})})


def arguments(*configured: str) -> dict[str, Any]:
    """The published arguments of ``generate_image``."""
    tool = registry.published(GENERATE, services=cast("Any", None), providers=configured, configured=configured)
    return tool.parameters["properties"]


def provider(name: str) -> Any:
    return SimpleNamespace(name=name, capabilities=frozenset({"generate_image"}))


def test_an_exclusive_field_is_offered_only_where_its_service_is_configured() -> None:
    assert "advanced" not in arguments()
    assert "advanced" not in arguments("mhapi", "miaohua")
    assert "sampler_name" in arguments("mhapi", "sd_aws")["advanced"]["properties"]


def test_every_field_of_it_is_described() -> None:
    undescribed = [
        n for n, node in arguments("sd_aws")["advanced"]["properties"].items() if not node.get("description")
    ]
    assert undescribed == []


def test_a_request_that_uses_it_goes_to_its_service_though_another_is_preferred() -> None:
    router = Router([provider("mhapi"), provider("sd_aws")])
    assert router.for_request(PLAIN).name == "mhapi"
    assert router.for_request(ADVANCED).name == "sd_aws"


@pytest.mark.parametrize(("there", "wanted"), [(("mhapi",), None), (("mhapi", "sd_aws"), "mhapi")])
def test_no_other_service_is_given_it_to_ignore(there: tuple[str, ...], wanted: str | None) -> None:
    with pytest.raises(InvalidRequest, match="advanced: only sd_aws"):
        Router([provider(name) for name in there]).for_request(ADVANCED, wanted)
