"""``atelier token``: who may come in over HTTP by a static token."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.cli._client import print_json
from atelier_mcp.server.cli.usage import UsageError
from atelier_mcp.server.scopes import CREATE, READ, SCOPES
from atelier_mcp.server.web.token_file import TokenFile

if TYPE_CHECKING:
    import argparse

    from atelier_mcp.server.settings import Settings
    from atelier_mcp.server.web.token_file import StaticToken

PREFIX: Final = "atelier:"
USUAL_SCOPES: Final = (READ, CREATE)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Add a token and show it once, list those there are, or revoke one."""
    tokens = TokenFile(settings.home)
    if arguments.action == "list":
        return _list_tokens(tokens, arguments)
    if not arguments.name:
        raise UsageError(f"atelier token {arguments.action}: give the name that the token goes by.")
    if arguments.action == "revoke":
        tokens.revoke(arguments.name)
        _print_outcome(arguments, {"revoked": arguments.name}, f"{arguments.name} is revoked; running servers obey.")
        return 0
    return _add_token(tokens, arguments)


def _add_token(tokens: TokenFile, arguments: argparse.Namespace) -> int:
    scopes = _parse_scopes(arguments.scope)
    token = tokens.add(arguments.name, scopes, now=datetime.now(UTC), replaces=arguments.replace)
    if arguments.json:
        print_json({"name": arguments.name, "scopes": scopes, "token": token})
        return 0
    # The token alone on stdout, for a pipe.
    print(token)
    words = (
        f"{arguments.name} may come in with it: {', '.join(scopes)}. It is not shown again; running servers know it."
    )
    print(words, file=sys.stderr)
    return 0


def _parse_scopes(written: list[str] | None) -> list[str]:
    """The scopes in full, each once: ``read``, ``atelier:read`` and lists of them are understood."""
    names = [name.strip() for text in written or USUAL_SCOPES for name in text.replace(",", " ").split()]
    scopes = [name if name.startswith(PREFIX) else f"{PREFIX}{name}" for name in names]
    for name, scope in zip(names, scopes, strict=True):
        if scope not in SCOPES:
            raise UsageError(f"atelier token: {name[:40]} is no scope; there are {', '.join(SCOPES)}.")
    return [scope for scope in SCOPES if scope in scopes]


def _list_tokens(tokens: TokenFile, arguments: argparse.Namespace) -> int:
    found = tokens.list_tokens()
    if arguments.json:
        print_json({"tokens": [_to_document(entry) for entry in found]})
        return 0
    width = max((len(entry.name) for entry in found), default=0)
    lines = [f"{e.name:<{width}}  {e.created_at:%Y-%m-%d}  {' '.join(e.scopes)}" for e in found]
    print("\n".join(lines) or "There are no tokens: atelier token add NAME makes one.")
    return 0


def _to_document(entry: StaticToken) -> dict[str, Any]:
    return {"name": entry.name, "scopes": list(entry.scopes), "created_at": entry.created_at.isoformat()}


def _print_outcome(arguments: argparse.Namespace, document: dict[str, Any], words: str) -> None:
    if arguments.json:
        print_json(document)
    else:
        print(words)
