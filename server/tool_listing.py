"""The list of tools as clients get it, and the file it is kept in from one start to the next.

Making the list means loading every tool with its models and deriving some thirty JSON schemas: a third of a second on a
slow machine, for the same answer at every start. So it is kept, as Python keeps compiled modules, under a name made of
everything it depends on: the plan, the versions, and size and time of each source file. A start that finds it loads no
tool until one is called; one that does not makes it anew.
"""

from __future__ import annotations

import glob
import hashlib
import importlib.util
import json
import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import mcp_types as types
import pydantic

from atelier_mcp import __version__, server
from atelier_mcp.server.private_files import make_private_folder, write_private_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from atelier_mcp.server.tool_plan import ToolPlan

log: logging.Logger = logging.getLogger(__name__)

TOOLS_PACKAGE: Final = "atelier_mcp.tools"
LOCAL_TOOLSETS: Final = frozenset({"hands", "library"})
MAX_KEPT_LISTS: Final = 8
"""Hosts on one machine may run the server with settings of their own each; older lists are removed."""


@dataclass(frozen=True, slots=True)
class ListedTool:
    """A tool in the list, and the module whose function answers its calls."""

    module: str
    tool: types.Tool
    scope: str
    """What a token must be good for to call it."""
    is_local: bool
    """Whether it asks no service, and so never spends anything."""


def list_tools(plan: ToolPlan, *, cache_folder: Path) -> list[ListedTool]:
    """The tools of the plan, as kept in ``cache_folder`` or made anew and kept there where that can be done.

    Raises ``ConfigurationError`` for a toolset that there is not.
    """
    path = cache_folder / f"tools-{_digest(plan)}.json"
    if (kept := _load(path)) is not None:
        return kept
    listed, is_complete = _make_list(plan)
    if is_complete:
        _save(path, listed)
    return listed


def _make_list(plan: ToolPlan) -> tuple[list[ListedTool], bool]:
    """The list from the tools themselves; False beside it where a file of them is broken."""
    from atelier_mcp.server import registry

    discovered = registry.discover(toolsets=plan.toolsets)
    for broken_tool in discovered.broken:
        # Not raised: one bad file must not take the other tools from the caller.
        log.error("%s", broken_tool)
    definitions = registry.select_tools(
        discovered.definitions, toolsets=plan.toolsets, providers_by_capability=plan.providers_by_capability
    )
    definitions = [d.without_cost() if plan.is_free(d) else d for d in definitions]
    listed = [
        ListedTool(
            definition.function.__module__,
            definition.to_listing(plan.build_arguments(definition)),
            definition.scope,
            is_local=definition.toolset in LOCAL_TOOLSETS,
        )
        for definition in definitions
    ]
    return listed, not discovered.broken


def _digest(plan: ToolPlan) -> str:
    """A name for all that the list depends on."""
    inputs = {
        "versions": [__version__, sys.version, pydantic.VERSION],
        "toolsets": sorted(plan.toolsets),
        "emulated": plan.is_emulated,
        "free": sorted(plan.free_names),
        "providers": plan.providers_by_capability,
        "exclusive": plan.exclusive_fields,
        "refused": {name: sorted(fields) for name, fields in plan.refused_fields.items()},
        "sources": sorted(_stat_sources(plan)),
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]


def _stat_sources(plan: ToolPlan) -> Iterator[tuple[str, int, int]]:
    """Path, size and time of each file that may say something of a tool or its arguments."""
    tools = importlib.util.find_spec(TOOLS_PACKAGE)
    server_folder = Path(server.__path__[0])
    patterns = [f"{folder}/**/*.py" for folder in (tools and tools.submodule_search_locations) or ()]
    modules = [types, *(sys.modules[spec.settings.__module__] for spec in plan.specs)]
    folders = [server_folder, server_folder / "requests", *(Path(module.__file__ or "").parent for module in modules)]
    patterns += [f"{folder}/*.py" for folder in dict.fromkeys(folders)]
    for pattern in patterns:
        # Nothing of a package in an archive: there its version has to do.
        for path in glob.iglob(pattern, recursive=True):  # noqa: PTH207  # a third of the time of Path.glob
            status = os.stat(path)  # noqa: PTH116  # likewise
            yield path, status.st_size, status.st_mtime_ns


def _load(path: Path) -> list[ListedTool] | None:
    """The kept list; None where there is none that can be read."""
    try:
        kept: list[dict[str, Any]] = json.loads(path.read_bytes())
        return [
            ListedTool(
                entry["module"], types.Tool.model_validate(entry["tool"]), entry["scope"], is_local=entry["is_local"]
            )
            for entry in kept
        ]
    except FileNotFoundError:
        return None
    # Whatever is wrong with it, the list can be made anew.
    except (OSError, ValueError, TypeError, KeyError):
        log.debug("the kept list of tools cannot be read", exc_info=True)
        return None


def _save(path: Path, listed: Sequence[ListedTool]) -> None:
    """Keep the list; a folder that cannot be written costs the next start its time and nothing else."""
    entries = [
        {
            "module": entry.module,
            "tool": entry.tool.model_dump(mode="json", by_alias=True, exclude_none=True),
            "scope": entry.scope,
            "is_local": entry.is_local,
        }
        for entry in listed
    ]
    unfinished = path.with_suffix(f".{os.getpid()}")
    try:
        make_private_folder(path.parent)
        write_private_text(unfinished, json.dumps(entries))
        # In one step, so that a server that starts at this moment reads the whole of it or nothing.
        unfinished.replace(path)
        _remove_old_lists(path.parent)
    except OSError:
        log.debug("the list of tools cannot be kept", exc_info=True)


def _remove_old_lists(folder: Path) -> None:
    newest_first = sorted(folder.glob("tools-*.json"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in newest_first[MAX_KEPT_LISTS:]:
        path.unlink(missing_ok=True)
