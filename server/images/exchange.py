"""What images and upstream services agree on: what a service takes, how it gets it, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol, runtime_checkable

from atelier_mcp.server.images.placement import enlarge_to_minimum


class DeliveryMethod(Enum):
    """How a picture can reach an upstream."""

    LINK = "link"
    BASE64 = "base64"
    UPLOAD = "upload"


@dataclass(frozen=True, slots=True)
class ImageRule:
    """What an upstream accepts in one picture argument. Sides in pixels, both ends allowed."""

    min_side_px: int = 256
    max_side_px: int = 6000
    max_bytes: int = 8_000_000
    formats: frozenset[str] = frozenset({"JPEG", "PNG", "WEBP"})
    deliveries: tuple[DeliveryMethod, ...] = (DeliveryMethod.LINK,)
    same_ratio_as: str | None = None
    """Another picture argument whose ratio this one must have within 1 % (masks)."""
    keeps_transparency: bool = False
    """False: what can be seen through is laid on white first, since nobody says what the service would lay it on."""
    resize_to: tuple[int, int] | None = None
    """Bring it to this size first, width and height in pixels; the limits are then those of the new size."""
    keeps_coordinates: bool = False
    """Whether a picture under ``min_side_px`` gets a border at the right and below instead of being enlarged: where
    the answer is coordinates, they are then the caller's."""

    def fit_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """The size in which a picture of ``size`` is sent: brought to the minimum, by a border or in its ratio."""
        if self.resize_to is not None:
            return self.resize_to
        if self.keeps_coordinates:
            return max(size[0], self.min_side_px), max(size[1], self.min_side_px)
        return enlarge_to_minimum(size, self.min_side_px)


@dataclass(frozen=True, slots=True)
class OutputImage:
    """One finished picture: a link that expires, or the bytes themselves."""

    url: str | None = None
    data: bytes | None = None
    seed: int | None = None


@runtime_checkable
class ImageUploader(Protocol):
    """A service that takes pictures in and gives public links to them, for itself and for others."""

    async def upload(self, data: bytes, media_type: str) -> str:
        """A link under which services on the internet reach the picture for a while."""
        ...
