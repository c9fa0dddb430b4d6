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
from atelier_mcp.server.images.convert import ready
from atelier_mcp.server.images.download import shown
from atelier_mcp.server.images.handles import handle_in
from atelier_mcp.server.images.probe import Header, probe, probe_file, verify
from atelier_mcp.server.images.references import MAX_BYTES, data_of, is_data_url, is_link, path_of, readable_file
from atelier_mcp.server.providers.base import Delivery, ImageRule

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping
    from datetime import datetime

    from atelier_mcp.server.images.download import Downloader
    from atelier_mcp.server.images.handles import ImageHandle
    from atelier_mcp.server.images.hosting import PictureHost
    from atelier_mcp.server.images.store import ImageStore, StoredImage
    from atelier_mcp.server.providers.base import Output

T = TypeVar("T")

_RATIO_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True)
class Opened:
    """A picture that is there and is a picture; ``data`` or, where it lies on the disk, ``path`` leads to its bytes."""

    place: str
    """Where the request names it: ``controls[0].image``."""
    header: Header
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
class Admitted:
    """A stored picture that fits its rule."""

    handle: ImageHandle
    link: str | None = None
    """A public link to exactly the stored bytes."""
    notes: tuple[str, ...] = ()
    """What was changed to make it fit."""


@dataclass(frozen=True, slots=True)
class _Fitted:
    """A picture that fits its rule and is not stored yet; no ``data`` when it is stored already."""

    opened: Opened
    data: bytes | None
    notes: tuple[str, ...]


class Pictures:
    """The pictures of a server: what goes in and what comes out."""

    def __init__(
        self,
        store: ImageStore,
        downloader: Downloader,
        host: PictureHost,
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

    async def open(self, references: Mapping[str, str]) -> Mapping[str, Opened]:
        """Find every picture a request names, by place, and read its header.

        A reference is a handle, an http(s) link, a data URL, or a path where ``input_roots`` allow it. Raises
        ``ImageRefused`` beginning with the place.
        """

        async def opened(place: str) -> Opened:
            return await self._open(place, references[place])

        return await _each(references, opened)

    async def admit(
        self,
        opened: Mapping[str, Opened],
        rules: Mapping[str, ImageRule],
        *,
        now: datetime,
        may_shrink: bool = False,
    ) -> Mapping[str, Admitted]:
        """Check every picture against the rule for its place, convert what needs it, then store them all.

        A picture without a rule is only checked for damage. When one is refused none is stored; ``ImageRefused``
        begins with its place.
        """

        async def fitted(place: str) -> _Fitted:
            return await _fitted(opened, place, rules.get(place), may_shrink=may_shrink)

        async def stored(place: str) -> Admitted:
            return await self._admit(fit[place], now)

        fit = await _each(opened, fitted)
        return await _each(fit, stored)

    async def deliver(
        self, admitted: Mapping[str, Admitted], rules: Mapping[str, ImageRule], *, local: bool
    ) -> Mapping[str, str]:
        """What to put into the upstream's request for each picture that has a rule, by place.

        The first delivery of the rule that works: a link, or bare base64 (also for ``UPLOAD``, which is the
        provider's own to carry out). An upstream on this machine (``local``) gets a loopback link, any other one the
        picture's own public link where it has one. Raises ``ConfigurationError`` when none works.
        """

        async def delivered(place: str) -> str:
            return await self._deliver(admitted[place], rules[place], local=local)

        return await _each([place for place in admitted if place in rules], delivered)

    async def keep(
        self, output: Output, *, made: Mapping[str, Any], allow_hosts: frozenset[str], now: datetime
    ) -> StoredImage:
        """Store a picture a service has made; it is known by its bytes, whatever the service calls it.

        Raises ``ProviderUnavailable`` when it cannot be fetched or read now, ``UpstreamFailed`` when it never will be;
        both leave open whether money was spent, since the job itself has been done.
        """
        data = output.data if output.data is not None else await self._fetch_made(output.url or "", allow_hosts)
        try:
            return await self._store.keep(data, made=made, now=now, check=verify)
        except ImageRefused as err:
            kind = ProviderUnavailable if output.data is None else UpstreamFailed
            raise kind(f"The service delivered no sound picture. {err.what}", spent=Spent.UNKNOWN) from err

    async def _fetch_made(self, url: str, allow_hosts: frozenset[str]) -> bytes:
        try:
            return await self._downloader.fetch(url, max_bytes=MAX_BYTES, allow_hosts=allow_hosts)
        except ImageRefused as err:
            raise UpstreamFailed(f"The service's picture cannot be fetched. {err.what}") from err
        except ProviderUnavailable as err:
            err.spent = Spent.UNKNOWN
            raise

    async def _open(self, place: str, reference: str) -> Opened:
        reference = reference.strip()
        if reference.startswith(("img_", "atelier://")) and (handle_in(reference) or not Path(reference).suffix):
            stored = await self._store.find(handle_in(reference) or reference)
            header = await asyncio.to_thread(probe_file, stored.path)
            return Opened(place, header, "the store", handle=stored.handle, path=stored.path)
        if is_data_url(reference):
            data = await asyncio.to_thread(data_of, reference)
            return Opened(place, await asyncio.to_thread(probe, data), "a data URL", data=data)
        if is_link(reference):
            data = await self._downloader.fetch(reference, max_bytes=MAX_BYTES)
            header = await asyncio.to_thread(probe, data)
            return Opened(place, header, shown(reference), link=reference, data=data)
        return await asyncio.to_thread(self._open_file, place, reference)

    def _open_file(self, place: str, reference: str) -> Opened:
        path = path_of(reference)
        if self._input_roots is None:
            raise ImageRefused(
                "Local files can be read only when the server runs on the caller's own machine, over stdio.",
                then="Give a handle (img_...), an https link or a data URL.",
            )
        roots = (*self._input_roots, self._store.folder)
        path = readable_file(self._cwd / path, roots)
        return Opened(place, probe_file(path), str(path), path=path)

    async def _admit(self, fit: _Fitted, now: datetime) -> Admitted:
        opened = fit.opened
        if fit.data is None and opened.handle is not None:
            return Admitted(opened.handle, notes=fit.notes)
        data = fit.data if fit.data is not None else await opened.read()
        made = {"imported_from": opened.handle or opened.source, "changes": list(fit.notes)}
        stored = await self._store.keep(data, made=made, now=now)
        return Admitted(stored.handle, link=None if fit.notes else opened.link, notes=fit.notes)

    async def _deliver(self, admitted: Admitted, rule: ImageRule, *, local: bool) -> str:
        refusal = ConfigurationError("The service names no way in which a picture could reach it.")
        for delivery in rule.deliveries:
            if delivery is not Delivery.LINK:
                return await asyncio.to_thread(_base64, await self._store.read(admitted.handle))
            if admitted.link and not local:
                return admitted.link
            try:
                return await self._host.link(admitted.handle, local=local)
            except ConfigurationError as err:
                refusal = err
        raise refusal


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


async def _fitted(opened: Mapping[str, Opened], place: str, rule: ImageRule | None, *, may_shrink: bool) -> _Fitted:
    picture = opened[place]
    if rule is not None:
        _check_ratio(picture, opened.get(rule.same_ratio_as or ""))
    data = await picture.read()
    if picture.handle is None:
        await asyncio.to_thread(verify, data)
    fitting, notes = data, ()
    if rule is not None:
        fitting, notes = await asyncio.to_thread(ready, data, picture.header, rule, may_shrink=may_shrink)
    return _Fitted(picture, None if picture.handle and fitting is data else fitting, notes)


def _check_ratio(picture: Opened, other: Opened | None) -> None:
    if other is None:
        return
    mine, its = picture.header, other.header
    if abs(mine.width * its.height - its.width * mine.height) <= _RATIO_TOLERANCE * its.width * mine.height:
        return
    raise ImageRefused(
        f"The picture has {mine.width} x {mine.height} pixels, which is not the shape of {other.place} "
        f"({its.width} x {its.height}).",
        then=f"Give both the same width and height; make_mask draws a mask of the size of {other.place}.",
    )


async def _each(places: Collection[str], work: Callable[[str], Awaitable[T]]) -> dict[str, T]:
    """The results by place, all worked on at once; the first error in the order of the places, which it then names."""
    results: dict[str, T] = {}
    errors: dict[str, AtelierError] = {}

    async def one(place: str) -> None:
        try:
            results[place] = await work(place)
        except AtelierError as err:
            errors[place] = err

    async with asyncio.TaskGroup() as group:
        for place in places:
            group.create_task(one(place), name=f"picture {place}")
    for place in places:
        if place in errors:
            errors[place].what = f"{place}: {errors[place].what}"
            raise errors[place]
    return {place: results[place] for place in places}
