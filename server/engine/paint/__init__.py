"""Pictures from words: paint what a prompt names, without any model."""

from __future__ import annotations

from atelier_mcp.server.engine.paint.renderer import build_palette, find_main_subject, paint, paint_element

__all__ = ["build_palette", "find_main_subject", "paint", "paint_element"]
