"""Which tools the settings offer and what each is offered with, known from specs: no tool and no provider is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.providers import selection

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.providers.operation_index import FieldOwner
    from atelier_mcp.server.providers.spec import ProviderSpec
    from atelier_mcp.server.settings import Settings
    from atelier_mcp.server.tool_arguments import FlatArguments
    from atelier_mcp.server.tool_definition import ToolDefinition

_BRIEF_FIELDS: Final = 2
"""Of an object that one service alone understands; of several services one field each."""
_FEW_SERVICES: Final = 4
"""Where more are configured, list_models alone names them, and generate_image alone describes fields of their own."""


@dataclass(frozen=True, slots=True)
class ToolPlan:
    """What decides about the list of tools, all of it from the settings."""

    toolsets: tuple[str, ...]
    """Those asked for; empty for the default ones."""
    is_emulated: bool
    """The built-in emulator plays every service: nothing costs money."""
    providers_by_capability: Mapping[str, tuple[str, ...]]
    """Those that are configured, preferred first."""
    exclusive_fields: Mapping[str, Mapping[str, str | None]]
    """By capability: the fields that one of these providers alone understands, each with its type if it is deferred."""
    refused_fields: Mapping[str, frozenset[str]]
    """By capability: the fields that none of these providers takes."""
    field_owners: Mapping[str, Mapping[str, Sequence[FieldOwner]]]
    """By capability: those fields and all others of the kind, each with every installed provider that understands it.
    """
    specs: tuple[ProviderSpec, ...]
    """Of the providers that are configured."""
    free_names: frozenset[str]
    """Those of the providers that charge nothing."""

    @property
    def withholds_training(self) -> bool:
        """Whether a service could train, and the tools for it are switched off."""
        return "train_lora" in self.providers_by_capability and not {"train", "all"}.intersection(self.toolsets)

    def is_free(self, definition: ToolDefinition) -> bool:
        """Whether nothing that the tool does costs money, whichever provider serves it."""
        names = self.providers_by_capability.get(definition.capability or "", ())
        return self.is_emulated or (bool(names) and self.free_names.issuperset(names))

    def build_arguments(self, definition: ToolDefinition) -> FlatArguments:
        """The flat arguments of one tool."""
        capability = definition.capability or ""
        return definition.build_arguments(
            providers=self.providers_by_capability.get(capability, ()),
            exclusive_fields=self.exclusive_fields.get(capability, {}),
            refused_fields=self.refused_fields.get(capability, ()),
            field_owners=self.field_owners.get(capability, {}),
            # Whoever asked for no toolset is spared the long schemas of one service, and of many what others say.
            brief_field_count=None if self.toolsets else self._count_brief_fields(definition),
            names_providers=bool(self.toolsets) or not self._is_crowded or definition.name == "list_models",
        )

    @property
    def _is_crowded(self) -> bool:
        return len(self.specs) > _FEW_SERVICES

    def _count_brief_fields(self, definition: ToolDefinition) -> int:
        if self._is_crowded and definition.name != "generate_image":
            return 0
        return _BRIEF_FIELDS // min(len(self.specs), _BRIEF_FIELDS)


def plan_tools(settings: Settings) -> ToolPlan:
    """The plan for these settings.

    Raises ``ConfigurationError`` for half a set of credentials and for a preferred provider without any.
    """
    usable = selection.find_usable_providers(settings)
    names = {provider.spec.name for provider in usable}
    operations = selection.index_operations(settings)
    providers_by_capability = selection.map_providers_by_capability(usable)
    return ToolPlan(
        toolsets=tuple(settings.toolsets),
        is_emulated=not selection.find_configured_providers(settings),
        providers_by_capability=providers_by_capability,
        exclusive_fields={
            capability: operations.find_exclusive_fields(capability, names) for capability in providers_by_capability
        },
        refused_fields={
            capability: operations.find_refused_fields(capability, names) for capability in providers_by_capability
        },
        field_owners={capability: operations.find_field_owners(capability) for capability in providers_by_capability},
        specs=tuple(provider.spec for provider in usable),
        free_names=frozenset(p.spec.name for p in usable if p.spec.is_free_with(p.settings)),
    )
