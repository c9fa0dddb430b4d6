"""What a person picks from a menu: prompts whose calls work, resources, and what is offered while they type."""

from __future__ import annotations

import ast
import base64
import json
import re
import xml.etree.ElementTree as ElementTree
from typing import TYPE_CHECKING, Any

import mcp_types as types
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from atelier_mcp.server.app import create_server
from atelier_mcp.server.prompts import RECIPES
from atelier_mcp.server.settings import load_settings
from tests.support.emulator_harness import encode_plain_image
from tests.support.tool_results import get_structured, get_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    Call = Callable[..., Awaitable[types.CallToolResult]]


async def import_image(call: Call, folder: Path, colour: str = "teal") -> str:
    """The handle of a picture."""
    path = folder / f"{colour}.png"
    path.write_bytes(encode_plain_image(640, 480, colour=colour))
    return get_structured(await call("import_image", image=str(path)))["image"]["handle"]


def list_calls(text: str) -> list[str]:
    """The calls that a prompt names, in order."""
    return re.findall(r"^\d+\. (\w+\(.*\))$", text, re.MULTILINE)


def parse_call(source: str) -> tuple[str, dict[str, Any]]:
    """A call's tool and arguments."""
    expression = ast.parse(source, mode="eval").body
    assert isinstance(expression, ast.Call)
    assert isinstance(expression.func, ast.Name)
    return expression.func.id, {str(word.arg): ast.literal_eval(word.value) for word in expression.keywords}


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
async def test_every_call_of_a_prompt_works(client: Client, call: Call, tmp_path: Path, recipe: Any) -> None:
    """As a model would make them: each with what the one before gave."""
    handle = await import_image(call, tmp_path)
    values = {
        "image": handle,
        "face": await import_image(call, tmp_path, "navy"),
        "images": handle,
        "subject": "a fox",
    }
    asked = {name: values[name] for name, _ in recipe.arguments}
    (message,) = (await client.get_prompt(recipe.name, asked)).messages
    assert isinstance(message.content, types.TextContent)
    mask = get_structured(await call("make_mask", image=handle, shapes=[{"type": "box", "points": [9, 9, 90, 90]}]))
    first_images: dict[str, str] = {"mask": mask["image"]["handle"], "style": "style_oil"}
    for number, source in enumerate(list_calls(message.content.text), 1):
        known = re.sub(r"<each of (.*?)>", r"\1", source)
        for name, value in first_images.items():
            known = known.replace(f"<{name}>", value)
        tool, arguments = parse_call(known)
        result = await call(tool, **arguments)
        assert not result.is_error, get_text(result)
        images = re.findall(r"img_[a-z2-7]{16}", get_text(result))
        first_images |= {str(number): images[0]} if images else {}
    assert len(list_calls(message.content.text)) == len(recipe.steps)


async def test_a_quotation_mark_in_an_argument_ends_nothing(client: Client) -> None:
    (message,) = (await client.get_prompt("poster", {"subject": 'a "fox", samples=8'})).messages
    assert isinstance(message.content, types.TextContent)
    _, arguments = parse_call(list_calls(message.content.text)[0])
    assert arguments == {"prompt": 'a "fox", samples=8', "aspect": "2:3", "samples": 4}


async def read_json(client: Client, uri: str) -> dict[str, Any]:
    """A resource's facts."""
    (content,) = (await client.read_resource(uri)).contents
    assert isinstance(content, types.TextResourceContents)
    assert content.mime_type == "application/json"
    return json.loads(content.text)


async def test_a_picture_is_read_whole_small_and_with_its_story(client: Client, call: Call) -> None:
    made = get_structured(await call("generate_image", prompt="a red kite", seed=7))
    handle = made["images"][0]["handle"]
    for part in ("", "/preview"):
        (content,) = (await client.read_resource(f"atelier://images/{handle}{part}")).contents
        assert isinstance(content, types.BlobResourceContents)
        assert content.mime_type == "image/jpeg"
    story = await read_json(client, f"atelier://images/{handle}/provenance")
    assert story["made"]["request"]["prompt"] == "a red kite"
    assert story["made"]["seed"] == 7


async def test_jobs_spending_and_models_can_be_read(client: Client, call: Call) -> None:
    made = get_structured(await call("generate_image", prompt="a red kite", samples=2))
    job = await read_json(client, f"atelier://jobs/{made['job_id']}")
    assert (job["state"], job["tool"], len(job["images"])) == ("succeeded", "generate_image", 2)
    spending = await read_json(client, "atelier://spend")
    assert [row["pictures"] for row in spending["days"]] == [2]
    assert (await read_json(client, "atelier://models"))["models"]
    styles = await read_json(client, "atelier://models/style")
    assert {model["kind"] for model in styles["models"]} == {"style"}


@pytest.mark.parametrize(
    "uri",
    [
        "atelier://images/img_aaaaaaaaaaaaaaaa",
        "atelier://images/../ledger.sqlite3",
        "atelier://jobs/job_aaaaaaaaaaaaaaaa",
        "atelier://models/nothing",
        "atelier://secrets",
        "ui://elsewhere/studio.html",
    ],
)
async def test_an_address_of_nothing_is_not_found(client: Client, uri: str) -> None:
    with pytest.raises(Exception, match=r"."):
        await client.read_resource(uri)


async def test_handles_jobs_and_kinds_of_models_are_completed(client: Client, call: Call) -> None:
    """The newest first, by what was typed so far."""
    made = get_structured(await call("generate_image", prompt="a red kite"))
    handle, job_id = made["images"][0]["handle"], made["job_id"]

    async def complete(reference: Any, name: str, typed: str) -> list[str]:
        return (await client.complete(reference, {"name": name, "value": typed})).completion.values

    def template(uri: str) -> types.ResourceTemplateReference:
        return types.ResourceTemplateReference(type="ref/resource", uri=uri)

    prompt = types.PromptReference(type="ref/prompt", name="clean_up_photo")
    assert await complete(prompt, "image", "img_") == [handle]
    assert await complete(prompt, "image", "xyz") == []
    assert await complete(template("atelier://images/{handle}"), "handle", handle[:8]) == [handle]
    assert await complete(template("atelier://jobs/{id}"), "id", "") == [job_id]
    assert "style" in await complete(template("atelier://models/{kind}"), "kind", "st")


async def test_prompts_are_those_whose_tools_are_there(new_client: Any) -> None:
    """A menu of things that cannot be done helps nobody."""
    async with new_client(ATELIER_TOOLSETS="jobs,library") as client:
        assert not (await client.list_prompts()).prompts


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [("no_such_prompt", {}, "no prompt 'no_such_prompt'; there are product_shot"), ("product_shot", {}, "image")],
    ids=["unknown prompt", "missing argument"],
)
async def test_what_is_wrong_with_a_prompt_is_told(
    client: Client, name: str, arguments: dict[str, str], words: str
) -> None:
    """And is the caller's, not an internal error."""
    with pytest.raises(MCPError, match=words) as raised:
        await client.get_prompt(name, arguments)
    assert raised.value.code == types.INVALID_PARAMS


async def test_prompts_and_resources_have_icons_from_no_network(client: Client, call: Call, tmp_path: Path) -> None:
    """Small ones: a client gets them with each list."""
    await import_image(call, tmp_path)
    listed = [
        *(await client.list_prompts()).prompts,
        *(await client.list_resources()).resources,
        *(await client.list_resource_templates()).resource_templates,
    ]
    for one in listed:
        (icon,) = one.icons or []
        kind, data = icon.src.split(",")
        assert kind == f"data:{icon.mime_type};base64"
        svg = ElementTree.fromstring(base64.b64decode(data))
        assert {element.tag.rpartition("}")[2] for element in svg.iter()} == {"svg", "rect", "path"}
        assert len(icon.src) < 700
    prompts = (await client.list_prompts()).prompts
    assert len({str(prompt.icons) for prompt in prompts}) == len(prompts)


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_the_server_has_an_icon_and_its_tools_have_none(environ: dict[str, str], mode: str) -> None:
    """Each tool's would be loaded at every start of every client, for the few that show it."""
    async with Client(create_server(load_settings(environ)), mode=mode) as client:  # pyright: ignore[reportArgumentType]  # a word of the SDK's
        assert client.server_info is not None
        assert client.server_info.icons
        assert not any(tool.icons for tool in (await client.list_tools()).tools)
