"""Pictures on their way through a job: named by the caller, checked, stored, sent to a service, kept when made."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from atelier_mcp.server.errors import (
    AtelierError,
    ConfigurationError,
    ImageRefused,
    ProviderUnavailable,
    Spent,
    UpstreamFailed,
)
from atelier_mcp.server.images.convert import convert_to_rule
from atelier_mcp.server.images.download import redact_url
from atelier_mcp.server.images.exchange import DeliveryMethod, ImageRule
from atelier_mcp.server.images.handles import parse_handle
from atelier_mcp.server.images.probe import ImageHeader, probe, probe_file, verify
from atelier_mcp.server.images.references import (
    MAX_BYTES,
    decode_data_url,
    is_data_url,
    is_link,
    parse_path,
    resolve_readable_file,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping
    from datetime import datetime

    from atelier_mcp.server.images.download import Downloader
    from atelier_mcp.server.images.exchange import OutputImage
    from atelier_mcp.server.images.handles import ImageHandle
    from atelier_mcp.server.images.hosting import ImageHost
    from atelier_mcp.server.images.store import ImageStore, StoredImage

T = TypeVar("T")

_RATIO_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True)
class OpenedImage:
    """A picture that is there and is a picture; ``data`` or, where it lies on the disk, ``path`` leads to its bytes."""

    place: str
    """Where the request names it: ``controls[0].image``."""
    header: ImageHeader
    source: str
    """Where it came from, as it may be written down."""
    handle: ImageHandle | None = None
    link: str | None = None
    """The public link it was read from."""
    data: bytes | None = None
    path: Path | None = None

    async def read(self) -> bytes:
        """Its bytes, as they were found: neither turned nor converted."""
        if self.data is not None:
            return self.data
        if self.path is None:
            raise ValueError("an opened picture has bytes or a path")
        return await asyncio.to_thread(self.path.read_bytes)


@dataclass(frozen=True, slots=True)
class AdmittedImage:
    """A stored picture that fits its rule."""

    handle: ImageHandle
    link: str | None = None
    """A public link to exactly the stored bytes."""
    notes: tuple[str, ...] = ()
    """What was changed to make it fit."""


@dataclass(frozen=True, slots=True)
class _FittedImage:
    """A picture that fits its rule and is not stored yet; no ``data`` when it is stored already."""

    opened_image: OpenedImage
    data: bytes | None
    notes: tuple[str, ...]


class ImagePipeline:
    """The pictures of a server: what goes in and what comes out."""

    def __init__(
        self,
        store: ImageStore,
        downloader: Downloader,
        host: ImageHost,
        *,
        input_roots: tuple[Path, ...] | None,
        cwd: Path | None = None,
    ) -> None:
        """``input_roots`` are the folders local paths may lead into; None where callers are not on this machine.

        Relative paths start at ``cwd``, by default the process's own at this moment.
        """
        self._store = store
        self._downloader = downloader
        self._host = host
        self._input_roots = input_roots
        self._cwd = cwd or Path.cwd()

    async def open(self, references: Mapping[str, str]) -> Mapping[str, OpenedImage]:
        """Find every picture a request names, by place, and read its header.

        A reference is a handle, an http(s) link, a data URL, or a path where ``input_roots`` allow it. Raises
        ``ImageRefused`` beginning with the place.
        """

        async def open_one(place: str) -> OpenedImage:
            return await self._open(place, references[place])

        return await _map_concurrently(references, open_one)

    async def admit(
        self,
        opened_images: Mapping[str, OpenedImage],
        rules: Mapping[str, ImageRule],
        *,
        now: datetime,
    ) -> Mapping[str, AdmittedImage]:
        """Check every picture against the rule for its place, convert what needs it, then store them all.

        A picture without a rule is only checked for damage. When one is refused none is stored; ``ImageRefused``
        begins with its place.
        """

        async def fit_one(place: str) -> _FittedImage:
            return await _fit_image(opened_images, place, rules.get(place))

        async def store_one(place: str) -> AdmittedImage:
            return await self._admit(fitted_images[place], now)

        fitted_images = await _map_concurrently(opened_images, fit_one)
        return await _map_concurrently(fitted_images, store_one)

    async def deliver(
        self, admitted_images: Mapping[str, AdmittedImage], rules: Mapping[str, ImageRule], *, local: bool
    ) -> Mapping[str, str]:
        """What to put into the upstream's request for each picture that has a rule, by place.

        The first delivery of the rule that works: a link, or bare base64 (also for ``UPLOAD``, which is the
        provider's own to carry out). An upstream on this machine (``local``) gets a loopback link, any other one the
        picture's own public link where it has one. Raises ``ConfigurationError`` when none works.
        """

        async def deliver_one(place: str) -> str:
            return await self._deliver(admitted_images[place], rules[place], local=local)

        return await _map_concurrently([place for place in admitted_images if place in rules], deliver_one)

    async def store_output(
        self, output: OutputImage, *, provenance: Mapping[str, Any], allow_hosts: frozenset[str], now: datetime
    ) -> StoredImage:
        """Store a picture a service has made; it is known by its bytes, whatever the service calls it.

        Raises ``ProviderUnavailable`` when it cannot be fetched or read now, ``UpstreamFailed`` when it never will be;
        both leave open whether money was spent, since the job itself has been done.
        """
        data = output.data if output.data is not None else await self._fetch_output(output.url or "", allow_hosts)
        try:
            return await self._store.save(data, provenance=provenance, now=now, check=verify)
        except ImageRefused as err:
            error_class = ProviderUnavailable if output.data is None else UpstreamFailed
            raise error_class(f"The service delivered no sound picture. {err.message}", spent=Spent.UNKNOWN) from err

    async def _fetch_output(self, url: str, allow_hosts: frozenset[str]) -> bytes:
        try:
            return await self._downloader.fetch(url, max_bytes=MAX_BYTES, allow_hosts=allow_hosts)
        except ImageRefused as err:
            raise UpstreamFailed(f"The service's picture cannot be fetched. {err.message}") from err
        except ProviderUnavailable as err:
            err.spent = Spent.UNKNOWN
            raise

    async def _open(self, place: str, reference: str) -> OpenedImage:
        reference = reference.strip()
        if reference.startswith(("img_", "atelier://")) and (parse_handle(reference) or not Path(reference).suffix):
            stored = await self._store.find(parse_handle(reference) or reference)
            header = await asyncio.to_thread(probe_file, stored.path)
            return OpenedImage(place, header, "the store", handle=stored.handle, path=stored.path)
        if is_data_url(reference):
            data = await asyncio.to_thread(decode_data_url, reference)
            return OpenedImage(place, await asyncio.to_thread(probe, data), "a data URL", data=data)
        if is_link(reference):
            data = await self._downloader.fetch(reference, max_bytes=MAX_BYTES)
            header = await asyncio.to_thread(probe, data)
            return OpenedImage(place, header, redact_url(reference), link=reference, data=data)
        return await asyncio.to_thread(self._open_file, place, reference)

    def _open_file(self, place: str, reference: str) -> OpenedImage:
        path = parse_path(reference)
        if self._input_roots is None:
            raise ImageRefused(
                "Local files can be read only when the server runs on the caller's own machine, over stdio.",
                hint="Give a handle (img_...), an https link or a data URL.",
            )
        roots = (*self._input_roots, self._store.folder)
        path = resolve_readable_file(self._cwd / path, roots)
        return OpenedImage(place, probe_file(path), str(path), path=path)

    async def _admit(self, fitted_image: _FittedImage, now: datetime) -> AdmittedImage:
        opened_image = fitted_image.opened_image
        if fitted_image.data is None and opened_image.handle is not None:
            return AdmittedImage(opened_image.handle, notes=fitted_image.notes)
        data = fitted_image.data if fitted_image.data is not None else await opened_image.read()
        provenance = {"imported_from": opened_image.handle or opened_image.source, "changes": list(fitted_image.notes)}
        stored = await self._store.save(data, provenance=provenance, now=now)
        return AdmittedImage(
            stored.handle, link=None if fitted_image.notes else opened_image.link, notes=fitted_image.notes
        )

    async def _deliver(self, admitted_image: AdmittedImage, rule: ImageRule, *, local: bool) -> str:
        error = ConfigurationError("The service names no way in which a picture could reach it.")
        for delivery in rule.deliveries:
            if delivery is not DeliveryMethod.LINK:
                return await asyncio.to_thread(_encode_base64, await self._store.read(admitted_image.handle))
            if admitted_image.link and not local:
                return admitted_image.link
            try:
                return await self._host.create_link(admitted_image.handle, local=local)
            except ConfigurationError as err:
                error = err
        raise error


def _encode_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


async def _fit_image(opened_images: Mapping[str, OpenedImage], place: str, rule: ImageRule | None) -> _FittedImage:
    opened_image = opened_images[place]
    if rule is not None:
        _check_ratio(opened_image, opened_images.get(rule.same_ratio_as or ""))
    data = await opened_image.read()
    if opened_image.handle is None:
        await asyncio.to_thread(verify, data)
    fitted_data, notes = data, ()
    if rule is not None:
        fitted_data, notes = await asyncio.to_thread(convert_to_rule, data, opened_image.header, rule)
    return _FittedImage(opened_image, None if opened_image.handle and fitted_data is data else fitted_data, notes)


def _check_ratio(image: OpenedImage, other: OpenedImage | None) -> None:
    if other is None:
        return
    header, other_header = image.header, other.header
    if (
        abs(header.width * other_header.height - other_header.width * header.height)
        <= _RATIO_TOLERANCE * other_header.width * header.height
    ):
        return
    raise ImageRefused(
        f"The picture has {header.width} x {header.height} pixels, which is not the shape of {other.place} "
        f"({other_header.width} x {other_header.height}).",
        hint=f"Give both the same width and height; make_mask draws a mask of the size of {other.place}.",
    )


async def _map_concurrently(places: Collection[str], operation: Callable[[str], Awaitable[T]]) -> dict[str, T]:
    """The results by place, all worked on at once; the first error in the order of the places, which it then names."""
    results: dict[str, T] = {}
    errors: dict[str, AtelierError] = {}

    async def run_one(place: str) -> None:
        try:
            results[place] = await operation(place)
        except AtelierError as err:
            errors[place] = err

    async with asyncio.TaskGroup() as group:
        for place in places:
            group.create_task(run_one(place), name=f"picture {place}")
    for place in places:
        if place in errors:
            errors[place].message = f"{place}: {errors[place].message}"
            raise errors[place]
    return {place: results[place] for place in places}
