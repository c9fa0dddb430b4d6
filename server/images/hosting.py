"""Links under which services can read stored pictures: signed, expiring, for one picture each."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from atelier_mcp.server.errors import ConfigurationError, ImageRefused, OperatorError
from atelier_mcp.server.images.atomic import hold_lock, stage_file
from atelier_mcp.server.images.handles import is_handle
from atelier_mcp.server.images.image_response import create_image_response
from atelier_mcp.server.images.library_keys import is_library_key
from atelier_mcp.server.private_files import make_private_folder, withhold

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path
    from types import TracebackType

    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route
    from uvicorn import Server

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.images.exchange import ImageUploader
    from atelier_mcp.server.images.store import ImageStore

KEY_BYTES = 32
LINK_LIFETIME_S = 86_400
"""A service may read a picture only when the job's turn comes, hours after it was accepted."""
UPSTREAM_LINK_LIFETIME_S = 6 * 3600
"""Of a link to a bucket for a service: long enough for a job in a queue, short enough for one in somebody's log."""
CALLER_LINK_LIFETIME_S = 1800
"""Of a link in an answer: whoever it is handed on to sees the picture for so long; the next answer has a fresh one."""
STORE_LINK_LIFETIME_S = 300
"""Of the store's own link that a reader of ours is sent on to, who follows it at once."""
IMAGE_PATHS = ("/images/", "/pictures/")
IMAGE_HEADERS = {
    "cache-control": "private, max-age=3600",
    # No browser is to find something else in what a stranger made, or to run any of it.
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "referrer-policy": "no-referrer",
}
UPLOADED_LINK_REUSE_S = 1800
"""For so long the link of an uploaded picture is given out again; how long it works is the uploader's secret."""


def load_signing_key(root: Path) -> bytes:
    """The key of the data folder, made on first use and the same for every process. Blocks: call it in a thread.

    Raises ``ConfigurationError`` when ``root / "signing.key"`` holds something else.
    """
    path = root / "signing.key"
    make_private_folder(root)
    with hold_lock(root / "signing.key.lock"):
        # Asked only under the lock: of two processes that start at once, one makes the key for both.
        if not path.exists():
            with stage_file(root, secrets.token_bytes(KEY_BYTES)) as key_file:
                key_file.replace(path)
        withhold(path)
        withhold(root / "signing.key.lock")
        key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise ConfigurationError(
            f"{path} is not a signing key.", hint="Delete it; a new one is made at the next start."
        )
    return key


def load_signing_keys(root: Path, shared: str) -> list[bytes]:
    """The keys by which links open, that which signs first: those that servers share, or else the data folder's own.

    ``shared`` is as ``ATELIER_SIGNING_KEYS`` has it. Raises ``ConfigurationError`` as ``parse_shared_secrets`` does.
    Blocks: call it in a thread.
    """
    # Of their own for links: the same secrets serve other ends elsewhere.
    keys = [
        hashlib.sha256(b"atelier picture links\n" + secret.encode()).digest() for secret in parse_shared_secrets(shared)
    ]
    return keys or [load_signing_key(root)]


def parse_shared_secrets(shared: str) -> list[str]:
    """The secrets of ``ATELIER_SIGNING_KEYS``, that which signs first; none where it is empty.

    Raises ``ConfigurationError``, which repeats no secret, for one that could be guessed.
    """
    secrets_given = [secret.strip() for secret in shared.split(",") if secret.strip()]
    if any(len(secret) < KEY_BYTES or len(set(secret)) < KEY_BYTES // 4 for secret in secrets_given):
        raise ConfigurationError(
            f"ATELIER_SIGNING_KEYS: each key needs {KEY_BYTES} random characters or more, such as those of "
            "openssl rand -base64 32."
        )
    return secrets_given


class LinkSigner:
    """Makes and checks links. Whoever has the key can do both, in any process and after a restart."""

    def __init__(self, key: bytes, clock: Clock, *, older_keys: Sequence[bytes] = ()) -> None:
        """``clock`` decides when a link has expired; links that were made with ``older_keys`` open as well."""
        self._key = key
        self._older_keys = older_keys
        self._clock = clock

    def sign(self, handle: str, base_url: str, expires_s: int = LINK_LIFETIME_S, *, library: str = "") -> str:
        """A link to one picture of a library below ``base_url``, good for ``expires_s`` seconds."""
        expires = int(self._clock.now().timestamp()) + expires_s
        signature = _compute_signature(self._key, handle, expires, library)
        place = f"library={library}&" if library else ""
        return f"{base_url.rstrip('/')}{IMAGE_PATHS[0]}{handle}?{place}expires={expires}&signature={signature}"

    def now_s(self) -> float:
        """The time by which links expire, in Unix seconds."""
        return self._clock.now().timestamp()

    def is_valid(self, handle: str, expires: str, signature: str, *, library: str = "") -> bool:
        """True when the signature is ours and the time has not come. Takes as long for any wrong signature."""
        # ``isdecimal`` takes digits of any script, and ``int`` a number of any length.
        if not (expires.isascii() and expires.isdecimal() and len(expires) <= 12):
            return False
        keys = (self._key, *self._older_keys)
        own_signatures = [_compute_signature(key, handle, int(expires), library).encode() for key in keys]
        # Each in constant time, whichever is right.
        is_genuine = any([hmac.compare_digest(own, signature.encode()) for own in own_signatures])  # noqa: C419
        return is_genuine and self._clock.now().timestamp() < int(expires)


def _compute_signature(key: bytes, handle: str, expires: int, library: str) -> str:
    # A newline occurs in no part, so no two of them give the same text.
    signed = f"{handle}\n{expires}\n{library}" if library else f"{handle}\n{expires}"
    digest = hmac.digest(key, signed.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")


def create_image_routes(store: ImageStore, signer: LinkSigner, *, redirects: bool = False) -> list[Route]:
    """The route that serves signed links: 403 for a link that is not ours or has expired, 404 for a lost picture.

    With ``redirects``, readers are sent on to the store's own link, good for minutes, where it gives one.
    """
    from starlette.responses import PlainTextResponse, RedirectResponse
    from starlette.routing import Route

    async def serve_image(request: Request) -> Response:
        handle = request.path_params["handle"]
        expires, signature = request.query_params.get("expires", ""), request.query_params.get("signature", "")
        library = request.query_params.get("library", "")
        is_readable = is_handle(handle) and is_library_key(library)
        if not is_readable or not signer.is_valid(handle, expires, signature, library=library):
            return PlainTextResponse("This link is not valid or has expired.", status_code=403)
        image_store = store.for_library(library)
        try:
            stored = await image_store.find(handle)
        except ImageRefused:
            return PlainTextResponse("This picture is not stored any more.", status_code=404)
        except OperatorError:
            return PlainTextResponse("The store of pictures does not answer now.", status_code=503)
        if redirects and (link := image_store.create_link(stored, STORE_LINK_LIFETIME_S)):
            return RedirectResponse(link, headers={**IMAGE_HEADERS, "cache-control": "no-store"})
        return create_image_response(image_store, stored, headers=IMAGE_HEADERS)

    # The second is what links were called that may still be about.
    return [Route(f"{path}{{handle}}", serve_image, methods=["GET"]) for path in IMAGE_PATHS]


class ImageHost:
    """Hands out links to stored pictures, and runs the loopback server behind them where that is enough.

    An async context: the server lives inside it.
    """

    def __init__(
        self,
        store: ImageStore,
        signer: LinkSigner,
        *,
        public_url: str | None = None,
        uploader: ImageUploader | None = None,
        uploader_variables: Sequence[str] = (),
    ) -> None:
        """``public_url`` is the address under which ``create_image_routes`` of this server can be reached from outside.

        ``uploader`` gives public links where there is no such address; ``uploader_variables`` are the settings that
        would make a service host images so, for the error where there is none.
        """
        self._store = store
        self._signer = signer
        self._public_url = public_url
        self._uploader = uploader
        self._uploader_variables = uploader_variables
        self._uploaded_links: dict[tuple[str, str], tuple[str, float]] = {}
        self._tasks = asyncio.TaskGroup()
        self._start_lock = asyncio.Lock()
        self._server: Server | None = None
        self._loopback_url = ""

    async def __aenter__(self) -> Self:
        """Ready; the loopback server starts with the first link that needs it."""
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving and wait for it."""
        if self._server is not None:
            self._server.should_exit = True
        if isinstance(error, asyncio.CancelledError):
            await self._tasks.__aexit__(kind, error, trace)
        else:  # the group would wrap an error that is none of its tasks'
            await self._tasks.__aexit__(None, None, None)

    async def create_link(self, handle: str, *, local: bool, library: str = "") -> str:
        """A link to a picture of a library for an upstream, which runs on this machine when ``local``.

        Raises ``ConfigurationError`` when the upstream is elsewhere and cannot reach this server, and what uploading
        raises.
        """
        if local:
            return self._signer.sign(handle, await self._ensure_loopback_url(), library=library)
        if link := await self._create_store_link(handle, library):
            return link
        if self._public_url:
            return self._signer.sign(handle, self._public_url, library=library)
        if self._uploader is not None:
            return await self._upload(handle, library, self._uploader)
        uploads = "".join(f"{variables} (uploads there), " for variables in self._uploader_variables)
        raise ConfigurationError(
            "The service reads pictures from public links only, and this server cannot be reached from outside.",
            hint="Give the picture as a public https link, or set one of ATELIER_BUCKET_URL (an S3-compatible bucket), "
            f"{uploads}ATELIER_PUBLIC_URL (the address under which `atelier serve --http` is reachable).",
        )

    async def _create_store_link(self, handle: str, library: str) -> str | None:
        """The store's own link: the picture lies there already, and this server need not carry it."""
        store = self._store.for_library(library)
        if not store.gives_links:
            return None
        return store.create_link(await store.find(handle), UPSTREAM_LINK_LIFETIME_S)

    async def _upload(self, handle: str, library: str, uploader: ImageUploader) -> str:
        """The picture's link at the uploader, at most half an hour old."""
        link, uploaded_at_s = self._uploaded_links.get((library, handle), ("", 0.0))
        if link and self._signer.now_s() - uploaded_at_s < UPLOADED_LINK_REUSE_S:
            return link
        store = self._store.for_library(library)
        stored = await store.find(handle)
        link = await uploader.upload(await store.read(handle), stored.media_type)
        self._uploaded_links[library, handle] = (link, self._signer.now_s())
        return link

    async def _ensure_loopback_url(self) -> str:
        # Two first links at once must not start two servers.
        async with self._start_lock:
            if self._server is None:
                listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
                # Port 0 is any free one; bound here and handed over, it cannot be lost to another program.
                listener.bind(("127.0.0.1", 0))
                self._loopback_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
                self._server = await self._serve(listener)
        return self._loopback_url

    async def _serve(self, listener: socket.socket) -> Server:
        from starlette.applications import Starlette

        app = Starlette(routes=create_image_routes(self._store, self._signer))
        server, ready = _create_server(app)
        self._tasks.create_task(server.serve([listener]), name="picture host")
        await ready.wait()
        return server


def _create_server(app: Starlette) -> tuple[Server, asyncio.Event]:
    """A uvicorn server that leaves signals to the program around it, and the event that it listens."""
    import uvicorn

    ready = asyncio.Event()

    class QuietServer(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Generator[None]:
            yield

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready.set()

    # Without logging of its own: uvicorn's goes to stdout, which belongs to the protocol.
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=1,
    )
    return QuietServer(config), ready
