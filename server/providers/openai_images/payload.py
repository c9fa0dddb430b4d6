"""A planned request as it goes over the wire: one call's path, fields and pictures, in the server's own dialect."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.openai_images.size_rules import RatioSizes

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from atelier_mcp.server.images.finish_plan import Size
    from atelier_mcp.server.providers.openai_images.servers import ServerDialect
    from atelier_mcp.server.providers.openai_images.size_rules import SizeRule

CALL_TIMEOUT_S: Final = 600.0
READ_TIMEOUT_S: Final = 300.0
"""Without a byte (contract: conventions.timing)."""
OPTIONAL_FIELDS: Final = frozenset(
    {"background", "complexity", "input_fidelity", "moderation", "output_compression", "output_format",
     "partial_images", "quality", "response_format", "size", "stream"}
)  # fmt: skip
"""What a server that refuses it may be asked without: the refusal cost nothing (contract: tolerant_client)."""
_TYPES: Final = ((b"\x89PNG", "png"), (b"\xff\xd8", "jpeg"), (b"RIFF", "webp"))


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawingFields:
    """What is to be drawn, in our own words."""

    model: str
    prompt: str
    negative_prompt: str | None = None
    sent_size: Size | None = None
    count: int = 1
    seed: int | None = None
    steps: int | None = None
    guidance: float | None = None
    extends_prompt: bool = False
    streams: bool = False
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Fields of OpenAI's own, by their names on the wire."""
    images: Sequence[bytes] = ()
    mask: bytes | None = None
    """In the portable form."""


@dataclass(frozen=True, slots=True)
class DrawingCall:
    """One call in a server's dialect."""

    path: str
    fields: Mapping[str, Any]
    parts: tuple[tuple[str, tuple[str, bytes, str]], ...] = ()
    """Pictures of a form; a call without is JSON."""

    def build_request(self, headers: Mapping[str, str], *, without: Collection[str] = ()) -> HttpRequest:
        """The request with the fields that are not to be left out."""
        fields = {name: value for name, value in self.fields.items() if name not in without}
        form = {name: _to_form_value(value) for name, value in fields.items()}
        return HttpRequest(
            "POST",
            self.path,
            is_submit=True,
            headers=headers,
            body=None if self.parts else fields,
            form=form if self.parts else None,
            files=self.parts,
            read_timeout_s=READ_TIMEOUT_S,
        )


def build_call(server: ServerDialect, sizes: SizeRule | None, drawing: DrawingFields) -> DrawingCall:
    """The call that draws it."""
    fields = _build_fields(server, sizes, drawing)
    if not drawing.images:
        return DrawingCall(server.generations_path, fields)
    if drawing.mask is not None and server.mask_path:
        return DrawingCall(server.mask_path, fields, _build_parts(server, drawing))
    match server.edit_style:
        case "multipart" if "moderation" in fields and server.takes_json_edits:
            images = [{"image_url": to_data_url(image)} for image in drawing.images]
            mask = {"mask": {"image_url": to_data_url(drawing.mask)}} if drawing.mask is not None else {}
            return DrawingCall(server.edits_path, {**fields, "images": images, **mask})
        case "multipart":
            # Not in the multipart form of edits (contract: edits.moderation).
            form = {name: value for name, value in fields.items() if name != "moderation"}
            return DrawingCall(server.edits_path, form, _build_parts(server, drawing))
        case "json_images":
            images = [{"image_url": to_data_url(image)} for image in drawing.images]
            return DrawingCall(server.edits_path, {**fields, "images": images})
        case "json_image_url":
            images = [{"url": to_data_url(image), "type": "image_url"} for image in drawing.images]
            named = {"image": images[0]} if len(images) == 1 else {server.images_field: images}
            return DrawingCall(server.edits_path, {**fields, **named})
        case _:
            return DrawingCall(server.generations_path, {**fields, **_name_images(server, drawing.images)})


def _build_fields(server: ServerDialect, sizes: SizeRule | None, drawing: DrawingFields) -> dict[str, Any]:
    fields: dict[str, Any] = {"model": drawing.model, "prompt": _build_prompt(server, drawing)}
    if drawing.count > 1:
        fields[server.n_field] = drawing.count
    if drawing.sent_size is not None:
        fields |= _build_size(server, sizes, drawing.sent_size)
    if drawing.negative_prompt and server.negative == "field":
        fields["negative_prompt"] = drawing.negative_prompt
    named = {
        server.seed_field if server.seed_field != "tag" else "": drawing.seed,
        server.steps_field: drawing.steps,
        server.guidance_field: drawing.guidance,
        server.strict_prompt_field: drawing.extends_prompt,
        "response_format": server.response_format or None,
    }
    fields |= {name: value for name, value in named.items() if name and value is not None}
    # The default of a mark may change, and would stamp the vendor's sign: it is always said.
    fields |= dict(server.fixed_fields)
    fields |= drawing.options
    # A stream keeps proxies awake and costs nothing more without previews (contract: streaming.use_for_ledger).
    return fields | ({"stream": True, "partial_images": 0} if drawing.streams else {})


def _build_prompt(server: ServerDialect, drawing: DrawingFields) -> str:
    """The prompt, with what has no field of its own in it."""
    if server.negative == "pipe" and drawing.negative_prompt:
        return f"{drawing.prompt}|{drawing.negative_prompt}"
    if server.negative != "tag":
        return drawing.prompt
    given = {"seed": drawing.seed, "negative_prompt": drawing.negative_prompt or None}
    tagged = {name: value for name, value in given.items() if value is not None}
    tag = f"<sd_cpp_extra_args>{json.dumps(tagged, ensure_ascii=False)}</sd_cpp_extra_args>"
    return f"{drawing.prompt} {tag}" if tagged else drawing.prompt


def _build_size(server: ServerDialect, sizes: SizeRule | None, size: Size) -> dict[str, Any]:
    text = f"{size[0]}x{size[1]}"
    match server.size_style:
        case "wxh":
            return {"size": text}
        case "image_size":
            return {"image_size": text}
        case "width_height":
            return {"width": size[0], "height": size[1]}
        case "aspect_ratio":
            assert isinstance(sizes, RatioSizes)  # noqa: S101  # for the type checker
            ratio, resolution = sizes.find_names(size)
            return {"aspect_ratio": ratio, "resolution": resolution}


def _name_images(server: ServerDialect, images: Sequence[bytes]) -> dict[str, Any]:
    """Pictures in the fields of a JSON body that has no list of objects."""
    texts = [to_data_url(image) if server.image_style == "data_url" else to_base64(image) for image in images]
    if server.id == "openrouter":
        return {server.images_field: [{"type": "image_url", "image_url": {"url": text}} for text in texts]}
    if "{n}" in server.images_field:
        names = [server.image_field, *(server.images_field.format(n=n) for n in range(2, len(texts) + 1))]
        return dict(zip(names, texts, strict=True))
    if len(texts) == 1:
        return {server.image_field: texts[0]}
    return {server.images_field: texts}


def _build_parts(server: ServerDialect, drawing: DrawingFields) -> tuple[tuple[str, tuple[str, bytes, str]], ...]:
    name = server.image_field if len(drawing.images) == 1 else server.images_field
    # Each with a name and a type: application/octet-stream is refused by some (contract: conventions.multipart).
    parts = [(name, _build_file(f"image-{index}", image)) for index, image in enumerate(drawing.images)]
    if drawing.mask is not None:
        parts.append((server.mask_field if not server.mask_path else "mask", _build_file("mask", drawing.mask)))
    return tuple(parts)


def _build_file(name: str, data: bytes) -> tuple[str, bytes, str]:
    kind = find_kind(data)
    return f"{name}.{kind}", data, f"image/{kind}"


def find_kind(data: bytes) -> str:
    """``png``, ``jpeg`` or ``webp``, by the bytes."""
    return next((kind for sign, kind in _TYPES if data.startswith(sign)), "png")


def to_base64(data: bytes) -> str:
    """As text."""
    from base64 import b64encode

    return b64encode(data).decode("ascii")


def to_data_url(data: bytes) -> str:
    """With its type in front, in lower case."""
    return f"data:image/{find_kind(data)};base64,{to_base64(data)}"


def _to_form_value(value: Any) -> str:
    """Form values are text: numbers in decimal, booleans as JSON has them (contract: conventions.transport)."""
    return value if isinstance(value, str) else json.dumps(value)
