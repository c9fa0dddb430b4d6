"""Refusals of pictures in the words of whoever named them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from atelier_mcp.server.errors import ImageRefused

if TYPE_CHECKING:
    from collections.abc import Generator


@contextmanager
def name_argument_in_errors(argument: str) -> Generator[None]:
    """Let the refusal of a picture begin with the argument that named it."""
    try:
        yield
    except ImageRefused as err:
        err.message = f"{argument}: {err.message}"
        raise
