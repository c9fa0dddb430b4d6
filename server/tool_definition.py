"""What a file under ``tools/`` states of its tool, or why it states none."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import mcp_types as types

from atelier_mcp.server.schemas import build_output_schema
from atelier_mcp.server.scopes import choose_scope
from atelier_mcp.server.tool_arguments import build_flat_arguments
from atelier_mcp.server.views.pages import STUDIO_TOOL_META

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from atelier_mcp.server.providers.operation_index import FieldOwner
    from atelier_mcp.server.requests.base import ToolArguments
    from atelier_mcp.server.schemas import Schema
    from atelier_mcp.server.tool_arguments import FlatArguments
    from atelier_mcp.server.tool_result import ToolResult

Toolset: TypeAlias = Literal[
    "create", "edit", "hands", "faces", "understand", "chat", "jobs", "library", "models", "train", "aws"
]
ToolFunction: TypeAlias = "Callable[[Any, Any], Awaitable[ToolResult]]"
"""``(request, context) -> result``."""


COST_SENTENCE: Final = re.compile(r"\s*\b(?:(?:costs|may cost) money|storage is billed)\b[^.]*\.", re.IGNORECASE)
"""What a description says of money; where nothing is charged it is not true."""


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    """A tool as its file states it."""

    name: str
    title: str
    description: str
    toolset: Toolset
    function: ToolFunction
    request_model: type[ToolArguments]
    result_model: type[ToolResult]
    annotations: types.ToolAnnotations
    capability: str | None
    """What a provider must offer for the tool to be listed; None for tools of our own."""
    waits: bool
    """Whether calls wait for a job, so that ``wait_s`` is one of the tool's arguments."""
    hidden_options: frozenset[str]
    """Call options that are accepted but not put before a model."""
    by_default: bool
    opens_studio: bool = False
    """Whether hosts that can show pages show its answers in the studio."""

    @property
    def scope(self) -> str:
        """What a token must be good for to call it."""
        return choose_scope(self.toolset, read_only=bool(self.annotations.read_only_hint))

    def without_cost(self) -> ToolDefinition:
        """The tool where it costs nothing, at the stand-in or a service of one's own: no word of money."""
        return replace(self, description=COST_SENTENCE.sub("", self.description))

    def build_arguments(
        self,
        *,
        providers: Sequence[str] = (),
        exclusive_fields: Mapping[str, str | None] | None = None,
        refused_fields: Collection[str] = (),
        field_owners: Mapping[str, Sequence[FieldOwner]] | None = None,
        brief_field_count: int | None = None,
        names_providers: bool = True,
    ) -> FlatArguments:
        """The flat arguments; with several ``providers``, one of them is to choose among these.

        ``refused_fields`` are those that none of the providers takes. ``field_owners`` are all that understand fields
        of that kind, also those that are not configured: a refusal names them. ``brief_field_count`` publishes
        that many fields of each deferred type of ``exclusive_fields``. Without ``names_providers`` a choice of services
        is published without their names.
        """
        return build_flat_arguments(
            self.request_model,
            waits=self.waits,
            hidden_options=self.hidden_options,
            providers=tuple(providers),
            exclusive_fields=exclusive_fields,
            refused_fields=refused_fields,
            field_owners=field_owners,
            brief_field_count=brief_field_count,
            names_providers=names_providers,
        )

    def to_listing(self, arguments: FlatArguments) -> types.Tool:
        """What ``tools/list`` says of it."""
        return types.Tool(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=arguments.build_schema(),
            output_schema=self.build_output_schema(),
            annotations=self.annotations,
            _meta=STUDIO_TOOL_META if self.opens_studio else None,
        )

    def build_output_schema(self) -> Schema | None:
        """What its answers look like to programs; None where pictures may come, which clients would not show then."""
        return None if self.result_model.shows_images else build_output_schema(self.result_model)


@dataclass(frozen=True, slots=True)
class BrokenTool:
    """A file that should hold a tool and does not; it is left out, and the others are served."""

    file: Path
    reason: str

    def __str__(self) -> str:
        """One sentence."""
        return f"{self.file} is left out: {self.reason}"


@dataclass(frozen=True, slots=True)
class DiscoveredTools:
    """What the files of a package hold."""

    definitions: list[ToolDefinition] = field(default_factory=list[ToolDefinition])
    """By name."""
    broken: list[BrokenTool] = field(default_factory=list[BrokenTool])
