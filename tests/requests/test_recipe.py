"""The arguments that repeat a job."""

from __future__ import annotations

from atelier_mcp.server.requests import aws, chat, create, datasets, edit, faces, train, understand
from atelier_mcp.server.requests.base import Request
from atelier_mcp.server.requests.recipe import SEEDED_CAPABILITIES, build_recipe

MODULES = (aws, chat, create, datasets, edit, faces, train, understand)


def test_the_requests_with_a_seed_are_those_that_have_the_field() -> None:
    """A recipe with a seed for another one would be refused."""
    classes = [value for module in MODULES for value in vars(module).values() if isinstance(value, type)]
    requests = [c for c in classes if issubclass(c, Request) and hasattr(c, "capability")]
    assert {c.capability for c in requests if "seed" in c.model_fields} == SEEDED_CAPABILITIES


def test_one_picture_of_several_is_repeated_by_its_own_seed() -> None:
    recipe = build_recipe("generate_image", {"prompt": "a kite", "samples": 4}, provider="toy", seed=7, is_single=True)
    assert recipe == {"prompt": "a kite", "seed": 7, "provider": "toy"}


def test_a_job_is_repeated_with_all_its_pictures() -> None:
    recipe = build_recipe("generate_image", {"prompt": "a kite", "samples": 4}, provider="toy", seed=5)
    assert recipe == {"prompt": "a kite", "samples": 4, "seed": 5, "provider": "toy"}


def test_what_takes_no_seed_gets_none() -> None:
    assert build_recipe("erase_object", {"image": "img_a"}, provider="toy", seed=5) == {
        "image": "img_a",
        "provider": "toy",
    }
