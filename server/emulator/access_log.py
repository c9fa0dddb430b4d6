"""What was asked of the emulator: one JSON object a line, written beside the event loop, in order."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from atelier_mcp.server.private_files import make_private_folder, open_private

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping
    from pathlib import Path

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

ACCOUNT: Final = "account"
LONGEST_TEXT: Final = 300
SECRET_NAMES: Final = frozenset({"password", "token", "mh_key", "authorization", "secret_key"})


logger: logging.Logger = logging.getLogger(__name__)


class AccessLog:
    """The log file; lines are queued by the requests and written by one background task."""

    def __init__(self, path: Path | None) -> None:
        """Write to ``path``, appending; nowhere when it is None."""
        self._path = path
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()

    @property
    def is_enabled(self) -> bool:
        """Whether anybody asked for a log."""
        return self._path is not None

    def add(self, entry: Mapping[str, Any]) -> None:
        """Queue one line."""
        self._lines.put_nowait(json.dumps(entry, ensure_ascii=False))

    @asynccontextmanager
    async def run(self) -> AsyncGenerator[None]:
        """Write as long as the context lasts; what is queued at its end is written too."""
        if self._path is None:
            yield
            return
        file = await asyncio.to_thread(_open_file, self._path)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._write(file), name="access log")
                try:
                    yield
                finally:
                    self._lines.put_nowait(None)
        finally:
            file.close()

    async def _write(self, file: IO[str]) -> None:
        while (line := await self._lines.get()) is not None:
            try:
                await asyncio.to_thread(_append, file, line)
            except OSError:  # a full disk is no reason to stop answering
                logger.exception("the access log could not be written")


def _open_file(path: Path) -> IO[str]:
    make_private_folder(path.parent)
    return open(path, "a", encoding="utf-8", opener=open_private)


def _append(file: IO[str], line: str) -> None:
    file.write(f"{line}\n")
    file.flush()


class AccessLogMiddleware:
    """ASGI middleware that reads along."""

    def __init__(
        self, app: ASGIApp, *, log: AccessLog, clock: Callable[[], float], contracts: Mapping[str, str]
    ) -> None:
        """Note what ``app`` is asked and answers; ``contracts`` names an upstream by the first part of the path."""
        self._app, self._log, self._clock, self._contracts = app, log, clock, contracts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request and note it, also when it fails."""
        if scope["type"] != "http" or not self._log.is_enabled or scope["path"].startswith("/_control"):
            return await self._app(scope, receive, send)
        state = scope.setdefault("state", {})
        # Read before the call and played back to it: the body can be read only once.
        messages = [] if _is_file_upload(scope) else await _read_messages(receive)
        status = 0

        async def replay_messages() -> Message:
            return messages.pop(0) if messages else await receive()

        async def record_status(message: Message) -> None:
            nonlocal status
            # Noted as it passes, and not after: an answer that is cut off had a status, too.
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        body = b"".join(message.get("body", b"") for message in messages)
        path, query, headers = scope["path"], scope["query_string"], dict(scope["headers"])
        try:
            return await self._app(scope, replay_messages, record_status)
        finally:
            upstream, upstream_path = _split_path(path)
            entry = {
                "time": datetime.fromtimestamp(self._clock(), UTC).isoformat(),
                "upstream": self._contracts.get(upstream, upstream),
                "method": scope["method"],
                "path": upstream_path,
                "query": _parse_query(query),
                **_summarize_body(body, headers.get(b"content-type", b"").decode("latin-1")),
                "status": status,
                "account": state.get(ACCOUNT),
            }
            self._log.add(entry)


def _is_file_upload(scope: Scope) -> bool:
    """Whether the body is a file on its way to storage, which is streamed and of which nothing is noted.

    A JSON document is none: the parameters of an inference travel that way, and are noted as those of any call.
    """
    return scope["method"] == "PUT" and "/s3/" in scope["path"] and not scope["path"].endswith(".json")


async def _read_messages(receive: Receive) -> list[Message]:
    messages = [await receive()]
    while messages[-1].get("more_body"):
        messages.append(await receive())
    return messages


def _split_path(path: str) -> tuple[str, str]:
    """The upstream and the path as it sees it."""
    upstream, _, inner = path.lstrip("/").partition("/")
    return upstream, f"/{inner}"


def _parse_query(text: bytes) -> dict[str, Any]:
    pairs = parse_qs(text.decode("latin-1"), keep_blank_values=True)
    return {name: values[0] if len(values) == 1 else values for name, values in pairs.items()}


def _summarize_body(body: bytes, content_type: str) -> dict[str, Any]:
    """The body as JSON, or the names of a form's fields."""
    if content_type.startswith("multipart/form-data"):
        return {"body": None, "form": _parse_form_names(body)}
    if not body:
        return {"body": None}
    try:
        return {"body": _redact(json.loads(body))}
    except ValueError:
        return {"body": None, "size_bytes": len(body)}


def _parse_form_names(body: bytes) -> list[str]:
    # The heads of the parts alone: a file may hold anything, also what looks like a head.
    heads = (part.partition(b"\r\n\r\n")[0] for part in body.split(b"\r\n--"))
    names = (head.partition(b' name="')[2].partition(b'"')[0] for head in heads if b"form-data" in head)
    return [name.decode("utf-8", "replace") for name in names]


def _redact(value: Any, name: str = "") -> Any:
    """JSON without secrets and without megabytes."""
    match value:
        case dict():
            return {key: _redact(item, key) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] # JSON
        case list():
            return [_redact(item, name) for item in value]  # pyright: ignore[reportUnknownVariableType] # JSON
        case str() if name in SECRET_NAMES:
            return "***"
        case str() if len(value) > LONGEST_TEXT:
            return f"{value[:LONGEST_TEXT]}... ({len(value)} characters)"
        case _:
            return value
