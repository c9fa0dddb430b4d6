"""Storage behind signed links: parts and whole files are really taken, streamed to disk, and told by their ETag.

The links work like those of the vendor's storage: no API key, one object and one part each, and a time after which
they are refused. An ETag is the quoted MD5 of what arrived; a finished multi-part upload has that of its parts' ETags.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from atelier_mcp.server.emulator.sd_aws.record_store import FOLDER
from atelier_mcp.server.emulator.settings import DAY_S
from atelier_mcp.server.private_files import make_private_folder, open_private, write_private_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from starlette.requests import Request

    from atelier_mcp.server.emulator.state import EmulatorState

BUCKET: Final = "atelier-emulator"
PREFIX: Final = "/sd_aws/s3/"
FILE_UPLOAD_S: Final = 7 * DAY_S
PARAMETER_UPLOAD_S: Final = 3600.0
DOWNLOAD_S: Final = 3600.0
PREVIEW_S: Final = DAY_S
WHOLE: Final = "0"
UPLOAD_ID: Final = re.compile(r"[0-9a-f]{32}")
COPY_BYTES: Final = 1 << 20


NO_SUCH_KEY: Final = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code></Error>'
INVALID_PART: Final = (
    "An error occurred (InvalidPart) when calling the CompleteMultipartUpload operation: One or more of the specified "
    "parts could not be found. The part might not have been uploaded, or the specified entity tag might not have "
    "matched the part's entity tag."
)


class IncompleteUploadError(Exception):
    """Parts of an upload are missing or not what their tags say; the text is the storage's."""


class ObjectStore:
    """The files of all accounts, by key."""

    def __init__(self, emulator: EmulatorState) -> None:
        """Below the emulator's folder."""
        self._emulator = emulator
        self._key = b""
        self.lock: asyncio.Lock = asyncio.Lock()
        """Held by who writes the end of a job, so that two who look at it do not both."""

    def build_routes(self) -> list[Route]:
        """The routes the signed links lead to, below the upstream's prefix."""
        return [
            Route("/s3/{key:path}", self._handle_put, methods=["PUT"]),
            Route("/s3/{key:path}", self._handle_get, methods=["GET", "HEAD"]),
        ]

    def create_upload_link(self, key: str, *, origin: str, seconds: float = PARAMETER_UPLOAD_S) -> str:
        """A link that takes one whole file."""
        return self._create_link("PUT", key, origin=origin, seconds=seconds)

    def create_part_links(self, key: str, count: int, *, origin: str) -> tuple[str, list[str]]:
        """A multi-part upload's id and the link of each of its parts."""
        upload_id = secrets.token_hex(16)
        links = [
            self._create_link("PUT", key, origin=origin, seconds=FILE_UPLOAD_S, part=str(number), upload_id=upload_id)
            for number in range(1, count + 1)
        ]
        return upload_id, links

    def create_download_link(self, key: str, *, origin: str, seconds: float = DOWNLOAD_S) -> str:
        """A link to a file."""
        return self._create_link("GET", key, origin=origin, seconds=seconds)

    def build_path(self, key: str) -> Path:
        """Where a file lies, whether it is there or not."""
        return self._build_folder() / "whole" / hashlib.sha256(key.encode()).hexdigest()

    async def store(self, key: str, data: bytes) -> None:
        """Write a file of the service's own."""
        await asyncio.to_thread(_write_file, self.build_path(key), data)

    async def complete(self, key: str, upload_id: str, parts: Sequence[Mapping[str, Any]]) -> None:
        """Make one file of its parts; raises IncompleteUploadError for one missing or not what its ETag says."""
        try:
            await asyncio.to_thread(self._join_parts, key, upload_id, parts)
        except (OSError, KeyError, ValueError) as err:
            raise IncompleteUploadError(INVALID_PART) from err

    async def copy(self, key: str, other_key: str) -> None:
        """Have a file under another key too; one that is not there stays so."""
        path = self.build_path(key)
        if await asyncio.to_thread(path.is_file):
            await self.store(other_key, await asyncio.to_thread(path.read_bytes))

    async def delete(self, key: str) -> None:
        """Delete a file, whether it is there or not."""
        await asyncio.to_thread(self.build_path(key).unlink, missing_ok=True)

    def _join_parts(self, key: str, upload_id: str, parts: Sequence[Mapping[str, Any]]) -> None:
        # It becomes the name of a folder.
        if not UPLOAD_ID.fullmatch(upload_id):
            raise ValueError("there is no such upload")
        folder, target = self._build_folder() / "parts" / upload_id, self.build_path(key)
        ordered = sorted(parts, key=lambda part: int(part["PartNumber"]))
        make_private_folder(target.parent)
        draft = target.with_name(f"{target.name}.{secrets.token_hex(4)}.draft")
        with open(draft, "wb", opener=open_private) as whole:
            for part in ordered:
                path = folder / str(int(part["PartNumber"]))
                if _compute_md5(path) != str(part["ETag"]).strip('"'):
                    raise ValueError(f"part {part['PartNumber']} has another ETag")
                with path.open("rb") as source:
                    while chunk := source.read(COPY_BYTES):
                        whole.write(chunk)
        draft.replace(target)

    async def _handle_put(self, request: Request) -> Response:
        key, query = request.path_params["key"], request.query_params
        part, upload_id = query.get("partNumber", WHOLE), query.get("uploadId", "")
        if (refusal := self._check_link("PUT", key, part, upload_id, query)) is not None:
            return refusal
        target = self.build_path(key) if part == WHOLE else self._build_folder() / "parts" / upload_id / str(int(part))
        digest, size_bytes = await self._stream_to_file(request, target)
        # A client that breaks off in the middle must not get an ETag for half a part.
        if size_bytes != int(request.headers.get("content-length", size_bytes)):
            return PlainTextResponse("IncompleteBody", status_code=400)
        return Response(status_code=200, headers={"ETag": f'"{digest}"'})

    async def _handle_get(self, request: Request) -> Response:
        key, query = request.path_params["key"], request.query_params
        if (refusal := self._check_link("GET", key, WHOLE, "", query)) is not None:
            return refusal
        path = self.build_path(key)
        if not path.is_file():
            return Response(NO_SUCH_KEY, status_code=404, media_type="application/xml")
        return FileResponse(path)

    async def _stream_to_file(self, request: Request, target: Path) -> tuple[str, int]:
        """Write what arrives beside the target, then put it in its place: half a part is no part."""
        await asyncio.to_thread(make_private_folder, target.parent)
        draft = target.with_name(f"{target.name}.{secrets.token_hex(4)}.draft")
        digest, size_bytes = hashlib.md5(usedforsecurity=False), 0
        file = await asyncio.to_thread(open, draft, "wb", opener=open_private)
        try:
            async for chunk in request.stream():
                digest.update(chunk)
                size_bytes += len(chunk)
                await asyncio.to_thread(file.write, chunk)
            await asyncio.to_thread(file.close)
            await asyncio.to_thread(draft.replace, target)
        finally:
            file.close()
            draft.unlink(missing_ok=True)
        return digest.hexdigest(), size_bytes

    def _build_folder(self) -> Path:
        return self._emulator.store.folder / FOLDER / "objects"

    def _create_link(
        self, method: str, key: str, *, origin: str, seconds: float, part: str = WHOLE, upload_id: str = ""
    ) -> str:
        expires = str(int(self._emulator.clock.now() + seconds))
        signature = self._compute_signature(method, key, part, upload_id, expires)
        which = f"partNumber={part}&uploadId={upload_id}&" if part != WHOLE else ""
        return f"{origin}{PREFIX}{quote(key)}?{which}expires={expires}&signature={signature}"

    def _check_link(
        self, method: str, key: str, part: str, upload_id: str, query: Mapping[str, str]
    ) -> Response | None:
        expires, signature = query.get("expires", ""), query.get("signature", "")
        expected = self._compute_signature(method, key, part, upload_id, expires)
        # Before the time: `expires` is part of what is signed, and only then a number for certain.
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            return PlainTextResponse("SignatureDoesNotMatch", status_code=403)
        if int(expires) < self._emulator.clock.now():
            return PlainTextResponse("AccessDenied: Request has expired", status_code=403)
        return None

    def _compute_signature(self, *fields: str) -> str:
        if not self._key:
            self._key = self._emulator.store.load_link_key()
        # Neither host nor port are signed: links stay good when the emulator comes back elsewhere.
        return hmac.new(self._key, "\n".join(("sd_aws", *fields)).encode(), hashlib.sha256).hexdigest()


def _write_file(path: Path, data: bytes) -> None:
    make_private_folder(path.parent)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.draft")
    write_private_bytes(draft, data)
    draft.replace(path)


def _compute_md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(COPY_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def build_location(key: str) -> str:
    """The storage address of a key."""
    return f"s3://{BUCKET}/{key}"
