"""Static tokens: a file of names, hashes and scopes in the data folder. A token itself is shown once and kept nowhere.

    tokens.json   {"tokens": [{"name": "alice", "sha256": "...", "scopes": ["atelier:read"], "created_at": "..."}]}

A token has 256 random bits, so one round of SHA-256 keeps it: there is nothing to guess. The file is read again
whenever it has changed, so that a token is revoked without a restart.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.errors import ConfigurationError, InvalidRequest, Spent
from atelier_mcp.server.images.atomic import hold_lock, stage_file
from atelier_mcp.server.private_files import make_private_folder
from atelier_mcp.server.scopes import SCOPES

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

FILE_NAME: Final = "tokens.json"
MARK: Final = "atl_"
"""What every token begins with, so that scanners for lost secrets know one."""
_TOKEN_BYTES: Final = 32
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_MAX_BYTES: Final = 10_000_000


class TokenRefused(InvalidRequest):
    """A token cannot be added or revoked under that name; no money is in question."""

    spent = Spent.UNKNOWN


@dataclass(frozen=True, slots=True)
class StaticToken:
    """One token as it is kept."""

    name: str
    digest: str
    """SHA-256 of the token, in hexadecimal."""
    scopes: tuple[str, ...]
    created_at: datetime


class TokenFile:
    """The tokens of one data folder."""

    def __init__(self, home: Path) -> None:
        """Nothing is read yet."""
        self.path: Path = home / FILE_NAME
        self._tokens: list[StaticToken] = []
        self._version: tuple[int, ...] | None = None
        """Of the file as it was last read; None where there was none."""

    def exists(self) -> bool:
        """Whether a token was ever added: from then on one is needed, also when all are revoked."""
        return self.path.exists()

    def list_tokens(self) -> Sequence[StaticToken]:
        """The tokens there are now, oldest first; blocks for a look at the disk.

        Raises ``ConfigurationError`` when the file is none of ours, or is not its owner's alone.
        """
        try:
            status = self.path.stat()
        except FileNotFoundError:
            self._tokens, self._version = [], None
            return self._tokens
        except OSError as err:
            raise self._build_error(f"cannot be read: {err.strerror or err}") from err
        version = (status.st_mtime_ns, status.st_size, status.st_ino, status.st_mode)
        if version != self._version:
            self._tokens = self._read(status)
            self._version = version
        return self._tokens

    def find(self, token: str) -> StaticToken | None:
        """The entry of a token, compared with all of them in the same time. Raises as ``list_tokens`` does."""
        digest = _hash(token).encode()
        matches = [entry for entry in self.list_tokens() if hmac.compare_digest(entry.digest.encode(), digest)]
        return matches[0] if matches else None

    def add(self, name: str, scopes: Sequence[str], *, now: datetime, replaces: bool = False) -> str:
        """Make a token and return it: it cannot be shown again.

        With ``replaces`` the tokens of that name stop working; what belongs to the name stays. Raises
        ``TokenRefused`` for a name that cannot be or that has a token, and as ``list_tokens`` does.
        """
        if not _NAME.fullmatch(name):
            raise TokenRefused(
                f"{name[:80]!r} cannot be a token's name.", hint="Letters, digits and . _ - are allowed, up to 64."
            )
        token = MARK + secrets.token_urlsafe(_TOKEN_BYTES)
        with self._change() as tokens:
            others = [entry for entry in tokens if entry.name != name]
            if len(others) < len(tokens) and not replaces:
                raise TokenRefused(f"{name} has a token already.", hint="Revoke it first, or replace it: --replace.")
            tokens[:] = [*others, StaticToken(name, _hash(token), tuple(scopes), now)]
        return token

    def revoke(self, name: str) -> None:
        """Let the token of that name in no longer. Raises ``TokenRefused`` where there is none."""
        with self._change() as tokens:
            others = [entry for entry in tokens if entry.name != name]
            if len(others) == len(tokens):
                raise TokenRefused(f"No token is called {name[:80]}.", hint="atelier token list shows those there are.")
            tokens[:] = others

    @contextmanager
    def _change(self) -> Generator[list[StaticToken]]:
        """The tokens, which are written down as they are at the end of the block."""
        try:
            make_private_folder(self.path.parent)
            with hold_lock(self.path.with_name(f"{FILE_NAME}.lock")):
                tokens = [*self.list_tokens()]
                yield tokens
                document = json.dumps({"tokens": [_to_document(entry) for entry in tokens]}, indent=2)
                with stage_file(self.path.parent, document.encode()) as file:
                    file.replace(self.path)
        except OSError as err:
            raise self._build_error(f"cannot be written: {err.strerror or err}") from err

    def _read(self, status: os.stat_result) -> list[StaticToken]:
        if os.name == "posix" and status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise self._build_error("is open to other users of this machine", hint=f"chmod 600 {self.path}")
        if status.st_size > _MAX_BYTES:
            raise self._build_error("is no file of tokens")
        try:
            return [_parse_entry(entry) for entry in json.loads(self.path.read_bytes())["tokens"]]
        except OSError as err:
            raise self._build_error(f"cannot be read: {err.strerror or err}") from err
        except (ValueError, KeyError, TypeError, RecursionError):
            # From None: what was read might hold a token that somebody wrote in by hand.
            raise self._build_error("is no file of tokens") from None

    def _build_error(self, problem: str, *, hint: str = "") -> ConfigurationError:
        return ConfigurationError(
            f"{self.path} {problem}.", hint=hint or "Mend it, or delete it and add the tokens again: atelier token add."
        )


def _hash(token: str) -> str:
    # Headers are read as Latin-1, whatever was sent; ours are ASCII.
    return hashlib.sha256(token.encode("latin-1", "replace")).hexdigest()


def _to_document(entry: StaticToken) -> dict[str, Any]:
    return {
        "name": entry.name,
        "sha256": entry.digest,
        "scopes": list(entry.scopes),
        "created_at": entry.created_at.isoformat(),
    }


def _parse_entry(document: Any) -> StaticToken:
    """Raises ``ValueError``, ``KeyError`` or ``TypeError`` for what is no entry."""
    name, digest, scopes = document["name"], document["sha256"], document["scopes"]
    if not (_NAME.fullmatch(name) and _DIGEST.fullmatch(digest) and isinstance(scopes, list)):
        raise ValueError("not an entry of ours")
    if not set(scopes) <= set(SCOPES):  # pyright: ignore[reportUnknownArgumentType]  # JSON
        raise ValueError("not a scope of ours")
    created_at = datetime.fromisoformat(document["created_at"])
    return StaticToken(name, digest, tuple(scopes), created_at if created_at.tzinfo else created_at.replace(tzinfo=UTC))  # pyright: ignore[reportUnknownArgumentType]  # JSON
