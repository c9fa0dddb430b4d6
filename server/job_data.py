"""What a job found out besides its pictures, in words for the next call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def format_job_data(data: Mapping[str, Any], *, image_count: int = 0) -> list[str]:
    """One line each for words, faces, a trained model, our notes and the service's remarks; the rest is structured
    data alone."""
    # The service answered "I would draw this" to draw=False; beside a picture the sentence would be wrong.
    if data.get("would_draw") and not image_count:
        return ["It would draw a picture: call again with draw true."]
    lines = [data["text"]] if isinstance(data.get("text"), str) and data["text"] else []
    if "faces" in data:
        lines += _format_faces(data["faces"])
    if isinstance(data.get("model"), str):
        lines.append(f"The LoRA is {data['model']}: give it to generate_image as model in loras.")
    if isinstance(data.get("endpoint"), str):
        lines.append(f"Endpoint {data['endpoint']} is {data.get('state') or 'there'}.")
    lines += _format_cost(data)
    lines += [note for note in data.get("notes") or () if isinstance(note, str)]
    if data.get("remarks"):
        lines.append(f'The service remarks: "{data["remarks"]}"')
    return lines


def _format_cost(data: Mapping[str, Any]) -> list[str]:
    """What it cost, where a price is known, else the tokens it took."""
    cost = data.get("cost")
    match cost:
        case {"amount": str(amount), "currency": str(currency), "source": str(source)}:
            return [f"It cost about {float(amount):.3g} {currency}, by the prices of {source}."]
        case _:
            pass
    usage = data.get("usage")
    tokens = usage.get("total_tokens") if isinstance(usage, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]  # any JSON
    return [f"It took {tokens} tokens."] if isinstance(tokens, int) and tokens else []


def _format_faces(faces: Sequence[Mapping[str, Any]]) -> list[str]:
    if not faces:
        return ["No face was found. style says whether it is a photo (normal) or a drawing (anime)."]
    return [f"Face {face.get('index')}: {_format_face_place(face)}" for face in faces]


def _format_face_place(face: Mapping[str, Any]) -> str:
    """The box as a shape takes it; what the service sent where no box could be recognised in that."""
    box = face.get("box")
    if not box:
        return f"at {face.get('coords')}"
    return f"box {', '.join(f'{edge:g}' for edge in box)} (left, top, right, bottom)"
