"""The guides to adding something show code that exists and works."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from mcp import Client
from PIL import Image

from atelier_mcp import tools
from atelier_mcp.server import images
from atelier_mcp.server.app import create_server
from atelier_mcp.server.settings import load_settings
from tests.support.tool_results import decode_previews, get_refusal, get_structured

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "examples" / "provider-package"
PACKAGE_TEXTS = [path.read_text("utf-8") for path in PACKAGE.rglob("*") if path.suffix in {".py", ".toml", ".md"}]


def find_code_blocks(guide: str) -> list[str]:
    """The fenced blocks of a page of ``docs/``."""
    return re.findall(r"^```\w+\n(.*?)^```$", (ROOT / "docs" / guide).read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", find_code_blocks("adding-a-provider.md"), ids=lambda block: block.split("\n")[0])
def test_what_is_shown_of_a_provider_stands_in_the_example(block: str) -> None:
    """Word for word, so that whoever copies it copies what is tested."""
    assert any(block in text for text in PACKAGE_TEXTS), f"not in {PACKAGE.relative_to(ROOT)}:\n{block}"


@pytest.fixture
def documented_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The tool of the guide and its pixel code, where the guide puts them: in folders that are looked into first.

    Whoever follows the guide may have made a tool of that name. The workers, which are other processes, find the pixel
    code in a package of links to our own.
    """
    forget_documented_modules()
    tool_file, pixel_file, *_ = find_code_blocks("adding-a-tool.md")
    (tmp_path / "compare_images.py").write_text(tool_file, "utf-8")
    monkeypatch.setattr(tools, "__path__", [str(tmp_path), *tools.__path__])
    link_package(tmp_path / "linked" / "atelier_mcp", added_to_images={"side_by_side.py": pixel_file})
    monkeypatch.setattr(images, "__path__", [str(tmp_path / "linked/atelier_mcp/server/images"), *images.__path__])
    monkeypatch.setattr(sys, "path", [str(tmp_path / "linked"), *sys.path])
    yield
    forget_documented_modules()


def forget_documented_modules() -> None:
    """Have them read anew: another test may have imported somebody's tool of that name."""
    for package, name in ((tools, "compare_images"), (images, "side_by_side")):
        sys.modules.pop(f"{package.__name__}.{name}", None)


def link_package(folder: Path, *, added_to_images: dict[str, str]) -> None:
    """Our package as links, with more files in ``server/images``."""
    own_images = Path(images.__file__ or "").parent
    for source, target in ((own_images.parent.parent, folder), (own_images.parent, folder / "server")):
        target.mkdir(parents=True)
        for entry in source.iterdir():
            if entry.name not in ("server", "images"):
                (target / entry.name).symlink_to(entry)
    (folder / "server" / "images").mkdir()
    for entry in own_images.glob("*.py"):
        (folder / "server" / "images" / entry.name).symlink_to(entry)
    for name, text in added_to_images.items():
        (folder / "server" / "images" / name).write_text(text, "utf-8")


@pytest.mark.usefixtures("documented_tool")
async def test_the_tool_that_is_shown_works_as_it_stands(tmp_path: Path) -> None:
    """Called through a client, with paths; its parents can be looked at, and a picture that is none is named."""
    for name, size in {"a": (40, 20), "b": (30, 40)}.items():
        Image.new("RGB", size, "red").save(tmp_path / f"{name}.png")
    settings = load_settings({"ATELIER_HOME": str(tmp_path / "home"), "ATELIER_INPUT_ROOTS": str(tmp_path)})
    references = {"before": str(tmp_path / "a.png"), "after": str(tmp_path / "b.png")}
    async with Client(create_server(settings)) as client:
        result = await client.call_tool("compare_images", references)
        content = get_structured(result)
        assert (content["image"]["width"], content["image"]["height"]) == (40 + 16 + 15, 20)
        assert len(decode_previews(result)) == 1
        made = get_structured(await client.call_tool("view_image", {"image": content["image"]["handle"]}))["made"]
        assert len(made["parents"]) == 2
        refused = await client.call_tool("compare_images", {**references, "after": str(tmp_path / "c.png")})
        assert get_refusal(refused).startswith("after: ")
