"""Requests that ask about a picture."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from atelier_mcp.server.requests.base import ImageReference, Request


class DescribeImage(Request):
    """A picture in words."""

    capability: ClassVar[str] = "describe_image"
    hidden_fields: ClassVar[frozenset[str]] = frozenset({"prompt"})

    image: ImageReference = Field(description="Picture")
    prompt: str | None = Field(None, min_length=1, max_length=1000, description="A question about it")

    def image_count(self) -> int:
        """Nothing: no picture is made."""
        return 0
