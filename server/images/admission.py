"""Admission: a picture is checked against what an upstream accepts, changed where that is harmless, and stored.

In two steps, since a request with several pictures leaves nothing behind when one of them is refused: all are fitted
before the first is stored.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from atelier_mcp.server.errors import ImageRefused
from atelier_mcp.server.images.convert import convert_to_rule, flatten_to_rule
from atelier_mcp.server.images.masks import compute_marked_share, normalize_mask
from atelier_mcp.server.images.probe import probe, verify
from atelier_mcp.server.images.provenance import Derived, DrawnMask, Imported

if TYPE_CHECKING:
    from datetime import datetime

    from atelier_mcp.server.images.exchange import ImageRule
    from atelier_mcp.server.images.handles import ImageHandle
    from atelier_mcp.server.images.opening import OpenedImage
    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.images.store import ImageStore
    from atelier_mcp.server.images.workers import ImageWorkers

FLATTENED_NOTE = "its transparency was laid on white for the service"
_RATIO_TOLERANCE = 0.01
"""Of a mask's ratio to its picture's (contract: shared.mask)."""


class Fitting(NamedTuple):
    """What a worker makes of a picture and a rule; the fields are those of ``FittedImage``."""

    new_data: bytes | None
    notes: tuple[str, ...]
    flat_data: bytes | None = None
    marked_share: float | None = None


@dataclass(frozen=True, slots=True)
class FittedImage:
    """A picture that fits its rule and is not stored yet."""

    opened_image: OpenedImage
    new_data: bytes | None
    """The bytes it was converted to; None when it fits as it was opened."""
    notes: tuple[str, ...] = ()
    """What was changed, for the reader."""
    is_resized: bool = False
    """Whether it was brought to another size than it was opened in."""
    flat_data: bytes | None = None
    """The same picture laid on white, which is sent in its place; None when nothing can be seen through."""
    marked_share: float | None = None
    """How much a mask marks, from 0 to 1; None for any other picture."""

    @property
    def is_mask(self) -> bool:
        """Whether it says where to work."""
        return self.marked_share is not None


@dataclass(frozen=True, slots=True)
class AdmittedImage:
    """A stored picture that fits its rule."""

    handle: ImageHandle
    original: ImageHandle | None = None
    """What the caller named, where the stored picture is another size of it; a request is written down with this."""
    sent_handle: ImageHandle | None = None
    """The picture that is sent in its place: the same one laid on white. None where it is sent itself."""
    link: str | None = None
    """A public link to exactly the stored bytes."""
    notes: tuple[str, ...] = ()
    """What was changed to make it fit, for the reader."""
    marked_share: float | None = None
    """How much a mask marks, from 0 to 1; None for any other picture."""


async def fit_image(
    image: OpenedImage, rule: ImageRule | None, workers: ImageWorkers, *, companion: OpenedImage | None
) -> FittedImage:
    """Check a picture for damage and against its rule; convert it where the rule needs that.

    ``companion`` is the picture whose ratio the rule wants it to have. Raises ``ImageRefused``.
    """
    # By the headers, before any bytes are read.
    if companion is not None:
        _check_ratio(image, companion)
    data = await image.read()
    if image.handle is None:  # what is stored was verified on its way into the store
        await workers.run(verify, data)
    if rule is None:
        return FittedImage(image, None)
    fit = _fit_image if rule.same_ratio_as is None else _fit_mask
    fitting = await workers.run(fit, data, image.header, rule)
    size = image.header.width, image.header.height
    return FittedImage(
        image,
        new_data=fitting.new_data,
        notes=fitting.notes,
        is_resized=rule.fit_size(size) != size,
        flat_data=fitting.flat_data,
        marked_share=fitting.marked_share,
    )


async def store_image(fitted_image: FittedImage, store: ImageStore, *, now: datetime) -> AdmittedImage:
    """Store a fitted picture, unless it lies in the store as it is."""
    admitted_image = await _store_kept(fitted_image, store, now=now)
    if fitted_image.flat_data is None:
        return admitted_image
    provenance = Derived(parents=(admitted_image.handle,), operation="flatten", changes=(FLATTENED_NOTE,))
    flat_image = await store.save(fitted_image.flat_data, provenance=provenance, now=now)
    # The link leads to the picture with its transparency, not to this one.
    return replace(admitted_image, sent_handle=flat_image.handle, link=None)


def _fit_image(data: bytes, header: ImageHeader, rule: ImageRule) -> Fitting:
    kept_data, notes = convert_to_rule(data, header, rule)
    # Identity, not equality: what needed no change comes back as the very same bytes.
    new_data = None if kept_data is data else kept_data
    if rule.keeps_transparency or not header.has_alpha:
        return Fitting(new_data, notes)
    flat_data, was_transparent = flatten_to_rule(kept_data, rule)
    return Fitting(new_data, (*notes, *(FLATTENED_NOTE,) * was_transparent), flat_data)


def _fit_mask(data: bytes, header: ImageHeader, rule: ImageRule) -> Fitting:
    """Black and white, whatever convention it came in, and how much it marks."""
    plain_mask = normalize_mask(data)
    plain_header = header if plain_mask is data else probe(plain_mask)
    fitted_data, notes = convert_to_rule(plain_mask, plain_header, rule)
    new_data = None if fitted_data is data else fitted_data
    return Fitting(new_data, tuple(notes), marked_share=compute_marked_share(fitted_data))


async def _store_kept(fitted_image: FittedImage, store: ImageStore, *, now: datetime) -> AdmittedImage:
    image, notes = fitted_image.opened_image, fitted_image.notes
    if fitted_image.new_data is None and image.handle is not None:
        return AdmittedImage(image.handle, notes=notes, marked_share=fitted_image.marked_share)
    original = image.handle
    if fitted_image.is_resized and original is None:  # results are measured by it, and get it put back
        origin = DrawnMask(base_mask=image.source) if fitted_image.is_mask else Imported(source=image.source)
        original = (await store.save(await image.read(), provenance=origin, now=now)).handle
    data = await image.read() if fitted_image.new_data is None else fitted_image.new_data
    if original is not None:
        provenance = Derived(parents=(original,), operation="convert", changes=notes)
    elif fitted_image.is_mask:
        provenance = DrawnMask(base_mask=image.source)
    else:
        provenance = Imported(source=image.source, changes=notes)
    stored = await store.save(data, provenance=provenance, now=now)
    # Behind the link lie the bytes as they were: it stands for the stored picture only while those are the same.
    return AdmittedImage(
        stored.handle,
        original=original if fitted_image.is_resized else None,
        link=image.link if fitted_image.new_data is None else None,
        notes=notes,
        marked_share=fitted_image.marked_share,
    )


def _check_ratio(image: OpenedImage, other: OpenedImage) -> None:
    header, other_header = image.header, other.header
    if (
        abs(header.width * other_header.height - other_header.width * header.height)
        <= _RATIO_TOLERANCE * other_header.width * header.height
    ):
        return
    raise ImageRefused(
        f"The picture has {header.width} x {header.height} pixels, which is not the shape of {other.place} "
        f"({other_header.width} x {other_header.height}).",
        hint=f"Give both the same width and height; make_mask draws a mask of the size of {other.place}.",
    )
