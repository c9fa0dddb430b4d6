"""What can be looked up of the operations of all providers at once: deadlines, and who understands which field."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final, NamedTuple

from atelier_mcp.server.providers.spec import OperationSpec

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from atelier_mcp.server.providers.spec import ProviderSpec

_PLAIN_OPERATION: Final = OperationSpec()


class FieldOwner(NamedTuple):
    """A provider that understands a field of a request that others do not."""

    name: str
    required_settings: str
    """What to set so that it can be asked: ``COMFYUI_URL``."""
    type_path: str | None = None
    """The ``module:Class`` that it means by the field; None where the request's type is it."""


class OperationIndex:
    """The operations of all providers, by provider and capability."""

    def __init__(
        self, specs: Sequence[ProviderSpec] = (), *, required_settings: Mapping[str, str] | None = None
    ) -> None:
        """Where several specs claim a field for themselves, it is theirs together.

        ``required_settings`` says what to set so that a provider can be asked, where that is not its credentials.
        """
        self._operations = {
            (spec.name, name): operation for spec in specs for name, operation in spec.operations.items()
        }
        settings = {spec.name: spec.settings.format_required_variables() for spec in specs}
        settings |= dict(required_settings or {})
        self._owners: dict[str, dict[str, list[FieldOwner]]] = {}
        for (provider_name, capability), operation in self._operations.items():
            for field_name, type_path in operation.exclusive_fields.items():
                owner = FieldOwner(provider_name, settings[provider_name], type_path)
                self._owners.setdefault(capability, {}).setdefault(field_name, []).append(owner)

    def find(self, provider_name: str, capability: str) -> OperationSpec:
        """The operation; a plain one for a provider that is not installed any more, whose jobs the ledger may hold."""
        return self._operations.get((provider_name, capability), _PLAIN_OPERATION)

    def polls_from_start(self, provider_name: str, capability: str) -> bool:
        """True for work that goes on only while it is polled."""
        return self.find(provider_name, capability).polls_from_start

    def find_field_owners(self, capability: str) -> Mapping[str, Sequence[FieldOwner]]:
        """The fields of a capability's request that some providers alone understand, each with these."""
        return self._owners.get(capability, {})

    def find_refused_fields(self, capability: str, provider_names: Collection[str]) -> frozenset[str]:
        """The fields of a capability's request that none of these providers takes, as far as they have it."""
        refused = [
            operation.refused_fields
            for (name, of_capability), operation in self._operations.items()
            if of_capability == capability and name in provider_names
        ]
        return functools.reduce(frozenset[str].intersection, refused) if refused else frozenset()

    def find_exclusive_fields(self, capability: str, provider_names: Collection[str]) -> dict[str, str | None]:
        """The fields that these providers alone understand, each with its type where that is deferred.

        Where they mean several types by it, these stand there with ``|`` between them.
        """
        found: dict[str, str | None] = {}
        for field_name, owners in self.find_field_owners(capability).items():
            paths = [owner.type_path for owner in owners if owner.name in provider_names]
            if paths:
                found[field_name] = "|".join(dict.fromkeys(path for path in paths if path)) or None
        return found
