"""What can be wrong with the spec of another package: found before it is used, or when its provider has been built.

Our own specs are held to the same by tests.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.providers.spec import OperationSpec, ProviderSettings, ProviderSpec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from atelier_mcp.server.providers.provider import Provider

LIST_MODELS = "list_models"
"""The one capability that no operation serves: a provider has it where it names ``model_kinds``."""
_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_FACTORY = re.compile(r"[\w.]+:\w+")


class ProviderMismatch(Exception):
    """What a factory has made is not what its spec announces."""


def find_spec_problem(spec: Any, *, capabilities: Collection[str]) -> str | None:
    """Why the server cannot use a spec, in words that follow "is left out:"; None for a sound one.

    ``capabilities`` are all that there are. Whatever else a malformed spec raises here is its problem, too.
    """
    if not isinstance(spec, ProviderSpec):
        return "it is no ProviderSpec"
    problems = (*_check_names(spec), *_check_settings(spec.settings), *_check_operations(spec, capabilities))
    return next(iter(problems), None)


def check_provider(provider: Provider, spec: ProviderSpec) -> None:
    """Raise ``ProviderMismatch`` unless a provider has the name and the capabilities that its spec announces."""
    if provider.name != spec.name:
        raise ProviderMismatch(f"its spec is named {spec.name!r}, its provider {provider.name!r}")
    served = {*provider.operations, *([LIST_MODELS] if provider.model_kinds else [])}
    if missing := spec.operations.keys() - served:
        raise ProviderMismatch(f"its spec announces {_join(missing)}, which its provider does not serve")
    if unannounced := served - spec.operations.keys():
        raise ProviderMismatch(f"its provider serves {_join(unannounced)}, which its spec does not announce")


def _check_names(spec: ProviderSpec) -> Iterator[str]:
    if not _NAME.fullmatch(spec.name):
        yield f"its name {spec.name!r} is not made of small letters, digits, _ and -"
    if not _FACTORY.fullmatch(spec.factory):
        yield f"its factory {spec.factory!r} is not written as module:function"


def _check_settings(settings: object) -> Iterator[str]:
    if not (isinstance(settings, type) and issubclass(settings, ProviderSettings)):
        yield "its settings are no class of ProviderSettings"
        return
    for name, model_field in settings.model_fields.items():
        if model_field.is_required():
            yield f"the field {name} of {settings.__name__} has no default, and unset is what a setting may be"
    for group in ("required_fields", "alternative_fields"):
        for name in getattr(settings, group):
            if name not in settings.model_fields:
                yield f"{group} of {settings.__name__} names {name}, which is no field of it"
            elif settings.model_fields[name].get_default(call_default_factory=True):
                yield f"{group} of {settings.__name__} names {name}, which has a default: it could never be missing"


def _check_operations(spec: ProviderSpec, capabilities: Collection[str]) -> Iterator[str]:
    for name, operation in spec.operations.items():
        if name not in capabilities:
            yield f"its operation {name!r} is no capability; there are {_join(capabilities)}"
        elif not isinstance(operation, OperationSpec):  # pyright: ignore[reportUnnecessaryIsInstance]  # not ours
            yield f"its operation {name} is no OperationSpec"


def _join(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
