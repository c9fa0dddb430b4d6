"""Names that a call may come with although the list of tools has others: those of earlier versions, and mistakes.

A tool or an argument that was renamed is accepted under its former name for two minor versions, and its answer says the
new one. Any other name gets a sentence that says why there is no such tool and which there are.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.settings import Settings
    from atelier_mcp.server.tool_definition import ToolDefinition

RENAMED_TOOLS: Final[Mapping[str, str]] = {  # since 0.2; goes with 0.4
    "add_checkpoint": "aws_add_checkpoint",
    "cancel_job": "cancel_jobs",
    "create_aws_dataset": "aws_create_dataset",
    "create_training": "aws_create_training",
    "create_training_base": "aws_create_training_base",
    "delete_endpoints": "aws_delete_endpoints",
    "deploy_endpoint": "aws_deploy_endpoint",
    "disable_checkpoint": "aws_disable_checkpoint",
    "list_aws_datasets": "aws_list_datasets",
    "list_checkpoints": "aws_list_checkpoints",
    "list_endpoints": "aws_list_endpoints",
    "list_inference_jobs": "aws_list_inference_jobs",
    "list_training_bases": "aws_list_training_bases",
    "list_trainings": "aws_list_trainings",
    "merge_models": "aws_merge_models",
    "segment_image": "cut_out_subject",
    "start_training": "aws_start_training",
    "test_connection": "aws_test_connection",
}
RENAMED_ARGUMENTS: Final[Mapping[str, Mapping[str, str]]] = {  # likewise
    "cancel_jobs": {"job_id": "job_ids"},
    "outpaint_image": {"ratio": "scale"},
    "remove_dataset_images": {"links": "images"},
}
SIMILARITY: Final = 0.6
"""From 0 to 1: of a name that is offered instead of an unknown one."""


def rename_arguments(tool: str, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The arguments under the names of today, and a sentence for each that came under its former one.

    Where both are given, the former stays and is refused as any unknown argument.
    """
    renamed = {
        former: name
        for former, name in RENAMED_ARGUMENTS.get(tool, {}).items()
        if former in arguments and name not in arguments
    }
    notes = [f"{former} is called {name} now." for former, name in renamed.items()]
    return {renamed.get(name, name): value for name, value in arguments.items()}, notes


@dataclass(frozen=True, slots=True)
class MissingTool:
    """Why a tool is not in the list, and what helps."""

    problem: str
    remedy: str
    toolsets: str = ""
    """The value of ``ATELIER_TOOLSETS`` that would list it, where that is what is missing."""


def explain_missing_tool(name: str, settings: Settings) -> MissingTool:
    """Why there is no such tool: its toolset is off, no configured service has it, or nothing is called so.

    Loads every tool: call it in a thread.
    """
    from atelier_mcp.server import registry

    definitions = {definition.name: definition for definition in registry.discover(toolsets=("all",)).definitions}
    definition = definitions.get(RENAMED_TOOLS.get(name, name))
    if definition is None:
        near = difflib.get_close_matches(name.replace("-", "_").lower(), definitions, n=2, cutoff=SIMILARITY)
        remedy = f"Did you mean {' or '.join(near)}?" if near else "Call one of those that are listed."
        return MissingTool(f"There is no tool {name[:60]!r}.", remedy)
    return _explain_absence(definition, settings)


def _explain_absence(definition: ToolDefinition, settings: Settings) -> MissingTool:
    """Why a tool that exists is not in the list."""
    from atelier_mcp.server import registry
    from atelier_mcp.server.providers import selection

    usable = selection.find_usable_providers(settings)
    capability = definition.capability
    if capability and capability not in selection.map_providers_by_capability(usable):
        variables = selection.describe_settings_for(capability, settings)
        return MissingTool(f"{definition.name} is served by no service that is configured.", f"Set {variables}.")
    toolsets = {*(settings.toolsets or registry.DEFAULT_TOOLSETS), definition.toolset}
    value = ",".join(sorted(toolsets, key=registry.TOOLSETS.index))
    return MissingTool(
        f"{definition.name} is in toolset {definition.toolset}, which is off.",
        f"Whoever runs the server switches it on with ATELIER_TOOLSETS={value}.",
        value,
    )
