"""What is drawn with: the base models of Miaohua's list (contract: fusion_chat_with_image.model_spelling)."""

from __future__ import annotations

from typing import Final

from atelier_mcp.server.emulator.miaohua.app import MODEL_NAMES

DEFAULT_MODEL: Final = "Artist_V0.1.3"
_MODELS: Final = frozenset(name.lower() for name in MODEL_NAMES)


def is_model(name: str) -> bool:
    """Whether pictures are drawn with a model of that name, in whatever letter case.

    A space and an underscore are two things: the printed refusal has the one where a client that is served sends the
    other.
    """
    return name.lower() in _MODELS
