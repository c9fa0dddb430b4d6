"""What the jobs ask of the pictures; ``atelier_mcp.server.images`` does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from atelier_mcp.server.images.exchange import ImageRule, OutputImage
    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.images.provenance import Generated


class OpenedImageProtocol(Protocol):
    """A picture as the caller named it, found and probed."""

    @property
    def header(self) -> ImageHeader:
        """What its first bytes say."""
        ...


class AdmittedImageProtocol(Protocol):
    """A stored picture that an upstream's rules allow."""

    @property
    def handle(self) -> str:
        """Its name here."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What was changed to make it fit, for the reader."""
        ...


class StoredImageProtocol(Protocol):
    """A result in the store."""

    @property
    def handle(self) -> str:
        """Its name here."""
        ...

    @property
    def path(self) -> Path:
        """Its file."""
        ...


class ImagePipelineProtocol(Protocol):
    """Pictures on their way to an upstream and back. All mappings are by place in the request."""

    async def open(self, references: Mapping[str, str]) -> Mapping[str, OpenedImageProtocol]:
        """Find and probe pictures. Raises ``ImageRefused``."""
        ...

    async def admit(
        self, opened_images: Mapping[str, Any], rules: Mapping[str, ImageRule], *, now: datetime
    ) -> Mapping[str, AdmittedImageProtocol]:
        """Check what ``open`` found against rules, then store it. Raises ``ImageRefused``."""
        ...

    async def deliver(
        self, admitted_images: Mapping[str, Any], rules: Mapping[str, ImageRule], *, local: bool
    ) -> Mapping[str, str]:
        """A link or base64 for each picture that ``admit`` let in, as its rule asks."""
        ...

    async def store_output(
        self, output: OutputImage, *, provenance: Generated, allow_hosts: frozenset[str], now: datetime
    ) -> StoredImageProtocol:
        """Download a result if need be and store it. ``allow_hosts`` are reached though they are not public."""
        ...
