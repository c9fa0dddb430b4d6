"""``atelier token``: tokens are shown once, kept as hashes, listed and revoked; a broken file is one sentence."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Atelier

BROKEN_FILES = (
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff\xfe",
    b'{"tokens": {}}'[:-3] + b"[1]}",
    b'{"tokens": [{"name": "a"}]}',
    b'{"tokens": [{"name": "a", "sha256": "short", "scopes": [], "created_at": "2026-11-27"}]}',
    b'{"tokens": [{"name": "../a", "sha256": "%s", "scopes": [], "created_at": "2026-11-27"}]}' % (b"0" * 64),
    b'{"tokens": [{"name": "a", "sha256": "%s", "scopes": ["root"], "created_at": "2026-11-27"}]}' % (b"0" * 64),
    b'{"tokens": [{"name": "a", "sha256": "%s", "scopes": [], "created_at": "soon"}]}' % (b"0" * 64),
    b"[" * 100_000,
)


def write_tokens(path: Path, data: bytes) -> None:
    """Put a file in the place of the tokens', for its owner alone."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    path.chmod(0o600)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the tokens are kept."""
    return tmp_path / "home" / "tokens.json"


def test_a_token_is_shown_once_and_only_its_hash_is_kept(atelier: Atelier, path: Path) -> None:
    added = atelier("token", "add", "alice", "--scope", "read", "--scope", "atelier:train")
    token = added.out.strip()
    assert (added.code, len(token) > 40, token in added.err) == (0, True, False)
    kept = path.read_text()
    assert token not in kept
    assert hashlib.sha256(token.encode()).hexdigest() in kept
    listed = atelier("token", "list")
    assert listed.out.split() == ["alice", listed.out.split()[1], "atelier:read", "atelier:train"]
    assert token not in listed.out


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_the_file_is_its_owners_alone(atelier: Atelier, path: Path) -> None:
    atelier("token", "add", "alice")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    outcome = atelier("token", "list")
    assert (outcome.code, outcome.out) == (1, "")
    assert "open to other users" in outcome.err
    assert f"chmod 600 {path}" in outcome.err


def test_a_name_has_one_token_until_it_is_replaced_or_revoked(atelier: Atelier) -> None:
    first = atelier("token", "add", "alice", "--json").read_json()
    assert first["scopes"] == ["atelier:read", "atelier:create"]
    again = atelier("token", "add", "alice")
    assert (again.code, again.out) == (1, "")
    assert "--replace" in again.err
    second = atelier("token", "add", "alice", "--replace", "--scope", "read,create,read", "--json").read_json()
    assert second["token"] != first["token"]
    assert [entry["name"] for entry in atelier("token", "list", "--json").read_json()["tokens"]] == ["alice"]
    assert atelier("token", "revoke", "alice").code == 0
    assert atelier("token", "list", "--json").read_json() == {"tokens": []}
    refused = atelier("token", "revoke", "alice")
    assert refused.code == 1
    # Not a word of money, which tokens do not touch.
    assert refused.err == "No token is called alice.\natelier token list shows those there are.\n"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("add",), "give the name"),
        (("revoke",), "give the name"),
        (("add", "alice", "--scope", "everything"), "everything is no scope; there are atelier:read"),
        (("give", "alice"), "invalid choice"),
    ],
)
def test_wrong_usage_is_one_line(atelier: Atelier, argv: tuple[str, ...], words: str) -> None:
    outcome = atelier("token", *argv)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert words in outcome.err


@pytest.mark.parametrize("name", ["", "a b", "a/b", "..", "é", "a" * 65, "a\n", "static:a"])
def test_a_name_is_a_plain_word(atelier: Atelier, name: str, path: Path) -> None:
    assert atelier("token", "add", name).code in (1, 2)
    assert not path.exists()


@pytest.mark.parametrize("data", BROKEN_FILES)
@pytest.mark.parametrize("command", [("token", "list"), ("token", "add", "bob"), ("serve", "--http", "--port", "0")])
def test_a_broken_file_is_told_in_a_sentence_and_left_as_it_is(
    atelier: Atelier, path: Path, data: bytes, command: tuple[str, ...]
) -> None:
    write_tokens(path, data)
    outcome = atelier(*command)
    assert (outcome.code, outcome.out) == (1, "")
    assert f"{path} is no file of tokens." in outcome.err
    assert path.read_bytes() == data


def test_the_doctor_sees_a_broken_file_and_counts_the_tokens_of_a_sound_one(atelier: Atelier, path: Path) -> None:
    atelier("token", "add", "alice")
    assert "1 token" in atelier("doctor", "--json").findings["tokens"]["words"]
    write_tokens(path, b"{")
    assert atelier("doctor", "--json").findings["tokens"]["good"] is False
