"""Which WebUI is played, and other readings of its contract, for tests of clients that must bear them all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

WebuiVariant: TypeAlias = Literal["a1111", "reforge", "forge", "forge_classic", "sdnext", "sdcpp"]


@dataclass(frozen=True, slots=True)
class SdWebuiSwitches:
    """Other readings of the WebUI's contract; the default is AUTOMATIC1111 with every extension."""

    variant: WebuiVariant = "a1111"
    """Which server of the family it is (variants)."""
    asks_credentials: bool = False
    """Started with a user and a password (auth)."""
    guards_extensions: bool = False
    """Ask for them on the routes of extensions, too (auth.extensions)."""
    has_page: bool = True
    """Without its page there is no task progress (internal.nowebui)."""
    refuses_unknown_samplers: bool = False
    """As before version 1.9, instead of drawing with the first one (txt2img.scheduler)."""
    has_controlnet: bool = True
    """The extension for controls is installed."""
    has_rembg: bool = True
    """The extension that removes backgrounds is installed."""
    has_reactor: bool = True
    """The extension that swaps faces is installed."""
