"""The commands in a real terminal: a bar from the first moment, pictures, questions."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from atelier_mcp.server.cli.images import encode_sixels, find_named_protocol
from atelier_mcp.server.emulator.accounts import DEMO_ACCESS_KEY, DEMO_SECRET_KEY
from tests.e2e.conftest import engine, site

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Atelier
    from tests.support.emulator_harness import EmulatorHarness

__all__ = ["engine", "site"]

pty = pytest.importorskip("pty", reason="Windows has no such terminals")
BOUND_S = 90


def run_in_terminal(*argv: str, typed: str = "", **environ: str) -> tuple[int, str]:
    """Run a command with a terminal for all three streams; its exit code, and what the terminal saw."""
    controller, terminal = pty.openpty()
    own = {
        k: v for k, v in os.environ.items() if not k.startswith(("KITTY", "TERM", "ATELIER_", "TMUX", "LC_TERMINAL"))
    }
    command = [sys.executable, "-m", "atelier_mcp.server", *argv]
    with subprocess.Popen(
        command, stdin=terminal, stdout=terminal, stderr=terminal, env={**own, "TERM": "xterm-256color", **environ}
    ) as process:
        os.close(terminal)
        if typed:
            os.write(controller, typed.encode())
        seen = b""
        while True:
            try:
                chunk = os.read(controller, 65536)
            except OSError:  # the other end is closed
                break
            if not chunk:
                break
            seen += chunk
        os.close(controller)
        return process.wait(timeout=BOUND_S), seen.decode(errors="replace")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.new("RGB", (300, 200), "teal").save(path)
    return path


def test_a_bar_is_there_before_the_server_is(photo: Path, tmp_path: Path) -> None:
    code, seen = run_in_terminal("call", "import_image", f"image={photo}", ATELIER_HOME=str(tmp_path / "home"))
    assert code == 0
    assert 0 <= seen.index("starting") < seen.index("img_")


@pytest.mark.parametrize(
    ("environ", "start"),
    [
        ({"TERM": "xterm-kitty"}, "\x1b_Ga=T,f=100"),
        ({"TERM_PROGRAM": "iTerm.app"}, "\x1b]1337;File=inline=1"),
        ({"TERM": "foot"}, "\x1bPq"),
    ],
    ids=["kitty", "iterm", "sixel"],
)
def test_a_terminal_that_can_shows_the_picture(
    photo: Path, tmp_path: Path, environ: dict[str, str], start: str
) -> None:
    code, seen = run_in_terminal("show", str(photo), **environ, ATELIER_HOME=str(tmp_path / "home"))
    assert (code, start in seen) == (0, True), seen[-500:]


def test_a_terminal_that_cannot_gets_no_strange_letters(photo: Path, tmp_path: Path) -> None:
    code, seen = run_in_terminal("show", str(photo), TERM="dumb", ATELIER_HOME=str(tmp_path / "home"))
    assert (code, "\x1b_G" in seen, "\x1bPq" in seen, "300x200" in seen) == (0, False, False, True)


def test_setup_asks_which_of_the_hosts_that_are_here(tmp_path: Path) -> None:
    (tmp_path / ".cursor").mkdir()
    (tmp_path / ".qwen").mkdir()
    code, seen = run_in_terminal("setup", "--dry-run", typed="2\n", HOME=str(tmp_path))
    assert code == 0, seen
    assert "1  Cursor" in seen
    assert f"Qwen Code: {tmp_path}/.qwen/settings.json would change" in seen


def test_setup_ends_in_one_line_where_nothing_more_is_typed(tmp_path: Path) -> None:
    (tmp_path / ".cursor").mkdir()
    code, seen = run_in_terminal("setup", typed="\x04", HOME=str(tmp_path))
    assert (code, seen.splitlines()[-1]) == (2, "No host was chosen.")


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_jobs_stay_readable_in_a_narrow_terminal(atelier: Atelier, columns: int) -> None:
    """Prompt and paths whole, however few columns there are: a path stands on a line of its own, to be copied."""
    called = atelier("call", "generate_image", "prompt=a red kite", "width=640", "height=640", "--json").read_json()
    path = called["images"][0]["path"]
    code, seen = run_in_terminal("jobs", ATELIER_HOME=os.environ["ATELIER_HOME"], COLUMNS=str(columns))
    head, *lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in seen.splitlines()]
    assert (code, head.split()) == (0, ["job", "when", "state", "tool", *(["prompt"] if columns > 60 else [])])
    assert lines[-1] == f"  {path}"
    assert all(len(line) <= columns for line in lines[:-1])
    assert lines[0 if columns > 60 else 1].endswith("  a red kite")


@pytest.mark.parametrize(
    ("environ", "protocol"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-ghostty"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "iterm"),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, "iterm"),
        ({"TERM": "mlterm"}, "sixel"),
        ({"TERM": "tmux-256color", "KITTY_WINDOW_ID": "1"}, "none"),
        ({"TERM": "dumb"}, "none"),
        ({"TERM": "xterm-256color"}, None),
    ],
)
def test_terminals_are_known_by_what_they_say(environ: dict[str, str], protocol: str | None) -> None:
    assert find_named_protocol(environ) == protocol


def test_sixels_hold_the_pixels() -> None:
    """Two columns of one colour and one of another, seven rows: one band of six and one of one."""
    image = Image.new("RGB", (3, 7), (255, 0, 0))
    image.paste((0, 0, 255), (2, 0, 3, 7))
    encoded = encode_sixels(image)
    assert encoded.startswith('\x1bPq"1;1;3;7#0;2;')
    assert encoded.endswith("\x1b\\")
    first, second = encoded[encoded.index("100#") if "100#" in encoded else 0 :].split("-")
    # 126 is 63 and all six bits; 64 is 63 and the first.
    assert sorted(part.partition("~")[1] for part in first.split("$")) == ["~", "~"]
    assert "@" in second


@pytest.mark.parametrize(("typed", "code", "words"), [("y\n", 0, "3 pictures, job"), ("n\n", 1, "declined")])
async def test_whoever_sits_at_the_terminal_is_asked_before_much_is_spent(
    site: EmulatorHarness, tmp_path: Path, typed: str, code: int, words: str
) -> None:
    environ = {
        "ATELIER_HOME": str(tmp_path / "home"),
        "MHAPI_ACCESS_KEY": DEMO_ACCESS_KEY,
        "MHAPI_SECRET_KEY": DEMO_SECRET_KEY,
        "MHAPI_BASE_URL": f"{site.emulator.base_url}/mhapi",
        "ATELIER_CONFIRM_ABOVE_PICTURES": "2",
    }
    command = ("call", "generate_image", "prompt=a kite", "samples=3")
    ended_with, seen = await asyncio.to_thread(partial(run_in_terminal, *command, typed=typed, **environ))
    assert "generate_image at mhapi:" in seen
    assert (ended_with, words in " ".join(seen.split())) == (code, True), seen
