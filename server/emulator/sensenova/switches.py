"""Other readings of SenseNova's contract, for tests of clients that must bear both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

SensenovaTextKeys: TypeAlias = Literal["both", "content", "message"]


@dataclass(frozen=True, slots=True)
class SensenovaSwitches:
    """Other readings of SenseNova's contract; the default is what its column "Emulator" says."""

    done_terminator: bool = False
    """End the fusion stream with the mark the table promises and the sample lacks
    (fusion_chat_with_image.done_terminator)."""
    text_keys: SensenovaTextKeys = "both"
    """Under which names a whole answer has its words (chat_completions.text_key)."""
