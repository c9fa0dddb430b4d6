"""Other readings of the images API's contract, for tests of clients that must bear both."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OpenaiImagesSwitches:
    """Other readings of the images API's contract; the default is what its column "Emulator" says."""

    strict: bool = True
    """Refuse fields that the model does not have, instead of ignoring them (unknown_params)."""
    done_terminator: bool = False
    """End a stream with the mark that some servers send (stream.done)."""
    refuses_transparent_2: bool = False
    """gpt-image-2 draws nothing transparent, as until summer 2026 (models.2_transparent)."""
    disturbs_outside: bool = False
    """Change pixels beyond the mask as well (edits.outside_mask)."""
    unlisted_model: str = ""
    """A model that can be called though it is not listed (models.incomplete)."""
    throttle_s: float = 0.0
    """So long after the first of them, calls of SenseNova's model are refused as if for ever (sensenova.403)."""
    serves_variations: bool = False
    """Serve the retired call for old clients (images.variations)."""
    returns_links: bool = False
    """Answer with links where nothing else is asked for, as some servers do (dialects.siliconflow)."""
