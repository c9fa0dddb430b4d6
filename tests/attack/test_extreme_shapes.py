"""Headers of pictures that are all length: a line of two thousand million pixels, and its like, in every format.

Each is handed to every argument of every tool that takes a picture or a mask.
"""

from __future__ import annotations

import base64
import struct
import time
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from atelier_mcp.server.emulator.upstreams import collect_client_settings
from tests.support.emulator_harness import encode_plain_image
from tests.support.image_attack import IS_FULL, MemoryWatch
from tests.support.image_bombs import build_gif, build_png, build_tiff, build_webp_animation, encode
from tests.support.tool_results import get_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from mcp import Client

    from tests.support.attack_tally import AttackTally
    from tests.support.emulator_harness import EmulatorHarness

MOST_BYTES: Final = 400_000_000
MOST_S: Final = 30.0
BOX: Final = [{"type": "box", "points": [1, 1, 90, 90]}]
PLACE: Final = "PLACE"
SOUND: Final = "SOUND"
FILE: Final = "FILE"
ARGUMENTS: Final[dict[str, list[dict[str, Any]]]] = {
    "view_image": [{"image": PLACE}],
    "import_image": [{"image": PLACE}],
    "transform_image": [{"image": PLACE, "rotate": 90}],
    "make_mask": [{"image": PLACE, "shapes": BOX}, {"image": SOUND, "mask": PLACE, "shapes": BOX}],
    "compose_images": [{"layers": [{"image": PLACE}]}, {"layers": [{"image": SOUND}, {"image": SOUND, "mask": PLACE}]}],
    "generate_image": [
        {"prompt": "x", "image": PLACE},
        {"prompt": "x", "controls": [{"type": "canny", "image": PLACE}]},
    ],
    "inpaint_image": [{"image": PLACE, "shapes": BOX, "prompt": "x"}, {"image": SOUND, "mask": PLACE, "prompt": "x"}],
    "erase_object": [{"image": PLACE, "shapes": BOX}, {"image": SOUND, "mask": PLACE}],
    "cut_out_subject": [{"image": PLACE}, {"image": SOUND, "mask": PLACE}],
    "outpaint_image": [{"image": PLACE, "scale": 2}],
    "upscale_image": [{"image": PLACE}],
    "stylize_image": [{"image": PLACE, "style": "x"}],
    "detect_faces": [{"image": PLACE}],
    "swap_faces": [
        {"image": PLACE, "faces": [{"image": SOUND}]},
        {"image": SOUND, "faces": [{"image": PLACE}]},
    ],
    "describe_image": [{"image": PLACE}],
    "create_dataset": [{"name": "x", "images": [PLACE] * 6}],
    "add_dataset_images": [{"dataset_id": 1, "images": [PLACE]}],
    "train_lora": [{"name": "x", "images": [PLACE] * 6}],
    "aws_create_dataset": [{"name": "x", "files": [FILE]}],
}
"""By tool, arguments of calls; ``PLACE`` is where the picture goes, ``FILE`` its path, ``SOUND`` a good one."""
WITHOUT_A_WAIT: Final = frozenset(
    {"view_image", "import_image", "transform_image", "make_mask", "compose_images"}
    | {"create_dataset", "add_dataset_images"}
)
UPLOADERS: Final = frozenset({"aws_create_dataset"})
"""What these take is sent as it is, and decoded by nobody here."""
HARMLESS: Final = frozenset({"GIF 65535 x 1", "GIF 1 x 65535", "GIF 0 x 9"})
"""Odd, and small: a GIF is as large as its frame where the canvas is smaller."""


def set_jpeg_size(data: bytes, width: int, height: int) -> bytes:
    """A baseline JPEG with another size in its frame header."""
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def set_bmp_size(data: bytes, width: int, height: int) -> bytes:
    """A BMP with another size; a negative height is read from the top."""
    return data[:18] + struct.pack("<ii", width, height) + data[26:]


def set_avif_size(data: bytes, width: int, height: int) -> bytes:
    """An AVIF or HEIF whose size property says something else."""
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", width, height) + data[at + 8 :]


def set_webp_size(data: bytes, width: int, height: int) -> bytes:
    """A lossy WebP with another size in its frame header."""
    at = data.index(b"\x9d\x01\x2a") + 3
    return data[:at] + struct.pack("<HH", width, height) + data[at + 4 :]


def list_extremes() -> Iterator[tuple[str, bytes]]:
    """Every format with the longest line and the highest column that its header can hold."""
    small = Image.new("RGB", (64, 64), "teal")
    jpeg, bmp, webp, avif = (encode(kind, small) for kind in ("JPEG", "BMP", "WEBP", "AVIF"))
    for width, height in ((2_000_000_000, 1), (1, 2_000_000_000), (2**31 - 1, 1), (2**31 - 1, 2**31 - 1), (0, 9)):
        yield f"PNG {width} x {height}", build_png((width, height), pixels=b"x\x9cc\0\0\0\x01\0\x01")
        yield f"AVIF {width} x {height}", set_avif_size(avif, width, height)
        yield f"BMP {width} x {height}", set_bmp_size(bmp, width, height)
        yield f"TIFF {width} x {height}", build_tiff(width=width, height=height)
    yield "BMP from the top", set_bmp_size(bmp, 2_000_000_000, -1)
    yield "BMP of the lowest height", set_bmp_size(bmp, 1, -(2**31))
    for width, height in ((65_535, 1), (1, 65_535), (65_535, 65_535), (0, 9)):
        yield f"JPEG {width} x {height}", set_jpeg_size(jpeg, width, height)
        yield f"GIF {width} x {height}", build_gif((width, height), (1, 1))
        yield f"WebP {width % 16_384} x {height % 16_384}", set_webp_size(webp, width % 16_384, height % 16_384)
    for width, height in ((2**24, 1), (1, 2**24)):
        yield f"animated WebP {width} x {height}", build_webp_animation((width, height), frames=1)


def fill(value: Any, places: dict[str, str]) -> Any:
    """Arguments with the pictures in their places."""
    if isinstance(value, dict):
        return {name: fill(one, places) for name, one in value.items()}  # pyright: ignore[reportUnknownVariableType]  # JSON
    if isinstance(value, list):
        return [fill(one, places) for one in value]  # pyright: ignore[reportUnknownVariableType]  # JSON
    return places.get(value, value) if isinstance(value, str) else value


def build_data_url(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


async def test_a_line_of_pixels_is_refused_wherever_a_picture_is_taken(
    site: EmulatorHarness,
    new_client: Callable[..., AbstractAsyncContextManager[Client]],
    tmp_path: Path,
    tally: AttackTally,
) -> None:
    """In a sentence, at once, and without the memory it speaks of."""
    settings = collect_client_settings(site.emulator.base_url)
    worst_bytes, worst_s = 0, 0.0
    (tmp_path / "inputs").mkdir()
    async with new_client(**settings, ATELIER_TOOLSETS="all") as client:
        listed = {tool.name for tool in (await client.list_tools()).tools}
        assert set(ARGUMENTS) <= listed
        places = {SOUND: build_data_url(encode_plain_image(512, 512)), FILE: str(tmp_path / "inputs" / "odd.png")}
        await client.call_tool("view_image", {"image": places[SOUND]})  # the workers are up
        extremes = list(list_extremes())
        for number, (name, data) in enumerate(extremes):
            (tmp_path / "inputs" / "odd.png").write_bytes(data)
            places[PLACE] = build_data_url(data)
            for tool, calls in ARGUMENTS.items():
                # In the short form each tool sees a few of them, and the line of the PNG.
                if not IS_FULL and number and (number + len(tool)) % 9:
                    continue
                for arguments in calls:
                    waits = {"wait_s": 0} if tool not in WITHOUT_A_WAIT else {}
                    with MemoryWatch().run() as memory:
                        began_s = time.monotonic()
                        result = await client.call_tool(tool, fill(arguments, places) | waits)
                        taken_s = time.monotonic() - began_s
                    words = get_text(result)
                    assert "Correct this and call again" not in words, f"the picture was never looked at: {words}"
                    is_sound = "incident" not in words and memory.peak_bytes < MOST_BYTES and taken_s < MOST_S
                    is_refused = bool(result.is_error) or name in HARMLESS or tool in UPLOADERS
                    tally.record(f"{name} in {tool}: {words[:300]}", got_through=not (is_sound and is_refused))
                    worst_bytes, worst_s = max(worst_bytes, memory.peak_bytes), max(worst_s, taken_s)
    tally.figures |= {"most memory": f"{worst_bytes / 1e6:.0f} MB", "longest": f"{worst_s:.1f} s"}
