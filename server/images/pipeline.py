"""The way of an image through a job, from what the caller wrote to what the upstream gets, and back.

    ImageReference   what the caller wrote: a handle, a link, a path or a data URL    (requests/base.py)
        | open       find it and read its header; nothing is decoded or stored yet
    OpenedImage                                                                       (opening.py)
        | admit      check it against the upstream's rule and convert it where need be (a FittedImage);
        |            when every image of the request fits, store them
    AdmittedImage    from here on a handle names it, also in the ledger               (admission.py)
        | deliver    make it reachable in a way that the rule allows
    DeliveredImage   a link or base64, which goes into the upstream's request

Each step works on all images of a request, as a mapping from the *place* that names an image, such as ``image`` or
``controls[0].image`` (spelled by ``requests.base.format_place``). What a service has made comes in as an
``OutputImage`` and is stored by ``store_output``.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from atelier_mcp.server.errors import (
    AtelierError,
    ConfigurationError,
    ImageRefused,
    OperatorError,
    ProviderUnavailable,
    Spent,
    UpstreamFailed,
)
from atelier_mcp.server.images.admission import AdmittedImage, FittedImage, fit_image, store_image
from atelier_mcp.server.images.apply_finish import FinishedImage, apply_finish, crop_tiles
from atelier_mcp.server.images.convert import convert_to_rule
from atelier_mcp.server.images.download import DeadLink
from atelier_mcp.server.images.exchange import DeliveryMethod, ImageRule
from atelier_mcp.server.images.opening import ImageOpener, OpenedImage
from atelier_mcp.server.images.probe import probe, verify
from atelier_mcp.server.images.provenance import Derived
from atelier_mcp.server.images.references import MAX_BYTES
from atelier_mcp.server.images.transparency import restore_transparency

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from atelier_mcp.server.images.download import Downloader
    from atelier_mcp.server.images.exchange import OutputImage
    from atelier_mcp.server.images.finish_plan import Box, Finish
    from atelier_mcp.server.images.hosting import ImageHost
    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.images.provenance import Generated
    from atelier_mcp.server.images.store import ImageStore
    from atelier_mcp.server.images.stored_image import StoredImage
    from atelier_mcp.server.images.transparency import TransparentEdit
    from atelier_mcp.server.images.workers import ImageWorkers

log: logging.Logger = logging.getLogger(__name__)

T = TypeVar("T")

_ANY_OUTPUT = ImageRule(min_side_px=1, max_side_px=40_000, max_bytes=MAX_BYTES, keeps_transparency=True)

DeliveredImage: TypeAlias = str
"""What the upstream's request holds for a picture: a link or bare base64."""


class OutputLost(UpstreamFailed):
    """A service's picture that will not be had: its link is dead, or what was handed over is none."""


class OutputUnreadable(ProviderUnavailable):
    """A service's link behind which something lies that is no sound picture; it may be one later."""


class ImagePipeline:
    """The pictures of a server: what goes in and what comes out."""

    def __init__(
        self,
        store: ImageStore,
        downloader: Downloader,
        host: ImageHost,
        workers: ImageWorkers,
        *,
        input_roots: tuple[Path, ...] | None,
        cwd: Path,
    ) -> None:
        """``input_roots`` are the folders local paths may lead into; None where callers are not on this machine.

        Relative paths start at ``cwd``.
        """
        self._store = store
        self._downloader = downloader
        self._host = host
        self._workers = workers
        self._input_roots = input_roots
        self._cwd = cwd
        self._opener = ImageOpener(store, downloader, workers, input_roots=input_roots, cwd=cwd)

    def for_owner(self, owner: str) -> ImagePipeline:
        """The same for the pictures of the principal of that name."""
        return self.for_store(self._store.for_owner(owner))

    def for_store(self, store: ImageStore) -> ImagePipeline:
        """The same for the pictures of another store."""
        if store is self._store:
            return self
        return ImagePipeline(
            store, self._downloader, self._host, self._workers, input_roots=self._input_roots, cwd=self._cwd
        )

    async def find_disk_trouble(self) -> str:
        """Why no picture can be stored at the moment, in words; "" where one can."""
        return await self._store.find_disk_trouble()

    async def open(self, references: Mapping[str, str]) -> Mapping[str, OpenedImage]:
        """Find every picture a request names, by place, and read its header.

        A reference is a handle, an http(s) link, a data URL, or a path where ``input_roots`` allow it. Raises
        ``ImageRefused`` beginning with the place.
        """

        async def open_one(place: str) -> OpenedImage:
            return await self._opener.open(place, references[place])

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

        async def fit_one(place: str) -> FittedImage:
            rule = rules.get(place)
            companion = opened_images.get(rule.same_ratio_as) if rule and rule.same_ratio_as else None
            return await fit_image(opened_images[place], rule, self._workers, companion=companion)

        async def store_one(place: str) -> AdmittedImage:
            return await store_image(fitted_images[place], self._store, now=now)

        fitted_images = await _map_concurrently(opened_images, fit_one)
        return await _map_concurrently(fitted_images, store_one)

    async def deliver(
        self, admitted_images: Mapping[str, AdmittedImage], rules: Mapping[str, ImageRule], *, local: bool
    ) -> Mapping[str, DeliveredImage]:
        """What to put into the upstream's request for each picture that has a rule, by place.

        The first delivery of the rule that works: a link, or bare base64 (also for ``UPLOAD``, which is the
        provider's own to carry out). An upstream on this machine (``local``) gets a loopback link, any other one the
        picture's own public link where it has one. Raises ``ConfigurationError`` when none works.
        """

        async def deliver_one(place: str) -> DeliveredImage:
            return await self._deliver(admitted_images[place], rules[place], local=local)

        return await _map_concurrently([place for place in admitted_images if place in rules], deliver_one)

    async def store_output(
        self,
        output: OutputImage,
        *,
        provenance: Generated,
        allow_hosts: frozenset[str],
        now: datetime,
        edit: TransparentEdit | None = None,
    ) -> StoredImage:
        """Store a picture a service has made; it is known by its bytes, whatever the service calls it.

        ``allow_hosts`` are those of the service itself, which may have any address. After an ``edit`` it gets the
        transparency of its source back. Raises ``OutputLost`` when it
        never will be had, ``OutputUnreadable`` when its link leads to something else, and what ``Downloader.fetch``
        raises when it cannot be fetched now; all leave open whether money was spent, since the job has been done.
        """
        data, header = await self._fetch_upright(output, allow_hosts)
        if edit is not None:
            data, header = await self._restore_transparency(data, edit), None
        return await self._store.save(data, provenance=provenance, now=now, header=header)

    async def store_finished(
        self,
        outputs: Sequence[OutputImage],
        finish: Finish,
        sources: Mapping[str, str],
        *,
        provenance: Generated,
        allow_hosts: frozenset[str],
        now: datetime,
        edit: TransparentEdit | None = None,
    ) -> list[tuple[StoredImage, str]]:
        """Fetch, finish and store pictures of a service, each with its label; ``sources`` are handles by place.

        Pictures that cannot be finished, since a source was taken away or a service delivered something else, are
        stored as they came: they are paid for. Raises as ``store_output`` does.
        """
        fetched = [(await self._fetch_upright(output, allow_hosts))[0] for output in outputs]
        try:
            source_data = {place: await self._store.read(handle) for place, handle in sources.items()}
            finished = await self._workers.run(apply_finish, finish, fetched, source_data)
        except OperatorError:  # a source cannot be read now: it is tried again
            raise
        except Exception:  # the picture is paid for: whatever finishing broke on, it is kept
            log.exception("a picture could not be finished and is stored as it came")
            finished = [FinishedImage(data) for data in fetched]
        if edit is not None:
            finished = [replace(one, data=await self._restore_transparency(one.data, edit)) for one in finished]
        return [(await self._store.save(image.data, provenance=provenance, now=now), image.label) for image in finished]

    async def cut_tiles(
        self, image: AdmittedImage, boxes: Sequence[Box], *, now: datetime
    ) -> tuple[AdmittedImage, ...]:
        """Parts of a stored picture, stored as JPEGs; ``boxes`` are in its pixels."""
        data = await self._store.read(image.handle)
        tiles = await self._workers.run(crop_tiles, data, boxes)
        tile = Derived(parents=(image.handle,), operation="tile", changes=("a tile of it",))
        stored = [await self._store.save(tile_data, provenance=tile, now=now) for tile_data in tiles]
        return tuple(AdmittedImage(tile.handle) for tile in stored)

    async def _fetch_upright(
        self, output: OutputImage, allow_hosts: frozenset[str]
    ) -> tuple[bytes, ImageHeader | None]:
        """A service's picture, and its header where it is as it came."""
        data = output.data if output.data is not None else await self._fetch_output(output.url or "", allow_hosts)
        try:
            header, upright = await self._workers.run(_make_upright, data)
        except ImageRefused as err:
            # Behind a link something better may lie later; bytes that were handed over stay as they are.
            error_class = OutputUnreadable if output.data is None else OutputLost
            raise error_class(f"The service delivered no sound picture. {err.message}", spent=Spent.UNKNOWN) from err
        return (data, header) if upright is None else (upright, None)

    async def _restore_transparency(self, data: bytes, edit: TransparentEdit) -> bytes:
        try:
            source = await self._store.read(edit.image)
            mask = await self._store.read(edit.mask) if edit.mask else None
        except ImageRefused:  # taken out of the library meanwhile
            return data
        if not (await self._workers.run(probe, source)).has_alpha:
            return data
        return await self._workers.run(restore_transparency, data, source, mask=mask, is_erasure=edit.is_erasure)

    async def _fetch_output(self, url: str, allow_hosts: frozenset[str]) -> bytes:
        try:
            return await self._downloader.fetch(url, max_bytes=MAX_BYTES, allow_hosts=allow_hosts, is_own_result=True)
        except DeadLink as err:
            raise OutputLost(f"The service's picture cannot be fetched. {err.message}") from err
        except ImageRefused as err:
            raise UpstreamFailed(f"The service's picture cannot be fetched. {err.message}") from err
        except ProviderUnavailable as err:
            err.spent = Spent.UNKNOWN
            raise

    async def _deliver(self, admitted_image: AdmittedImage, rule: ImageRule, *, local: bool) -> DeliveredImage:
        error = ConfigurationError("The service names no way in which a picture could reach it.")
        handle = admitted_image.sent_handle or admitted_image.handle
        for delivery in rule.deliveries:
            if delivery is not DeliveryMethod.LINK:
                return await asyncio.to_thread(_encode_base64, await self._store.read(handle))
            if admitted_image.link and not local:
                return admitted_image.link
            # The rule may name another way, which is tried next; if none works, this reason is told.
            try:
                return await self._host.create_link(handle, local=local, library=self._store.library)
            except ConfigurationError as err:
                error = err
        raise error


def _make_upright(data: bytes) -> tuple[ImageHeader, bytes | None]:
    """The header of a service's picture, and it without anything that makes readers turn it, where there is such.

    Raises ``ImageRefused`` for a damaged one, before what it lacks is put right.
    """
    header = verify(data)
    if not (header.is_rotated or header.is_ambiguous):
        return header, None
    return header, convert_to_rule(data, header, _ANY_OUTPUT)[0]


def _encode_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


async def _map_concurrently(places: Collection[str], operation: Callable[[str], Awaitable[T]]) -> dict[str, T]:
    """The results by place, all worked on at once; the first error in the order of the places, which it then names."""
    results: dict[str, T] = {}
    errors: dict[str, AtelierError] = {}

    async def run_one(place: str) -> None:
        try:
            results[place] = await operation(place)
        except AtelierError as err:
            # Gathered, not raised at once: in a group the first error would stop the others, and be a matter of luck.
            errors[place] = err

    async with asyncio.TaskGroup() as group:
        for place in places:
            group.create_task(run_one(place), name=f"picture {place}")
    for place in places:
        if place in errors:
            errors[place].message = f"{place}: {errors[place].message}"
            raise errors[place]
    return {place: results[place] for place in places}
