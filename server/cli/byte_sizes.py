"""Sizes in bytes, for people."""

from __future__ import annotations


def format_bytes(size: float) -> str:
    """A size in the largest unit that leaves a whole number: ``12.3 MB``."""
    for unit in ("bytes", "KB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
