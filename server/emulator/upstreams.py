"""The emulated services, found by folder: a folder of this package whose ``app.py`` has an ``UPSTREAM``.

Nothing else knows them by name, so that one more is one folder more. All folders have one shape: ``app`` (routes, and
all that others may import), ``calls`` (what a handler gets), ``auth``, ``errors``, ``parameters``, ``models``,
``switches`` (other readings of the contract), and a file for each family of calls, whose ``build_rows`` lists method,
path and handler of each.
"""

from __future__ import annotations

import json
import pkgutil
from dataclasses import dataclass, fields
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
    """The name of its folder and of its provider."""
    contract: str
    """The name of its contract, which the access log shows."""
    build_routes: Callable[[EmulatorState], Sequence[BaseRoute]]
    """Its routes below its ``prefix``, answering out of an emulator."""
    build_error_body: Callable[[int], Any]
    """What it says with an HTTP status when it says nothing else, for faults on order."""
    switches: type[Any]
    """The dataclass of its switches, all with defaults; see :class:`EmulatorSettings`."""
    accounts: tuple[Account, ...]
    """Who may call it from the start."""
    build_client_settings: Callable[[str], Mapping[str, str]]
    """The environment variables that lead a client to its address with the account above."""
    mount: str = ""
    """The first part of its paths, where that is not its name."""
    build_control_routes: Callable[[EmulatorState], Sequence[BaseRoute]] | None = None
    """Its own part of the control API, below ``/_control/name``."""

    @property
    def prefix(self) -> str:
        """The first part of its paths."""
        return self.mount or self.name


def find_upstreams() -> dict[str, EmulatedUpstream]:
    """The emulated services by name, in the order of their names."""
    # Packages are upstreams; the modules beside them are the emulator itself.
    names = [module.name for module in pkgutil.iter_modules(package.__path__) if module.ispkg]
    found = [import_module(f"{package.__name__}.{name}.app").UPSTREAM for name in names]
    return {upstream.name: upstream for upstream in found}


def parse_switches(assignments: Sequence[str]) -> tuple[object, ...]:
    """The switches that ``service.name=value`` texts set, one object per service; values are JSON or plain text.

    Raises ValueError for a service, a name or a value there is not.
    """
    upstreams, values = find_upstreams(), dict[str, dict[str, Any]]()
    for assignment in assignments:
        target, _, text = assignment.partition("=")
        service, _, name = target.partition(".")
        if service not in upstreams:
            raise ValueError(f"{assignment} names no service; there are {', '.join(upstreams)}")
        known = {field.name: field.type for field in fields(upstreams[service].switches)}
        if name not in known:
            raise ValueError(f"{service} has no switch {name or '(none)'}; there are {', '.join(known) or 'none'}")
        values.setdefault(service, {})[name] = _parse_value(text, str(known[name]))
    return tuple(upstreams[service].switches(**chosen) for service, chosen in values.items())


def _parse_value(text: str, kind: str) -> Any:
    """A value of a switch whose type is written ``kind``: numbers and flags are JSON, texts are what they are."""
    if not any(word in kind for word in ("bool", "int", "float")):
        return text
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError(f"{text} is no {kind}") from None


def collect_client_settings(base_url: str) -> dict[str, str]:
    """The environment variables that lead a client to every service of the emulator at ``base_url``."""
    return {
        variable: value
        for upstream in find_upstreams().values()
        for variable, value in upstream.build_client_settings(f"{base_url}/{upstream.prefix}").items()
    }
