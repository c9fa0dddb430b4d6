"""``atelier tools`` and ``atelier jobs`` as people read them."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Atelier


def test_a_tool_shows_what_is_nested_both_bounds_and_a_call(atelier: Atelier) -> None:
    out = atelier("tools", "inpaint_image", COLUMNS="200").out
    lines = out.splitlines()
    assert any(line.startswith("shapes[].points *") for line in lines)
    assert any(line.startswith("samples") and line.rstrip().endswith("integer 1 to 8") for line in lines)
    assert lines[-1].strip().startswith("atelier call inpaint_image image=photo.jpg shapes='[{")


def test_the_example_of_every_tool_is_understood(atelier: Atelier) -> None:
    """Each names arguments that there are, and all that are required."""
    for tool in atelier("tools", "--json", ATELIER_TOOLSETS="all").read_json():
        line = atelier("tools", tool["name"], ATELIER_TOOLSETS="all").out.splitlines()[-1]
        names = {word.partition("=")[0] for word in line.split()[3:] if "=" in word}
        schema = tool["inputSchema"]
        assert set(schema.get("required", [])) <= names, line
        assert names <= set(schema.get("properties", {})), line


def test_the_list_names_the_toolsets_that_are_off(atelier: Atelier) -> None:
    out = atelier("tools").out
    assert out.splitlines()[-1].startswith("Off: ")
    assert "train" in out.splitlines()[-1]
    assert "Off" not in atelier("tools", ATELIER_TOOLSETS="all").out


def test_jobs_are_a_table_with_prompt_state_age_and_files(atelier: Atelier) -> None:
    """One line each where it is piped, and fewer where they are asked for by state or skipped."""
    for prompt in ("a red kite", "a [bold] kite"):
        atelier("call", "generate_image", f"prompt={prompt}", "width=640", "height=640")
    head, *rows = atelier("jobs").out.splitlines()
    assert head.split() == ["job", "when", "state", "tool", "prompt", "files"]
    assert ["a [bold] kite" in rows[0], "a red kite" in rows[1]] == [True, True]
    assert all("s ago" in row and "succeeded" in row and ".jpg" in row for row in rows)
    assert len(atelier("jobs", "--offset", "1").out.splitlines()) == 2
    assert atelier("jobs", "--state", "failed").out == "There are no such jobs.\n"
    assert atelier("jobs", "--limit", "1").out.splitlines()[-1] == "There are more: --offset 1"
    followed = atelier("jobs", "--follow")
    assert (followed.code, len(followed.out.splitlines())) == (0, 2)
    job_id = rows[0].split()[0]
    assert job_id in atelier("show", job_id).out


def test_jobs_are_listed_whatever_toolsets_are_on(atelier: Atelier) -> None:
    assert atelier("jobs", ATELIER_TOOLSETS="create").code == 0


def test_bash_completes_commands_options_tools_and_arguments(atelier: Atelier, tmp_path: Path) -> None:
    script = atelier("completion", "bash").out
    (tmp_path / "folder").mkdir()
    for words, found in {
        ("atelier", "se"): "serve",
        ("atelier", "serve", "--po"): "--port",
        ("atelier", "call", "generate_"): "generate_image",
        ("atelier", "call", "generate_image", "prom"): "prompt=",
        ("atelier", "jobs", "--state", "act"): "active",
        ("atelier", "setup", "curs"): "cursor",
        ("atelier", "call", "generate_image", "--pictures", "si"): "sixel",
        ("atelier", "emulator", "--state", "fol"): "folder",
    }.items():
        line = " ".join(f'"{word}"' for word in words)
        program = f"{script}\nCOMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _atelier; echo ${{COMPREPLY[*]}}"
        done = subprocess.run(
            [shutil.which("bash") or "bash", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert found in done.stdout.split(), (words, done.stdout)


def test_other_shells_get_a_script_of_their_own(atelier: Atelier) -> None:
    assert "bashcompinit" in atelier("completion", "zsh").out
    assert "complete -c atelier -f -n __fish_use_subcommand" in atelier("completion", "fish").out
