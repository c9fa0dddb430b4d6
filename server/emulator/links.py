"""Links to result pictures: signed, expiring, and good at every instance on the same folder."""

from __future__ import annotations

import hashlib
import hmac
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

from starlette.responses import FileResponse, PlainTextResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response

    from atelier_mcp.server.emulator.clock import EmulatorClock
    from atelier_mcp.server.emulator.task_store import TaskStore

PREFIX: Final = "/files/"
FILE_PATH: Final = re.compile(r"(tasks/[\w.-]+/[\w-]+|pictures|datasets)/(raw|small|result|[0-9a-f]{32})(-\d+)?\.\w+")


class LinkError(Exception):
    """A link does not work (any more); ``status`` is the HTTP status to answer."""

    def __init__(self, status: int, reason: str) -> None:
        """Hold status and reason."""
        super().__init__(reason)
        self.status = status


def parse_encoded_name(link: str) -> str:
    """The name of the file behind a link, still encoded; empty for a link that is none, such as ``http://[``."""
    try:
        return PurePosixPath(urlsplit(link).path).name
    except ValueError:
        return ""


class SignedLinks:
    """Makes links to files of the store and checks those that come back."""

    def __init__(self, store: TaskStore, clock: EmulatorClock) -> None:
        """Sign with the store's key, by the emulator's time."""
        self._store, self._clock = store, clock
        self._key = b""

    def load_key(self) -> None:
        """Read the key; the store must be open."""
        self._key = self._store.load_link_key()

    def create_link(self, path: str, *, origin: str, seconds: float) -> str:
        """A link below ``origin`` to a file of the store that works for ``seconds``."""
        # Text in both places: what is signed is what stands in the link, to the letter.
        expires = str(int(self._clock.now() + seconds))
        return f"{origin}{PREFIX}{path}?expires={expires}&signature={self._compute_signature(path, expires)}"

    def resolve(self, url: str) -> Path | None:
        """The file a link we signed leads to; None when the link is somebody else's.

        Raises:
            LinkError: it is ours, and its time is over or its file is gone.
        """
        try:
            parts = urlsplit(url)
        except ValueError:  # no URL at all, such as http://[
            return None
        query = parse_qs(parts.query)
        path, expires = parts.path.removeprefix(PREFIX), query.get("expires", [""])[0]
        signature = query.get("signature", [""])[0]
        if not parts.path.startswith(PREFIX) or not self._is_signature_valid(path, expires, signature):
            return None
        return self.check(path, expires, signature)

    def check(self, path: str, expires: str, signature: str) -> Path:
        """The file, if the link's parts are good; raises LinkError if not."""
        if not self._is_signature_valid(path, expires, signature):
            raise LinkError(403, "the signature does not match")
        if int(expires) < self._clock.now():
            raise LinkError(410, "the link has expired")
        file = self._store.folder / path
        # After the signature, and all the same: a key that leaked must not open other files.
        if not FILE_PATH.fullmatch(path) or not file.is_file():
            raise LinkError(404, "there is no such file")
        return file

    def build_routes(self) -> list[Route]:
        """The routes the links lead to."""
        return [Route(f"{PREFIX}{{path:path}}", self._serve, methods=["GET", "HEAD"])]

    async def _serve(self, request: Request) -> Response:
        query = request.query_params
        try:
            file = self.check(request.path_params["path"], query.get("expires", ""), query.get("signature", ""))
        except LinkError as err:
            return PlainTextResponse(str(err), status_code=err.status)
        return FileResponse(file)

    def _is_signature_valid(self, path: str, expires: str, signature: str) -> bool:
        # In constant time, on bytes: text that is not ASCII would raise.
        return hmac.compare_digest(self._compute_signature(path, expires).encode(), signature.encode())

    def _compute_signature(self, path: str, expires: str) -> str:
        return hmac.new(self._key, f"{path}\n{expires}".encode(), hashlib.sha256).hexdigest()


def get_origin(request: Request) -> str:
    """Scheme, host and port the caller reached us by."""
    return f"{request.url.scheme}://{request.url.netloc}"
