"""What can be looked up of the operations of all providers at once: deadlines, and who understands which field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from atelier_mcp.server.providers.spec import OperationSpec

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from atelier_mcp.server.providers.spec import ProviderSpec

_PLAIN_OPERATION: Final = OperationSpec()


class OperationIndex:
    """The operations of all providers, by provider and capability."""

    def __init__(self, specs: Sequence[ProviderSpec] = ()) -> None:
        """Where two specs claim a field for themselves, it belongs to the first."""
        self._operations = {
            (spec.name, name): operation for spec in specs for name, operation in spec.operations.items()
        }
        self._owners: dict[str, dict[str, str]] = {}
        for (provider_name, capability), operation in self._operations.items():
            for field_name in operation.exclusive_fields:
                self._owners.setdefault(capability, {}).setdefault(field_name, provider_name)

    def find(self, provider_name: str, capability: str) -> OperationSpec:
        """The operation; a plain one for a provider that is not installed any more, whose jobs the ledger may hold."""
        return self._operations.get((provider_name, capability), _PLAIN_OPERATION)

    def polls_from_start(self, provider_name: str, capability: str) -> bool:
        """True for work that goes on only while it is polled."""
        return self.find(provider_name, capability).polls_from_start

    def find_field_owners(self, capability: str) -> Mapping[str, str]:
        """The fields of a capability's request that one provider alone understands, each with its name."""
        return self._owners.get(capability, {})

    def find_exclusive_fields(self, capability: str, provider_names: Collection[str]) -> dict[str, str | None]:
        """The fields that one of these providers alone understands, each with its type where that is deferred."""
        return {
            field_name: self.find(owner, capability).exclusive_fields[field_name]
            for field_name, owner in self.find_field_owners(capability).items()
            if owner in provider_names
        }
