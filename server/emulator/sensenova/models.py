"""What is drawn with: the base models of Miaohua's list (contract: fusion_chat_with_image.model_spelling)."""

from __future__ import annotations

from typing import Final

from atelier_mcp.server.emulator.miaohua.app import MODEL_NAMES

MODELS: Final = MODEL_NAMES
"""Compared letter for letter."""
DEFAULT_MODEL: Final = "Artist_V0.1.3"
