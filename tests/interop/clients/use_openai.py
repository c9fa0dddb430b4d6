"""OpenAI's own client for Python: pictures, edits, a stream, models; one submit a call, and errors by their class."""

from __future__ import annotations

import base64
import io
import json
import os
import struct
import urllib.request
import zlib
from typing import TYPE_CHECKING, Any

import openai

if TYPE_CHECKING:
    from collections.abc import Callable

MODEL = "gpt-image-2.6-flare"


def main() -> None:
    """Print what failed, one line of JSON."""
    failures: list[str] = []
    # Its own repeats would be paid for: without them, a call is a submit.
    client = openai.OpenAI(max_retries=0)
    submits = 0
    for name, check in CHECKS.items():
        try:
            submits += check(client)
        except Exception as err:  # noqa: BLE001  # whatever a client raises is its failure
            failures.append(f"{name}: {type(err).__name__}: {err}")
    drawn = len(list_drawings())
    if not failures and drawn != submits:
        failures.append(f"{submits} calls were {drawn} submits")
    print("\nINTEROP " + json.dumps(failures), flush=True)


def check_generate(client: openai.OpenAI) -> int:
    """Two pictures in one call, with their counts."""
    answer = client.images.generate(model=MODEL, prompt="a red kite", n=2, size="1024x1024", quality="low")
    check_images(answer)
    expect(len(answer.data or []) == 2, f"{len(answer.data or [])} pictures")
    expect(answer.usage is not None and answer.usage.total_tokens > 0, "no usage")
    return 1


def check_edit(client: openai.OpenAI) -> int:
    """One file, a list of files, and a mask."""
    check_images(client.images.edit(model=MODEL, prompt="at night", image=as_file("one.png")))
    check_images(client.images.edit(model=MODEL, prompt="both", image=[as_file("one.png"), as_file("two.png")]))
    masked = client.images.edit(
        model=MODEL, prompt="a window", image=as_file("a.png"), mask=as_file("m.png", hole=True)
    )
    check_images(masked)
    return 3


def check_stream(client: openai.OpenAI) -> int:
    """Previews, then the picture; of an edit as well."""
    generated = client.images.generate(model=MODEL, prompt="a kite", stream=True, partial_images=2)
    types = [event.type for event in generated]
    expect(types == ["image_generation.partial_image"] * 2 + ["image_generation.completed"], f"events: {types}")
    edited = client.images.edit(model=MODEL, prompt="at night", image=as_file("one.png"), stream=True)
    types = [event.type for event in edited]
    expect(types == ["image_edit.completed"], f"events of an edit: {types}")
    return 2


def check_models(client: openai.OpenAI) -> int:
    """The list, and one of it."""
    expect(MODEL in [model.id for model in client.models.list()], "the model is not listed")
    expect(client.models.retrieve(MODEL).id == MODEL, "the model is not found")
    return 0


def check_errors(client: openai.OpenAI) -> int:
    """Refusals come as the classes that programs catch."""
    expect_error(openai.BadRequestError, lambda: client.images.generate(model=MODEL, prompt="a zorgblat"))
    expect_error(openai.NotFoundError, lambda: client.images.generate(model="dall-e-3", prompt="a kite"))
    stranger = openai.OpenAI(api_key="nobody", max_retries=0)
    expect_error(openai.AuthenticationError, stranger.models.list)
    return 0


CHECKS: dict[str, Callable[[openai.OpenAI], int]] = {
    "generate": check_generate,
    "edit": check_edit,
    "stream": check_stream,
    "models": check_models,
    "errors": check_errors,
}
"""Each returns how many drawings it asked for."""


def check_images(answer: Any) -> None:
    for entry in answer.data:
        expect(base64.b64decode(entry.b64_json).startswith(b"\x89PNG"), "no PNG")


def expect(is_so: bool, complaint: str) -> None:
    if not is_so:
        raise ValueError(complaint)


def expect_error(error_class: type[Exception], call: Callable[[], Any]) -> None:
    try:
        call()
    except error_class:
        return
    raise ValueError(f"no {error_class.__name__}")


def as_file(name: str, *, hole: bool = False) -> io.BytesIO:
    """A small picture as an open file; with a transparent middle where it is a mask."""
    side = 64
    rows = []
    for y in range(side):
        pixels = b"".join(
            b"\x00\x00\x00" + (b"\x00" if hole and 16 <= x < 48 and 16 <= y < 48 else b"\xff") for x in range(side)
        )
        rows.append(b"\x00" + pixels)
    header = struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b""))
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    file = io.BytesIO(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    file.name = name
    return file


def list_drawings() -> list[dict[str, Any]]:
    """What the emulator counts as paid."""
    origin = os.environ["OPENAI_BASE_URL"].rpartition("/openai/")[0]
    with urllib.request.urlopen(f"{origin}/_control/openai_images/drawings", timeout=10) as response:
        return json.load(response)["drawings"]


if __name__ == "__main__":
    main()
