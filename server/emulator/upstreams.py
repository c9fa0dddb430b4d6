"""The emulated services, found by folder: a folder of this package whose ``app.py`` has an ``UPSTREAM``.

Nothing else knows them by name, so that one more is one folder more. All folders have one shape: ``app`` (routes, and
all that others may import), ``calls`` (what a handler gets), ``auth``, ``errors``, ``parameters``, ``models``,
``switches`` (other readings of the contract), and a file for each family of calls, whose ``build_rows`` lists method,
path and handler of each.
"""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from atelier_mcp.server import emulator as package

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.routing import BaseRoute

    from atelier_mcp.server.emulator.accounts import Account
    from atelier_mcp.server.emulator.state import EmulatorState


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatedUpstream:
    """One emulated service."""

    name: str
    """The name of its folder, of its provider, and the first part of its paths."""
    contract: str
    """The name of its contract, which the access log shows."""
    build_routes: Callable[[EmulatorState], Sequence[BaseRoute]]
    """Its routes below ``/name``, answering out of an emulator."""
    build_error_body: Callable[[int], Any]
    """What it says with an HTTP status when it says nothing else, for faults on order."""
    switches: type[Any]
    """The dataclass of its switches, all with defaults; see :class:`EmulatorSettings`."""
    accounts: tuple[Account, ...]
    """Who may call it from the start."""
    build_client_settings: Callable[[str], Mapping[str, str]]
    """The environment variables that lead a client to its address with the account above."""


def find_upstreams() -> dict[str, EmulatedUpstream]:
    """The emulated services by name, in the order of their names."""
    # Packages are upstreams; the modules beside them are the emulator itself.
    names = [module.name for module in pkgutil.iter_modules(package.__path__) if module.ispkg]
    found = [import_module(f"{package.__name__}.{name}.app").UPSTREAM for name in names]
    return {upstream.name: upstream for upstream in found}


def collect_client_settings(base_url: str) -> dict[str, str]:
    """The environment variables that lead a client to every service of the emulator at ``base_url``."""
    return {
        variable: value
        for name, upstream in find_upstreams().items()
        for variable, value in upstream.build_client_settings(f"{base_url}/{name}").items()
    }
