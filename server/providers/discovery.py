"""Which providers are installed: ours by folder, those of other packages by entry point."""

from __future__ import annotations

import importlib
import logging
import os
import pkgutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from atelier_mcp.server import providers
from atelier_mcp.server.providers.spec_check import find_spec_problem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from importlib.metadata import Distribution, EntryPoint

    from atelier_mcp.server.providers.spec import ProviderSpec

log: logging.Logger = logging.getLogger(__name__)

ENTRY_POINT_GROUP: Final = "atelier_mcp.providers"
_METADATA_SUFFIXES: Final = (".dist-info", ".egg-info")


@dataclass(frozen=True, slots=True)
class LeftOutProvider:
    """What another package offers as a provider and the server does without."""

    name: str
    package: str
    """The distribution and its version."""
    reason: str

    def __str__(self) -> str:
        """One sentence."""
        return f"provider {self.name} of {self.package} is left out: {self.reason}"


class DiscoveredProviders(NamedTuple):
    """What is installed."""

    specs: tuple[ProviderSpec, ...]
    """Preferred first."""
    left_out: tuple[LeftOutProvider, ...]


def discover_specs() -> tuple[ProviderSpec, ...]:
    """The specs of all installed providers, preferred first.

    What another package offers and cannot be used is left out with a warning that names the package.
    """
    discovered = discover_providers()
    for provider in discovered.left_out:
        log.warning("%s", provider)
    return discovered.specs


def discover_providers() -> DiscoveredProviders:
    """The specs of all installed providers, and what other packages offer that cannot be used."""
    specs = {spec.name: spec for spec in discover_own_specs()}
    # Of our own only: a package cannot bring a capability that no request and no tool knows.
    capabilities = {capability for spec in specs.values() for capability in spec.operations}
    left_out: list[LeftOutProvider] = []
    for found in _load_external_specs(capabilities):
        if isinstance(found, LeftOutProvider):
            left_out.append(found)
        # Ours win, then whichever package is found first: never two answers to one name.
        elif (known := specs.setdefault(found.name, found)) is not found:
            reason = f"{known.package or 'Atelier'} has one of that name"
            left_out.append(LeftOutProvider(found.name, found.package, reason))
    return DiscoveredProviders(_sort_by_rank(specs.values()), tuple(left_out))


def discover_own_specs() -> tuple[ProviderSpec, ...]:
    """The spec of each folder beside this file, preferred first."""
    names = [module.name for module in pkgutil.iter_modules(providers.__path__) if module.ispkg]
    modules = [importlib.import_module(f"{providers.__name__}.{name}.spec") for name in names]
    # A folder that serves several endpoints has a spec for each.
    return _sort_by_rank(spec for module in modules for spec in getattr(module, "SPECS", (module.SPEC,)))


def _sort_by_rank(specs: Iterable[ProviderSpec]) -> tuple[ProviderSpec, ...]:
    return tuple(sorted(specs, key=lambda spec: (spec.rank, spec.name)))


def _load_external_specs(capabilities: Collection[str]) -> Iterator[ProviderSpec | LeftOutProvider]:
    for distribution in _find_distributions():
        package = f"{distribution.name} {distribution.version}"
        for entry_point in distribution.entry_points.select(group=ENTRY_POINT_GROUP):
            yield _load_spec(entry_point, package, capabilities)


def _load_spec(entry_point: EntryPoint, package: str, capabilities: Collection[str]) -> ProviderSpec | LeftOutProvider:
    """The spec that an entry point names, or why it cannot be used."""
    try:
        spec = entry_point.load()
        problem = find_spec_problem(spec, capabilities=capabilities)
    except Exception as err:  # noqa: BLE001  # whatever another package does at import, the server starts without it
        problem = f"{type(err).__name__}: {err}"
    else:
        if problem is None:
            return replace(spec, package=package)
    return LeftOutProvider(entry_point.name, package, f"{' '.join(problem.split())} ({entry_point.value})")


def _find_distributions() -> Iterator[Distribution]:
    """The installed distributions that offer providers.

    ``importlib.metadata.entry_points`` parses the entry points of every distribution there is, which takes some ten
    milliseconds of each start; looking for the group's name in the files takes one or two, with plain paths. Zip
    archives on the path are not looked into.
    """
    # Each once: a folder can stand in the path twice, and its providers would be taken for doubles.
    for folder in dict.fromkeys(sys.path):
        for metadata_folder in _list_metadata_folders(folder or os.curdir):
            if _offers_providers(metadata_folder):
                from importlib.metadata import PathDistribution

                yield PathDistribution(Path(metadata_folder))


def _list_metadata_folders(folder: str) -> list[str]:
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208  # a Path for each costs more than the reading
        return [f"{folder}/{name}" for name in names if name.endswith(_METADATA_SUFFIXES)]
    except OSError:
        return []


def _offers_providers(metadata_folder: str) -> bool:
    try:
        # Unbuffered: nothing but the bytes is wanted, of some hundred small files that mostly do not exist.
        with open(f"{metadata_folder}/entry_points.txt", "rb", buffering=0) as file:  # noqa: PTH123  # as above
            return ENTRY_POINT_GROUP.encode() in file.read()
    except OSError:
        return False
