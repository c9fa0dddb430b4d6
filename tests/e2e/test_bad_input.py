"""Bad input gets an error that says what to do, before anything is sent, and leaves nothing behind."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.emulator_harness import encode_plain_image
from tests.support.tool_results import get_refusal, read_access_log

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    import mcp_types as types

    Call = Callable[..., Awaitable[types.CallToolResult]]


def build_huge_png_header() -> bytes:
    """The header of a PNG of 40,000 x 40,000 pixels, and hardly a byte more."""

    def build_chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    ihdr = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + build_chunk(b"IHDR", ihdr)
        + build_chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + build_chunk(b"IEND", b"")
    )


FILES = {
    "text.png": b"this is no picture at all\n" * 20,
    "truncated.jpg": encode_plain_image(700, 700, file_format="JPEG")[:2_000],
    "huge.png": build_huge_png_header(),
    "empty.png": b"",
}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder of files that are no good."""
    folder = tmp_path / "files"
    folder.mkdir()
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    (folder / "secret-link.png").symlink_to("/etc/hostname")
    return folder


ARGUMENT_CASES: list[tuple[dict[str, Any], list[str]]] = [
    ({"prompt": ""}, ["prompt", "must not be empty"]),
    ({"prompt": "x" * 2001}, ["prompt", "2,000"]),
    ({"prompt": "画" * 1001}, ["prompt", "2000"]),
    ({"prompt": "x", "samples": 9}, ["samples", "8"]),
    ({"prompt": "x", "width": 63}, ["width", "64"]),
    ({"prompt": "x", "seed": -2}, ["seed", "0"]),
    ({"prompt": "x", "seed": 99_999_998, "samples": 2}, ["seed"]),
    ({"prompt": "x", "model": "no-such-model"}, ["no-such-model", "list_models"]),
    ({"prompt": "x", "model": "lora_ink_wash"}, ["model"]),
    ({"prompt": "x", "image": "img_aaaaaaaaaaaaaaaa"}, ["image", "img_aaaaaaaaaaaaaaaa"]),
    ({"prompt": "x", "image": "/etc/hostname"}, ["image", "ATELIER_INPUT_ROOTS"]),
    ({"prompt": "x", "image": "FILES/secret-link.png"}, ["image", "ATELIER_INPUT_ROOTS"]),
    ({"prompt": "x", "image": "FILES/no-such-file.png"}, ["image"]),
    ({"prompt": "x", "image": "FILES/text.png"}, ["image"]),
    ({"prompt": "x", "image": "FILES/empty.png"}, ["image", "empty"]),
    ({"prompt": "x", "image": "FILES/truncated.jpg"}, ["image"]),
    ({"prompt": "x", "image": "FILES/huge.png"}, ["image", "40"]),
    ({"prompt": "x", "image": "http://127.0.0.1:9/x.png"}, ["image"]),
    ({"prompt": "x", "image": "http://[::1]/x.png"}, ["image"]),
    ({"prompt": "x", "image": "http://169.254.169.254/latest/meta-data"}, ["image"]),
    ({"prompt": "x", "image": "data:image/png;base64,@@@"}, ["image"]),
    ({"prompt": "x", "colour": "red"}, ["colour", "no such argument"]),
    ({"prompt": "x", "controls": [{"type": "canny"}]}, ["controls[0].image", "missing"]),
]


@pytest.mark.parametrize(("arguments", "words"), ARGUMENT_CASES, ids=[str(i) for i in range(len(ARGUMENT_CASES))])
async def test_a_wrong_argument_is_refused_in_words_and_leaves_nothing(
    call: Call, files: Path, tmp_path: Path, arguments: dict[str, Any], words: list[str]
) -> None:
    """Which argument, what is allowed; no submit, no picture, no job."""
    if "image" in arguments:
        arguments = {**arguments, "image": arguments["image"].replace("FILES", str(files))}
    message = get_refusal(await call("generate_image", **arguments))
    for word in words:
        assert word in message, message
    assert len(message.splitlines()) <= 4
    assert "Traceback" not in message
    assert not [entry for entry in read_access_log(tmp_path / "access.jsonl") if entry["method"] == "POST"]
    assert not list((tmp_path / "home").rglob("img_*"))
    assert "There are no such jobs" in str((await call("list_jobs")).content)


async def test_a_large_body_in_an_argument_is_refused(call: Call, tmp_path: Path) -> None:
    """A data URL of 60 MB is no picture anybody wants to pay for."""
    url = "data:image/png;base64," + base64.b64encode(b"\0" * 60_000_000).decode()
    message = get_refusal(await call("generate_image", prompt="x", image=url))
    assert "image" in message
    assert len(message) < 500
    assert not list((tmp_path / "home").rglob("img_*"))


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("wait_for_jobs", {"job_ids": ["job_nothere"]}, ["job_nothere"]),
        ("cancel_jobs", {"job_ids": ["job_nothere"]}, ["job_nothere"]),
        ("view_image", {"image": "img_aaaaaaaaaaaaaaaa"}, ["img_aaaaaaaaaaaaaaaa"]),
        ("view_image", {"image": "../../etc/passwd"}, ["passwd"]),
        ("list_models", {"kind": "controlnet"}, ["base"]),
        ("list_models", {"kind": "unicorns"}, ["kind", "checkpoint"]),
        ("list_jobs", {"states": ["done"]}, ["states", "succeeded"]),
        ("import_image", {"image": "ftp://example.org/x.png"}, ["image"]),
    ],
)
async def test_other_tools_refuse_as_clearly(
    call: Call, tool: str, arguments: dict[str, Any], words: list[str]
) -> None:
    """The same words for the same mistakes."""
    message = get_refusal(await call(tool, **arguments))
    for word in words:
        assert word in message, message


async def test_a_list_that_came_as_text_is_read(call: Call) -> None:
    """Some clients send lists and objects as JSON texts."""
    message = get_refusal(await call("wait_for_jobs", job_ids='["job_nothere"]'))
    assert "job_nothere" in message
