"""What can be set on the emulator as a whole; each upstream's folder has its own ``switches`` beside.

Nothing here comes from the environment: whoever starts the emulator hands it over.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from pathlib import Path

DAY_S: Final = 86_400.0
MEBIBYTE: Final = 1_048_576

SwitchesT = TypeVar("SwitchesT")


@dataclass(frozen=True, slots=True)
class EmulatorSettings:
    """How the emulator behaves."""

    state_dir: Path | None = None
    """Where tasks and pictures live, to be shared with other instances; a temporary folder when absent."""
    access_log: Path | None = None
    """A file that gets one JSON line per request."""
    task_seconds: float = 0.0
    """How long a task takes at least; it takes longer when its rendering does."""
    link_seconds: float = DAY_S
    """How long a result link works."""
    keep_seconds: float = 7 * DAY_S
    """How long a task and its pictures are kept; looked at when the emulator starts. Trained models stay."""
    rate_per_s: float | None = None
    """Requests an account may make in one second; no limit when absent."""
    render_slots: int = 2
    """How many tasks are rendered beside each other."""
    guards_links: bool = False
    """Whether links to model files may lead to the public internet alone: whoever asks for them may be a stranger."""
    switches: tuple[object, ...] = ()
    """Other readings of contracts: switches of some upstreams, each of which finds its own by their type."""

    def get_switches(self, kind: type[SwitchesT]) -> SwitchesT:
        """The switches of one upstream, which are of that type: those set, else the defaults."""
        # By type: settings know no upstream by its name.
        return next((switches for switches in self.switches if isinstance(switches, kind)), kind())

    def replace_switches(self, changed: object) -> EmulatorSettings:
        """These settings with one upstream's switches in the place of what it had."""
        others = (switches for switches in self.switches if type(switches) is not type(changed))
        return replace(self, switches=(*others, changed))
