"""What a provider is built with; apart from the specs, because those are read at every start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.providers.provider import Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderContext:
    """What a factory is given beside its own settings."""

    clock: Clock
    data_folder: Path
    """A folder of the provider's own; it may not exist yet."""
    is_emulated: bool
    """The built-in emulator plays the upstream: nothing costs money, and every answer says so."""
    find_provider: Callable[[str], Provider | None]
    """Another provider by name, built now if need be; None where it is not in use, or is itself waiting for this."""
