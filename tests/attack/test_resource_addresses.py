"""What a client may try with the addresses of resources: to leave the library, to reach files, to break off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import mcp_types as types
import pytest
from mcp.shared.exceptions import MCPError

from atelier_mcp.server.views.pages import STUDIO_URI, STUDIO_URI_PREFIX, read_page
from tests.support.emulator_harness import encode_plain_image
from tests.support.tool_results import get_structured

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from mcp import Client

    from tests.support.attack_tally import AttackTally

    NewClient = Callable[..., AbstractAsyncContextManager[Client]]

SECRET: Final = "the secret of another folder"
NAMES: Final = (
    "../secret",
    "../../secret.json",
    "..%2f..%2fsecret.json",
    "%2e%2e/%2e%2e/secret.json",
    "....//....//secret.json",
    "..\\..\\secret.json",
    "/etc/passwd",
    "img_..%2f..%2fsecret",
    "img_aaaaaaaaaaaaaaaa/../../../secret",
    "img_aaaaaaaaaaaaaaaa%00.json",
    "*",
    "img_????????????????",
    "' OR 1=1 --",
    "{handle}",
    "",
    "x" * 100_000,
    "\u202eimg",
)
PLACES: Final = (
    "atelier://images/{}",
    "atelier://images/{}/preview",
    "atelier://images/{}/provenance",
    "atelier://jobs/{}",
    "atelier://models/{}/x",
    "atelier://{}",
    "file:///{}",
    "ui://{}",
)


async def test_no_address_leads_out_of_the_library(new_client: NewClient, tmp_path: Path, tally: AttackTally) -> None:
    """Each is refused as something that is not there, in a few words."""
    for folder in (tmp_path, tmp_path / "home", tmp_path / "home" / "images"):
        folder.mkdir(exist_ok=True)
        (folder / "secret.json").write_text(SECRET, "utf-8")
    async with new_client() as client:
        for address in (place.replace("{}", name) for place in PLACES for name in NAMES):
            problem = await find_problem(client, address)
            tally.record(f"{address[:60]}: {problem}", got_through=bool(problem))


async def find_problem(client: Client, address: str) -> str:
    """What is wrong with how an address of nothing is answered; empty where it is refused as it should be."""
    try:
        read = await client.read_resource(address)
    except MCPError as err:
        is_refusal = err.code in {types.INVALID_PARAMS, -32002}
        return (
            "" if is_refusal and len(err.message) < 500 and SECRET not in err.message else f"{err.code} {err.message}"
        )
    return f"was read: {str(read)[:80]}"


@pytest.mark.parametrize("name", ["-../../../../etc/passwd", "-0.0.1.html", ".html/../gallery.html", "-%2e%2e%2fx"])
async def test_every_address_of_the_studio_is_the_studio(new_client: NewClient, name: str) -> None:
    """Old conversations name that of an older version; none names another file."""
    async with new_client() as client:
        (content,) = (await client.read_resource(f"{STUDIO_URI_PREFIX}{name}")).contents
        assert isinstance(content, types.TextResourceContents)
        assert content.text == read_page("studio")


async def test_a_picture_of_another_library_is_not_there(new_client: NewClient, tmp_path: Path) -> None:
    """A handle is its bytes, and guessing it is having them; yet who has only the handle gets nothing."""
    (tmp_path / "inputs").mkdir()
    (tmp_path / "inputs" / "kite.png").write_bytes(encode_plain_image())
    imported: dict[str, Any] = {"image": str(tmp_path / "inputs" / "kite.png")}
    async with new_client(ATELIER_HOME=str(tmp_path / "theirs")) as theirs, new_client() as ours:
        handle = get_structured(await theirs.call_tool("import_image", imported))["image"]["handle"]
        for part in ("", "/preview", "/provenance"):
            with pytest.raises(MCPError, match="No picture"):
                await ours.read_resource(f"atelier://images/{handle}{part}")
        for tool, arguments in {
            "view_image": {"image": handle},
            "ask_for_mask": {"image": handle, "why": "x"},
            "make_mask": {"image": handle, "shapes": [{"type": "box", "points": [1, 1, 9, 9]}]},
            "upscale_image": {"image": handle},
        }.items():
            assert (await ours.call_tool(tool, arguments)).is_error, tool
        assert handle not in str(await ours.list_resources())


async def test_the_studio_is_named_by_tools_as_it_is_read(new_client: NewClient) -> None:
    async with new_client() as client:
        named = {str(tool.meta["ui/resourceUri"]) for tool in (await client.list_tools()).tools if tool.meta}
        assert named == {STUDIO_URI}
