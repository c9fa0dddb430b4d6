"""Another user of the same machine: nothing of ours may be read, changed or locked by anybody else."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.emulator.accounts import DEMO_ACCESS_KEY, DEMO_API_KEY, DEMO_SECRET_KEY
from atelier_mcp.server.emulator.settings import EmulatorSettings
from atelier_mcp.server.private_files import withhold_data_folder
from tests.support.clock import WallClock
from tests.support.emulator_harness import EmulatorHarness, FakeEngine, encode_plain_image
from tests.support.tool_results import get_structured
from tests.support.upload_files import build_safetensors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from mcp import Client

    from tests.support.attack_tally import AttackTally

pytestmark = pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")


def list_open_paths(folder: Path) -> Iterator[str]:
    """What group or others may do anything with."""
    for path in (folder, *folder.rglob("*")):
        mode = stat.S_IMODE(path.lstat().st_mode)
        yield f"{path} {mode:o}" if mode & 0o077 else ""


@pytest.fixture
def lax_umask() -> Iterator[None]:
    """A shell in which new files may be written by everybody."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("lax_umask")
@pytest.mark.parametrize("is_old", [False, True])
async def test_everything_in_the_data_folder_is_its_owners_alone(
    is_old: bool,
    new_client: Callable[..., AbstractAsyncContextManager[Client]],
    tmp_path: Path,
    tally: AttackTally,
) -> None:
    """Whatever the shell allows, and also where an older version has left it open."""
    home, inputs = tmp_path / "home", tmp_path / "inputs"
    inputs.mkdir()
    (inputs / "kite.png").write_bytes(encode_plain_image())
    (inputs / "kite.safetensors").write_bytes(build_safetensors())
    settings = EmulatorSettings(state_dir=home / "emulator", access_log=home / "emulator" / "access.jsonl")
    async with EmulatorHarness(settings, FakeEngine(), WallClock()) as site:
        environ = {
            "ATELIER_TOOLSETS": "all",
            "MHAPI_ACCESS_KEY": DEMO_ACCESS_KEY,
            "MHAPI_SECRET_KEY": DEMO_SECRET_KEY,
            "MHAPI_BASE_URL": f"{site.emulator.base_url}/mhapi",
            "SD_AWS_URL": f"{site.emulator.base_url}/sd_aws/prod",
            "SD_AWS_API_KEY": DEMO_API_KEY,
        }
        for round_number in range(2 if is_old else 1):
            async with new_client(**environ) as client:
                drawn = {"prompt": f"kite {round_number}", "provider": "mhapi"}
                get_structured(await client.call_tool("generate_image", drawn))
                model = {"kind": "Lora", "file": str(inputs / "kite.safetensors")}
                if round_number == 0:
                    get_structured(await client.call_tool("aws_add_checkpoint", model))
                for found in list_open_paths(home):
                    tally.record(found, got_through=bool(found))
                if is_old and round_number == 0:
                    open_up(home)


def open_up(folder: Path) -> None:
    """Leave everything as open as the first versions did."""
    for path in (*folder.rglob("*"), folder):
        path.chmod(0o755 if path.is_dir() else 0o644)


def test_a_folder_that_is_not_ours_alone_keeps_its_modes(tmp_path: Path) -> None:
    """Named as the data folder by mistake, a public one must not be closed, nor what others keep in it."""
    tmp_path.chmod(0o1777)
    (tmp_path / "images").mkdir()
    for name in ("images/a.png", "notes.txt"):
        (tmp_path / name).write_text("x")
        (tmp_path / name).chmod(0o644)
    withhold_data_folder(tmp_path, ["images"])
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in (".", "images", "images/a.png", "notes.txt")]
    assert modes == [0o1777, 0o700, 0o600, 0o644]
