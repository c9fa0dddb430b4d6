"""Paths that lead elsewhere: links, also those that are swapped in while a file is read; pipes and devices."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.emulator_harness import BOUND_S, encode_plain_image
from tests.support.tool_results import get_text

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractAsyncContextManager

    from mcp import Client

    from tests.support.attack_tally import AttackTally

    NewClient = Callable[..., AbstractAsyncContextManager[Client]]

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links and pipes of POSIX")

SECRET_SIZE = (333, 257)
"""By its size the picture that must not be read is known in any answer."""


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """The one folder that may be read, with a picture in it; beside it one that must not be."""
    folder = tmp_path / "inputs"
    (folder / "album").mkdir(parents=True)
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "photo.png").write_bytes(encode_plain_image(*SECRET_SIZE))
    for path in (folder / "photo.png", folder / "album" / "photo.png"):
        path.write_bytes(encode_plain_image(300, 256))
    return folder


@contextmanager
def keep_swapping(path: Path, target: Path) -> Generator[None]:
    """Put a link to ``target`` in the place of ``path`` and take it away again, as fast as it goes."""
    aside, link, stopped = path.with_name(path.name + ".aside"), path.with_name(path.name + ".link"), threading.Event()

    def swap() -> None:
        while not stopped.is_set():
            link.symlink_to(target)
            path.rename(aside)
            link.rename(path)
            path.unlink()
            aside.rename(path)

    thread = threading.Thread(target=swap, name="swapper")
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


@pytest.mark.parametrize("swapped", ["photo.png", "album"])
async def test_a_link_swapped_in_never_leads_outside(
    swapped: str,
    inputs: Path,
    new_client: NewClient,
    tally: AttackTally,
    rounds: Callable[[int, int], int],
) -> None:
    """Checked by its path and then opened by it, one file in seventy was another one."""
    path = inputs / swapped
    asked = path if path.is_file() else path / "photo.png"
    target = inputs.parent / "private" / ("photo.png" if path.is_file() else "")
    async with new_client() as client:
        usual = await client.call_tool("view_image", {"image": str(asked)})
        assert not usual.is_error, "while nobody swaps it, it is read"
        with keep_swapping(path, target):
            for number in range(rounds(300, 6500)):
                result = await client.call_tool("view_image", {"image": str(asked)})
                text = get_text(result)
                tally.record(f"try {number}: {text}", got_through=f"{SECRET_SIZE[0]}x{SECRET_SIZE[1]}" in text)


async def test_pipes_devices_and_sockets_hold_up_no_call(
    inputs: Path, new_client: NewClient, tally: AttackTally
) -> None:
    """Opening a pipe waits for whoever writes into it, which is nobody."""
    pipe, door = inputs / "pipe.png", inputs / "door.png"
    os.mkfifo(pipe)
    listener = socket.socket(socket.AF_UNIX)
    previous = Path.cwd()
    os.chdir(inputs)  # the path of a socket may have 108 characters
    listener.bind(door.name)
    os.chdir(previous)
    (inputs / "pipe-link.png").symlink_to(pipe)
    (inputs / "loop.png").symlink_to(inputs / "loop.png")
    (inputs / "folder.png").mkdir()
    for device in ("zero", "null", "random", "tty", "stdin"):
        (inputs / f"{device}.png").symlink_to(f"/dev/{device}")
    names = ["pipe.png", "door.png", "pipe-link.png", "loop.png", "folder.png", "zero.png", "null.png", "random.png"]
    places = [inputs / name for name in (*names, "tty.png", "stdin.png", "pipe.png/x", "../inputs/pipe.png")]
    places += [
        Path("/dev/zero"),
        Path("/proc/self/cwd"),
        Path("/proc/self/root/etc/passwd"),
        Path("/proc/self/fd/0"),
    ]
    async with new_client() as client:
        for place in places:
            async with asyncio.timeout(BOUND_S):
                result = await client.call_tool("view_image", {"image": str(place)})
            tally.record(str(place), got_through=not result.is_error)
    listener.close()


@pytest.mark.parametrize("written", ["", " ", ",", " , ,", os.pathsep])
async def test_no_folder_set_means_that_none_is_read(
    written: str, inputs: Path, new_client: NewClient, tally: AttackTally
) -> None:
    """And not the usual ones: whoever writes the setting down wants to keep them shut."""
    async with new_client(ATELIER_INPUT_ROOTS=written) as client:
        for path in (inputs / "photo.png", Path(__file__)):
            result = await client.call_tool("view_image", {"image": str(path)})
            tally.record(f"{path}: {get_text(result)}", got_through=not result.is_error)


async def test_a_tilde_in_the_setting_is_the_home_folder(
    inputs: Path, new_client: NewClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the shell would have written it."""
    monkeypatch.setenv("HOME", str(inputs.parent))
    async with new_client(ATELIER_INPUT_ROOTS="~/inputs") as client:
        assert not (await client.call_tool("view_image", {"image": str(inputs / "photo.png")})).is_error
        assert (await client.call_tool("view_image", {"image": str(inputs.parent / "private/photo.png")})).is_error
