"""Pictures from words: paint what a prompt names, without any model."""

from __future__ import annotations

from atelier_mcp.server.engine.paint.picture import element, main_subject, paint, palette_of

__all__ = ["element", "main_subject", "paint", "palette_of"]
