"""Other readings of ComfyUI's contract, for tests of clients that must bear both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ComfyuiSwitches:
    """Other readings of ComfyUI's contract; the default is what its column "Emulator" says."""

    mints_ids: bool = False
    """Make every prompt id here, as servers before 2025 do (comfy.prompt_id)."""
    empty_node_errors: Literal["object", "list"] = "object"
    """What no errors of nodes look like (comfy.node_errors)."""
    interrupts_any: bool = False
    """Stop whatever runs, whichever id is named (comfy.interrupt)."""
    names_combos: bool = False
    """Write lists of choices as later servers do (object_info.choices)."""
    is_cloud: bool = False
    """Ask for the key in its header, and name the history as Comfy Cloud does (auth.cloud)."""
    has_jobs_routes: bool = True
    """Have the calls of 2026 (jobs.one)."""
