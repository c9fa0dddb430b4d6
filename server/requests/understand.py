"""Requests that ask about a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from atelier_mcp.server.requests.base import ImageReference, Request


class DescribeImage(Request):
    """A picture in words, or the answer to a question about it."""

    capability: ClassVar[str] = "describe_image"
    other_ways: ClassVar[Mapping[str, str]] = {
        "question": "The description may have the answer; view_image shows you the picture."
    }
    hidden_fields: ClassVar[frozenset[str]] = frozenset({"question"})

    image: ImageReference = Field(description="Picture")
    question: str | None = Field(None, min_length=1, max_length=1000, description="Answer it instead (SD.Next)")

    def image_count(self) -> int:
        """Nothing: no picture is made."""
        return 0
