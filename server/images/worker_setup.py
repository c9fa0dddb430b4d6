"""What a worker of the images package does before its first call."""

from __future__ import annotations

import importlib


def load_decoders() -> None:
    """Load Pillow with what most pictures need, before a limit on memory is set."""
    for module in ("PIL.JpegImagePlugin", "PIL.PngImagePlugin", "PIL.ImageCms"):
        importlib.import_module(module)
