"""Uploads hand on whole files: a key, a ledger or a note must not leave under the name of a model or a picture."""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.emulator.accounts import DEMO_API_KEY
from tests.support.emulator_harness import encode_plain_image
from tests.support.tool_results import read_access_log
from tests.support.upload_files import build_safetensors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractAsyncContextManager

    from mcp import Client

    from tests.support.attack_tally import AttackTally
    from tests.support.emulator_harness import EmulatorHarness

    NewClient = Callable[..., AbstractAsyncContextManager[Client]]

SECRET = b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAA\n"
MODEL_SUFFIXES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".zip", ".yaml", ".SAFETENSORS")


def build_zip() -> bytes:
    """A ZIP as ``torch.save`` writes them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}, protocol=2))
    return buffer.getvalue()


def write(path: Path, data: bytes) -> Path:
    """A file with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def link(path: Path, target: Path) -> Path:
    """A symbolic link with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
    return path


def list_foreign_files(inputs: Path, home: Path) -> Iterator[Path]:
    """Files that are no models, or lie where no model is taken from."""
    key = write(inputs / ".ssh" / "id_rsa", SECRET)
    contents = {
        "key": SECRET,
        "text": b"a note\n" * 9,
        "json": b'{"token": 1}',
        "empty": b"",
        "sqlite": b"SQLite format 3\0",
    }
    for suffix in MODEL_SUFFIXES:
        for name, content in contents.items():
            yield write(inputs / f"{name}{suffix}", content)
        yield link(inputs / f"link{suffix}", key)
        # A model by what it begins with, in a place where other programs keep theirs.
        yield write(inputs / ".cache" / f"model{suffix}", build_zip())
        yield write(inputs / "a" / ".hidden" / "b" / f"model{suffix}", build_safetensors())
        yield link(inputs / f"into-hidden{suffix}", inputs / ".cache" / f"model{suffix}")
        yield write(home / f"ledger{suffix}", build_safetensors())
        yield write(home / "emulator" / f"model{suffix}", build_zip())
        yield link(inputs / f"into-home{suffix}", home / f"ledger{suffix}")
        yield write(inputs.parent / "outside" / f"model{suffix}", build_safetensors())
        yield link(inputs / f"outside{suffix}", inputs.parent / "outside" / f"model{suffix}")
    yield from (key, write(inputs / ".env", b"KEY=1"), write(inputs / "safetensors", build_safetensors()))
    yield write(inputs / "model.safetensors.txt", build_safetensors())
    yield write(inputs / "huge.safetensors", struct.pack("<Q", 1 << 40) + b"{}")
    yield write(inputs / "pickle.safetensors", pickle.dumps({}, protocol=4))
    yield write(inputs / "text.pkl", SECRET)
    yield write(inputs / "picture.ckpt", encode_plain_image())


async def test_nothing_but_model_files_leaves_as_a_model(
    site: EmulatorHarness, new_client: NewClient, tmp_path: Path, tally: AttackTally
) -> None:
    """What the storage got is counted, not what the answers say."""
    inputs, home = tmp_path / "inputs", tmp_path / "inputs" / "data"
    environ = build_environ(site, ATELIER_HOME=str(home))
    async with new_client(**environ) as client:
        for path in list_foreign_files(inputs, home):
            for tool, arguments in list_calls(str(path)):
                before = count_uploads(tmp_path)
                result = await client.call_tool(tool, arguments)
                tally.record(f"{tool} {path}", got_through=not result.is_error or count_uploads(tmp_path) > before)


@pytest.mark.parametrize("suffix", [".safetensors", ".ckpt", ".pt", ".zip"])
async def test_a_model_file_does_leave(
    suffix: str, site: EmulatorHarness, new_client: NewClient, tmp_path: Path
) -> None:
    """What is refused above is not refused for want of a route."""
    content = build_safetensors() if suffix == ".safetensors" else build_zip()
    path = write(tmp_path / "inputs" / "models" / f"kite{suffix}", content)
    async with new_client(**build_environ(site)) as client:
        await client.call_tool("aws_add_checkpoint", {"kind": "Lora", "file": str(path)})
    assert count_uploads(tmp_path) == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows has no FIFOs among its files")
async def test_nothing_but_pictures_leaves_as_a_data_set(
    site: EmulatorHarness, new_client: NewClient, tmp_path: Path, tally: AttackTally
) -> None:
    inputs, home = tmp_path / "inputs", tmp_path / "home"
    key = write(inputs / ".ssh" / "id_rsa", SECRET)
    pipe = inputs / "pipe.png"
    os.mkfifo(pipe)
    image = encode_plain_image()
    paths = [
        key,
        link(inputs / "key.png", key),
        write(inputs / "key.jpg", SECRET),
        write(inputs / "empty.png", b""),
        write(inputs / ".thumbnails" / "face.png", image),
        link(inputs / "face.png", inputs / ".thumbnails" / "face.png"),
        write(home / "emulator" / "result.png", image),
        link(inputs / "result.png", home / "emulator" / "result.png"),
        write(tmp_path / "outside" / "photo.png", image),
        write(inputs / "model.safetensors", build_safetensors()),
        pipe,
        Path("/dev/zero"),
        link(inputs / "endless.png", Path("/dev/zero")),
    ]
    async with new_client(**build_environ(site)) as client:
        for number, path in enumerate(paths):
            before = count_uploads(tmp_path)
            result = await client.call_tool("aws_create_dataset", {"name": f"set{number}", "files": [str(path)]})
            tally.record(str(path), got_through=not result.is_error or count_uploads(tmp_path) > before)


def build_environ(site: EmulatorHarness, **more: str) -> dict[str, str]:
    """Stable Diffusion on AWS alone, with all its tools."""
    url = f"{site.emulator.base_url}/sd_aws/prod"
    return {"ATELIER_TOOLSETS": "all", "SD_AWS_URL": url, "SD_AWS_API_KEY": DEMO_API_KEY, **more}


def list_calls(path: str) -> list[tuple[str, dict[str, Any]]]:
    """The calls that upload a model file."""
    return [
        ("aws_add_checkpoint", {"kind": "Lora", "file": path}),
        ("aws_create_training_base", {"name": "base", "file": path}),
    ]


def count_uploads(folder: Path) -> int:
    """How many files or parts the storage was sent."""
    lines = read_access_log(folder / "access.jsonl")
    return sum(line["method"] == "PUT" and "/s3/" in line["path"] for line in lines)
