"""HEIC and AVIF files whose boxes say what is not so: damaged, in a sentence, whatever their decoders make of it."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, Final

import pytest
from PIL import Image

from atelier_mcp.server.errors import ImageRefused
from atelier_mcp.server.images.decode import decode_upright
from atelier_mcp.server.images.formats import ACCEPTED_FORMATS_HINT
from atelier_mcp.server.images.probe import verify
from atelier_mcp.server.images.workers import ImageWorkers
from tests.support.image_attack import IS_FULL, open_image_attack
from tests.support.image_bombs import encode

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.support.image_attack import ImageAttack

KINDS: Final = rb"ftyp|meta|hdlr|pitm|iloc|iinf|infe|iprp|ipco|ispe|pixi|av1C|hvcC|colr|ipma|mdat|iref"
BOX: Final = re.compile(rb"....(" + KINDS + rb")", re.DOTALL)
LIES: Final = (0, 1, 7, 8, 255, 2**16, 2**31 - 1, 2**32 - 1)
FORMATS: Final = ("AVIF", "HEIF")


def build_container(image_format: str) -> bytes:
    """A sound picture."""
    if image_format == "HEIF":
        pillow_heif = pytest.importorskip("pillow_heif")
        pillow_heif.register_heif_opener()
    return encode(image_format, Image.effect_noise((128, 96), 50).convert("RGB"))


def list_lies(data: bytes) -> list[tuple[str, bytes]]:
    """The file with one number of one box replaced, for every box and each of its first numbers."""
    lies: list[tuple[str, bytes]] = []
    for box in BOX.finditer(data):
        for position in (box.start(), *range(box.end(), box.end() + 16, 4)):
            for number in LIES:
                changed = data[:position] + number.to_bytes(4) + data[position + 4 :]
                lies.append((f"{box[1].decode()}+{position - box.start()}={number}", changed))
    return lies


@pytest.fixture(scope="module")
async def workers() -> AsyncGenerator[ImageWorkers]:
    async with ImageWorkers() as workers:
        yield workers


@pytest.fixture(scope="module")
async def attack(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[ImageAttack]:
    async with open_image_attack(tmp_path_factory.mktemp("boxes")) as attack:
        yield attack


@pytest.mark.parametrize("image_format", FORMATS)
async def test_a_lying_box_is_a_refusal_or_a_picture(workers: ImageWorkers, image_format: str) -> None:
    """Nothing else comes out of a worker: no incident, no crash, no silence."""
    lies = list_lies(build_container(image_format))
    chosen = lies if IS_FULL else random.Random(11).sample(lies, 150)
    refusals = [refusal for name, data in chosen if (refusal := await find_refusal(workers, name, data))]
    print(f"{image_format}: {len(chosen)} lies, {len(refusals)} refused, the others harmless")  # for -s
    assert all(refusal.message.endswith(".") and refusal.hint for refusal in refusals)
    assert len(refusals) > len(chosen) // 10


async def find_refusal(workers: ImageWorkers, name: str, data: bytes) -> ImageRefused | None:
    """How a picture is refused; None where it is sound after all."""
    try:
        await workers.run(verify, data)
    except ImageRefused as err:
        return err
    except Exception as err:  # with the lie, to find it again
        raise AssertionError(name) from err
    return None


@pytest.mark.parametrize("image_format", FORMATS)
async def test_every_tool_says_that_it_is_damaged(attack: ImageAttack, image_format: str) -> None:
    """With the argument that named it, and what to do."""
    data = build_container(image_format)
    position = data.index(b"iloc") + 4
    broken = data[:position] + b"\xff" * 24 + data[position + 24 :]
    for words in await attack.hand_over(f"an {image_format} without places", broken, most_bytes=300_000_000, most_s=20):
        assert "damaged" in words, words


@pytest.mark.parametrize(
    "error", [RuntimeError, AssertionError, KeyError, RecursionError, UnicodeDecodeError, Exception]
)
def test_whatever_a_decoder_raises_is_a_damaged_picture(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decoders of strangers' formats raise in ever new ways."""

    def fail(*_: object) -> None:
        raise error("utf-8", b"", 0, 1, "no") if error is UnicodeDecodeError else error("no")

    monkeypatch.setattr("PIL.GifImagePlugin.GifImageFile._open", fail)
    with pytest.raises(ImageRefused, match="damaged or cut off") as refused:
        decode_upright(encode("GIF", Image.new("P", (8, 8))))
    assert refused.value.hint == ACCEPTED_FORMATS_HINT
