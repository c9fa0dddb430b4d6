"""How a stored picture came to be, as types and as the JSON that lies beside each picture under ``made``.

A document names its ``kind``. Documents written before kinds existed are told apart by what they hold; whatever
cannot be understood is kept as ``Unrecorded``, so that no picture is lost for the words beside it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, TypeAlias, assert_never, cast

from atelier_mcp.server.images.handles import is_handle
from atelier_mcp.server.images.shapes import DEFAULT_WIDTH_PX, MaskShape

_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """Made by a provider for a job."""

    job: str
    capability: str
    provider: str
    request: Mapping[str, Any]
    """The request as it was sent, as JSON, defaults left out; pictures in it are handles."""
    notes: tuple[str, ...] = ()
    seed: int | None = None
    is_emulated: bool = False
    """True when the built-in emulator made it, not the service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """Taken in from outside: the caller's file, link or data URL."""

    source: str
    """A path, a link without its query, or ``a data URL``."""
    changes: tuple[str, ...] = ()
    """What was changed to make it fit an upstream's rule, for a reader."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """Made here, of other pictures, by a local operation that costs nothing."""

    parents: tuple[str, ...]
    """Handles; the path or link of what is not stored."""
    operation: str
    """A verb, which also begins the picture's title; ``convert`` is for bytes changed to fit an upstream's rule."""
    changes: tuple[str, ...] = ()
    """What was done, for a reader."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnMask:
    """Drawn by make_mask over a picture."""

    image: str | None = None
    """The picture's handle, or its source where it was not stored; None in masks older than this record."""
    shapes: tuple[MaskShape, ...] = ()
    base_mask: str | None = None
    """The mask it started from, named as ``image`` is."""
    growth: int = 0
    """Pixels by which it was made wider, or with a minus narrower."""
    is_inverted: bool = False


WORKING_COPIES: Final = frozenset({"convert", "flatten", "tile"})
"""Operations of ``Derived`` whose pictures nobody asked for: they fit an upstream's rule, and are sent in its place."""


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """Not known in a form of ours: an unknown kind, written by another version or by hand."""

    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What was written, as it is."""


Provenance: TypeAlias = Generated | Imported | Derived | DrawnMask | Unrecorded


def is_local_result(provenance: Provenance) -> bool:
    """Whether the picture was asked for, and made here of others without a job; masks are not meant."""
    return isinstance(provenance, Derived) and provenance.operation not in WORKING_COPIES


def is_own_mask(provenance: Provenance) -> bool:
    """Whether it is a mask that was drawn over a picture by itself, and not by the way for a job."""
    return isinstance(provenance, DrawnMask) and provenance.image is not None


def is_working_copy(provenance: Provenance) -> bool:
    """Whether an image was made for an upstream alone, of one that the caller knows."""
    return isinstance(provenance, Derived) and provenance.operation in WORKING_COPIES


def provenance_to_document(provenance: Provenance) -> dict[str, Any]:
    """The JSON of a provenance. Keys are never renamed: files of earlier versions stay as they are."""
    match provenance:
        case Generated():
            return {
                "kind": "generated",
                "job": provenance.job,
                "capability": provenance.capability,
                "provider": provenance.provider,
                "is_emulated": provenance.is_emulated,
                "request": dict(provenance.request),
                "notes": list(provenance.notes),
                "seed": provenance.seed,
            }
        case Imported():
            return {"kind": "imported", "imported_from": provenance.source, "changes": list(provenance.changes)}
        case Derived():
            return {
                "kind": "derived",
                "parents": list(provenance.parents),
                "operation": provenance.operation,
                "changes": list(provenance.changes),
            }
        case DrawnMask():
            return {
                "kind": "mask",
                "image": provenance.image,
                "shapes": [shape_to_document(shape) for shape in provenance.shapes],
                "base_mask": provenance.base_mask,
                "growth": provenance.growth,
                "is_inverted": provenance.is_inverted,
            }
        case Unrecorded():
            return dict(provenance.facts)
        case _:
            assert_never(provenance)


def parse_provenance(document: Any) -> Provenance:
    """The provenance in a JSON document of any version, or of no version at all. Raises nothing."""
    if not isinstance(document, Mapping):
        return Unrecorded()
    facts = cast("Mapping[str, Any]", document)
    match _find_kind(facts):
        case "generated":
            return _parse_generated(facts)
        case "imported":
            return Imported(source=_parse_text(facts.get("imported_from")), changes=_parse_texts(facts.get("changes")))
        case "derived":
            return _parse_derived(facts)
        case "mask":
            return _parse_mask(facts)
        case None:
            return Unrecorded(dict(facts))


def hide_folders(provenance: Provenance) -> Provenance:
    """The same for a reader on another machine: of a file of this one, only its name."""
    match provenance:
        case Imported(source=source):
            return replace(provenance, source=_get_file_name(source))
        case Derived(parents=parents):
            return replace(provenance, parents=tuple(map(_get_file_name, parents)))
        case DrawnMask(image=image, base_mask=base_mask):
            return replace(
                provenance, image=image and _get_file_name(image), base_mask=base_mask and _get_file_name(base_mask)
            )
        case _:
            return provenance


def _get_file_name(source: str) -> str:
    """The last name of a local path; a handle, a link or anything else as it is."""
    is_path = source.startswith(("/", "\\", "~")) or _DRIVE.match(source) is not None
    return re.split(r"[/\\]", source)[-1] if is_path else source


def shape_to_document(shape: MaskShape) -> dict[str, Any]:
    """A shape as make_mask takes it."""
    width = {"width": shape.width} if shape.type == "stroke" else {}
    subtract = {"subtract": True} if shape.subtracts else {}
    return {"type": shape.type, "points": list(shape.points), **width, **subtract}


def _find_kind(facts: Mapping[str, Any]) -> Literal["generated", "imported", "derived", "mask"] | None:
    match facts.get("kind"):
        case "generated" | "imported" | "derived" | "mask" as kind:
            return kind
        case None:
            return _guess_kind(facts)
        case _:
            return None


def _guess_kind(facts: Mapping[str, Any]) -> Literal["generated", "imported", "derived", "mask"] | None:
    """The kind of a document from before kinds, by the one key that only such a document has."""
    if "capability" in facts:
        return "generated"
    if "imported_from" in facts:
        # A stored picture that was converted for an upstream was said to be imported from its own handle.
        return "derived" if is_handle(str(facts["imported_from"])) else "imported"
    return "mask" if facts.get("tool") == "make_mask" else None


def _parse_generated(facts: Mapping[str, Any]) -> Generated:
    request, seed = facts.get("request"), facts.get("seed")
    return Generated(
        job=_parse_text(facts.get("job")),
        capability=_parse_text(facts.get("capability")),
        provider=_parse_text(facts.get("provider")),
        request=dict(cast("Mapping[str, Any]", request)) if isinstance(request, Mapping) else {},
        notes=_parse_texts(facts.get("notes")),
        seed=seed if isinstance(seed, int) else None,
        # Earlier versions wrote the emulator's own words, under ``disclaimer``, and only for what it had made.
        is_emulated=facts.get("is_emulated") is True or bool(facts.get("disclaimer")),
    )


def _parse_derived(facts: Mapping[str, Any]) -> Derived:
    earlier_parents = [facts["imported_from"]] if "imported_from" in facts else []
    return Derived(
        parents=_parse_texts(facts.get("parents", earlier_parents)),
        operation=_parse_text(facts.get("operation")) or "convert",
        changes=_parse_texts(facts.get("changes")),
    )


def _parse_mask(facts: Mapping[str, Any]) -> DrawnMask:
    shapes = [_parse_shape(shape) for shape in _parse_list(facts.get("shapes"))]
    growth = facts.get("growth")
    return DrawnMask(
        image=_parse_text(facts.get("image")) or None,
        shapes=tuple(shape for shape in shapes if shape is not None),
        base_mask=_parse_text(facts.get("base_mask")) or None,
        growth=growth if isinstance(growth, int) else 0,
        is_inverted=facts.get("is_inverted") is True,
    )


def _parse_shape(document: Any) -> MaskShape | None:
    facts: Mapping[str, Any] = cast("dict[str, Any]", document) if isinstance(document, dict) else {}
    points = tuple(point for point in _parse_list(facts.get("points")) if isinstance(point, int))
    width = facts.get("width")
    match facts.get("type"):
        case "box" | "ellipse" | "polygon" | "stroke" as kind:
            subtracts = facts.get("subtract") is True
            return MaskShape(kind, points, width if isinstance(width, int) else DEFAULT_WIDTH_PX, subtracts)
        case _:
            return None


def _parse_text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _parse_list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _parse_texts(value: Any) -> tuple[str, ...]:
    return tuple(item for item in _parse_list(value) if isinstance(item, str))
