"""Which providers are installed: ours by folder, those of other packages by entry point."""

from __future__ import annotations

import importlib
import logging
import os
import pkgutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from atelier_mcp.server import providers
from atelier_mcp.server.providers.spec import ProviderSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.metadata import Distribution, EntryPoint

log: logging.Logger = logging.getLogger(__name__)

ENTRY_POINT_GROUP: Final = "atelier_mcp.providers"
_METADATA_SUFFIXES: Final = (".dist-info", ".egg-info")


def discover_specs() -> tuple[ProviderSpec, ...]:
    """The specs of all installed providers, preferred first.

    What another package offers and cannot be used is left out with a warning that names the package.
    """
    specs = {spec.name: spec for spec in discover_own_specs()}
    for spec in _load_external_specs():
        if (known := specs.setdefault(spec.name, spec)) is not spec:
            # Ours win, then whichever package is found first: never two answers to one name.
            holder = known.package or "Atelier"
            log.warning("provider %s of %s is left out: %s has one of that name", spec.name, spec.package, holder)
    return _sort_by_rank(specs.values())


def discover_own_specs() -> tuple[ProviderSpec, ...]:
    """The spec of each folder beside this file, preferred first."""
    names = [module.name for module in pkgutil.iter_modules(providers.__path__) if module.ispkg]
    return _sort_by_rank(importlib.import_module(f"{providers.__name__}.{name}.spec").SPEC for name in names)


def _sort_by_rank(specs: Iterable[ProviderSpec]) -> tuple[ProviderSpec, ...]:
    return tuple(sorted(specs, key=lambda spec: (spec.rank, spec.name)))


def _load_external_specs() -> Iterator[ProviderSpec]:
    for distribution in _find_distributions():
        package = f"{distribution.name} {distribution.version}"
        for entry_point in distribution.entry_points.select(group=ENTRY_POINT_GROUP):
            if (spec := _load_spec(entry_point, package)) is not None:
                yield replace(spec, package=package)


def _load_spec(entry_point: EntryPoint, package: str) -> ProviderSpec | None:
    """The spec that an entry point names, or a warning."""
    try:
        spec = entry_point.load()
    except Exception as err:  # noqa: BLE001  # whatever another package does at import, the server starts without it
        problem = f"{type(err).__name__}: {err}"
    else:
        if isinstance(spec, ProviderSpec):
            return spec
        problem = "it is no ProviderSpec"
    log.warning("provider %s of %s is left out: %s (%s)", entry_point.name, package, problem, entry_point.value)
    return None


def _find_distributions() -> Iterator[Distribution]:
    """The installed distributions that offer providers.

    ``importlib.metadata.entry_points`` parses the entry points of every distribution there is, which takes some ten
    milliseconds of each start; looking for the group's name in the files takes one or two, with plain paths. Zip
    archives on the path are not looked into.
    """
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
