"""A call by a name that is not in the list: a former one is understood, any other is explained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from mcp import Client

from atelier_mcp.server import registry
from atelier_mcp.server.app import create_server
from atelier_mcp.server.settings import load_settings
from atelier_mcp.server.tool_names import RENAMED_ARGUMENTS, RENAMED_TOOLS
from tests.support.tool_results import get_refusal, get_text

if TYPE_CHECKING:
    from tests.e2e.conftest import Environ, NewClient

DEFINITIONS = {definition.name: definition for definition in registry.discover().definitions}


async def get_answer(environ: dict[str, str], tool: str, **arguments: object) -> str:
    """What a server of these settings refuses the call with."""
    async with Client(create_server(load_settings(environ))) as client:
        return get_refusal(await client.call_tool(tool, arguments))


def test_every_former_name_leads_to_a_tool_or_an_argument_of_today() -> None:
    assert set(RENAMED_TOOLS.values()) <= DEFINITIONS.keys()
    assert not RENAMED_TOOLS.keys() & DEFINITIONS.keys()
    for tool, renamed in RENAMED_ARGUMENTS.items():
        arguments = DEFINITIONS[tool].build_arguments()
        assert set(renamed.values()) <= set(arguments.visible_names)
        assert not renamed.keys() & set(arguments.names)


async def test_a_tool_is_answered_under_its_former_name_with_the_new_one(new_client: NewClient) -> None:
    async with new_client() as client:
        answer = await client.call_tool("cancel_job", {"job_id": "all"})
    assert not answer.is_error, get_text(answer)
    texts = "\n".join(block.text for block in answer.content if block.type == "text")
    assert "cancel_job is called cancel_jobs now." in texts
    assert "job_id is called job_ids now." in texts


async def test_an_argument_given_by_both_names_is_refused(environ: Environ) -> None:
    refusal = await get_answer(dict(environ), "outpaint_image", image="x.png", ratio=1.5, scale=2)
    assert "ratio" in refusal


async def test_a_tool_that_is_off_says_how_it_is_switched_on(environ: Environ) -> None:
    refusal = await get_answer(dict(environ), "train_lora", name="cats")
    assert "toolset train, which is off" in refusal
    assert "ATELIER_TOOLSETS=" in refusal
    switched_on = refusal.partition("ATELIER_TOOLSETS=")[2].split()[0].rstrip(".")
    names = {"train", "create", "jobs"}
    assert names <= set(switched_on.split(","))


async def test_a_former_name_of_a_tool_that_is_off_says_so_of_the_tool(environ: Environ) -> None:
    assert "aws_list_endpoints is in toolset aws" in await get_answer(
        {"ATELIER_HOME": environ["ATELIER_HOME"]}, "list_endpoints"
    )


async def test_a_tool_that_no_configured_service_has_names_the_settings(environ: Environ) -> None:
    refusal = await get_answer(dict(environ), "chat_with_image", prompt="hello")
    assert "SENSENOVA_" in refusal
    assert not any(value in refusal for name, value in environ.items() if name.endswith("KEY"))


@pytest.mark.parametrize(
    ("name", "meant"),
    [("generate-image", "generate_image"), ("Generate_Images", "generate_image"), ("upscale", "upscale_image")],
)
async def test_a_near_name_is_offered(environ: Environ, name: str, meant: str) -> None:
    assert meant in await get_answer(dict(environ), name)


@pytest.mark.parametrize("name", ["x" * 5000, "", "😀", "../../etc/passwd", "__class__"])
async def test_a_name_of_nothing_is_refused_in_one_short_sentence(environ: Environ, name: str) -> None:
    refusal = await get_answer(dict(environ), name)
    assert "There is no tool" in refusal
    assert len(refusal) < 300
