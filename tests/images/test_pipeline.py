"""Pictures from the caller's words to the service, and from the service to the store."""

from __future__ import annotations

import base64
import io
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from PIL import Image

from atelier_mcp.server.errors import (
    AtelierError,
    ConfigurationError,
    ImageRefused,
    ProviderUnavailable,
    Spent,
    UpstreamFailed,
)
from atelier_mcp.server.images.download import Downloader
from atelier_mcp.server.images.exchange import DeliveryMethod, ImageRule, OutputImage
from atelier_mcp.server.images.handles import compute_handle
from atelier_mcp.server.images.hosting import ImageHost, LinkSigner
from atelier_mcp.server.images.pipeline import ImagePipeline
from atelier_mcp.server.images.provenance import Derived, Generated, Imported
from tests.images.samples import build_png, build_truncated_jpeg, decode_image, draw_sample, encode_image, make_image
from tests.images.sites import FakeInternet, build_response, stream_response
from tests.support.clock import AutoAdvanceClock
from tests.support.store_places import get_file

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from datetime import datetime
    from pathlib import Path

    from atelier_mcp.server.images.admission import AdmittedImage
    from atelier_mcp.server.images.folder_store import FolderStore
    from atelier_mcp.server.images.workers import ImageWorkers
    from tests.images.sites import Site

RULE = ImageRule(min_side_px=64, max_side_px=2000, max_bytes=1_000_000)
MASK = ImageRule(min_side_px=64, max_side_px=2000, max_bytes=1_000_000, same_ratio_as="image")
PUBLIC = "93.184.215.14"
KITE = Generated(job="job_1", capability="generate_image", provider="mhapi", request={"prompt": "a kite"}, seed=7)


async def resolve_to_public(host: str, port: int) -> Sequence[str]:
    """A name server that knows one public address for every name."""
    return [PUBLIC if host.endswith(".example") else host]


class PipelineHarness:
    """A server's pictures, with a folder of the caller's own."""

    def __init__(self, store: FolderStore, workers: ImageWorkers, folder: Path, site: Site, now: datetime) -> None:
        self.store, self.workers, self.folder, self.now = store, workers, folder, now
        self.downloader = Downloader(
            resolver=resolve_to_public, network=FakeInternet({PUBLIC: site}), retry_delays_s=(0, 0)
        )
        self.signer = LinkSigner(b"k" * 32, AutoAdvanceClock(now))

    @asynccontextmanager
    async def open_pipeline(
        self, *, stdio: bool = True, public_url: str | None = None
    ) -> AsyncGenerator[ImagePipeline]:
        """The pictures of a server that runs over stdio, or not."""
        roots = (self.folder,) if stdio else None
        async with self.downloader, ImageHost(self.store, self.signer, public_url=public_url) as host:
            yield ImagePipeline(self.store, self.downloader, host, self.workers, input_roots=roots, cwd=self.folder)

    def write_file(self, name: str, data: bytes) -> Path:
        """A file of the caller's."""
        path = self.folder / name
        path.write_bytes(data)
        return path

    def list_stored_names(self) -> list[str]:
        """The names of all stored pictures and their stories, and of anything left lying about."""
        return sorted(path.name for path in self.store.folder.glob("*/*"))


@pytest.fixture
def harness(store: FolderStore, workers: ImageWorkers, tmp_path: Path, site: Site, now: datetime) -> PipelineHarness:
    """A harness with nothing in it."""
    folder = tmp_path / "caller's pictures"
    folder.mkdir()
    return PipelineHarness(store, workers, folder, site, now)


def build_data_url(data: bytes) -> str:
    """The picture as a data URL."""
    return "data:image/png;base64," + base64.b64encode(data).decode()


def draw_mask_file(width: int, height: int) -> bytes:
    """A mask with its upper half marked."""
    mask = Image.new("L", (width, height), "white")
    mask.paste("black", (0, 0, width, height // 2))
    return encode_image(mask)


async def test_a_picture_can_be_named_in_every_way(harness: PipelineHarness, site: Site) -> None:
    """Handle, link, data URL, path, file URL, and all of them at once."""
    data = make_image()
    stored = await harness.store.save(data, provenance=KITE, now=harness.now)
    path = harness.write_file("a kite.png", data)
    references = {
        "handle": stored.handle,
        "link": site.serve("/kite.png?signature=secret", build_response(data)).replace(site.host, "pictures.example"),
        "data": build_data_url(data),
        "percent": "data:image/png," + quote(data),
        "absolute": str(path),
        "relative": "a kite.png",
        "file": path.as_uri(),
        "stored": str(get_file(stored)),
    }
    async with harness.open_pipeline() as pipeline:
        opened = await pipeline.open(references)
        assert list(opened) == list(references)
        for place, found in opened.items():
            assert (found.place, found.header.width, found.header.format) == (place, 320, "PNG")
            assert await found.read() == data
    assert opened["handle"].handle == stored.handle
    assert opened["link"].link == references["link"]
    assert opened["link"].source == "http://pictures.example/kite.png"


async def test_a_home_folder_is_expanded(harness: PipelineHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the caller's shell would."""
    monkeypatch.setenv("HOME", str(harness.folder))
    harness.write_file("kite.png", make_image())
    async with harness.open_pipeline() as pipeline:
        assert (await pipeline.open({"image": "~/kite.png"}))["image"].header.width == 320


async def admit_image(
    harness: PipelineHarness, pipeline: ImagePipeline, reference: str, place: str = "image"
) -> AdmittedImage:
    """A picture opened, checked and stored."""
    opened_images = await pipeline.open({place: reference})
    return (await pipeline.admit(opened_images, {place: RULE}, now=harness.now))[place]


async def get_refusal(harness: PipelineHarness, reference: str, **options: Any) -> str:
    """What is said of a reference, after nothing was kept."""
    async with harness.open_pipeline(**options) as pipeline:
        with pytest.raises(ImageRefused) as refused:
            await admit_image(harness, pipeline, reference, place="controls[0].image")
    assert harness.list_stored_names() == []
    assert refused.value.message.startswith("controls[0].image: ")
    return str(refused.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"A red kite over the sea.\n", "a text"),
        (b"", "an empty file"),
        (build_truncated_jpeg(), "damaged or cut off"),
        (build_png(40_000, 40_000), "40,000 x 40,000 pixels"),
        (make_image(width=2400), "2400 x 240 pixels; each side must have 64 to 2000"),
    ],
    ids=["text", "empty", "truncated", "huge", "large"],
)
async def test_a_bad_picture_is_refused_however_it_comes(
    harness: PipelineHarness, site: Site, data: bytes, words: str
) -> None:
    """As a file that is called .png, as a link, as a data URL."""
    link = site.serve("/kite.png", build_response(data)).replace(site.host, "pictures.example")
    for reference in (str(harness.write_file("kite.png", data)), link, build_data_url(data)):
        assert words in await get_refusal(harness, reference)


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("img_aaaaaaaaaaaaaaaa", "import_image"),
        ("img_kite", "No picture is stored under img_kite"),
        ("data:image/png;base64", "no comma"),
        ("data:image/png;base64,iVBORw0KGg*", "not base64"),
        ("data:image/png;base64,iVBORw0KG", "not base64"),
        ("data:text/plain,hello", "a text"),
        ("kite.png", "There is no file"),
        (".", "is not a file"),
        ("C:\\Users\\me\\kite.png", "Windows path"),
        ("\\\\server\\share\\kite.png", "Windows path"),
        ("s3://bucket/kite.png", "s3: addresses"),
        ("file://server/kite.png", "this machine"),
        ("~nobody-has-this-name/kite.png", "no home folder"),
        ("iVBORw0KGgo" * 1000, "Base64 goes into a data URL"),
        ("kite\0.png", "neither a link nor a path"),
        ("kite" * 100, "cannot be read"),
        ("http://127.0.0.1/kite.png", "private or local network"),
        ("http://[::1]/kite.png", "private or local network"),
        ("http://169.254.169.254/latest/meta-data", "private or local network"),
        ("", "is not a file"),
    ],
)
async def test_a_bad_reference_is_refused_in_words(harness: PipelineHarness, reference: str, words: str) -> None:
    """What is wrong with it, and what would do."""
    assert words in await get_refusal(harness, reference)


async def test_a_link_to_a_hundred_megabytes_is_refused(harness: PipelineHarness, site: Site) -> None:
    """Long before they have all arrived."""
    link = site.serve("/kite.png", stream_response(chunk_count=1600)).replace(site.host, "pictures.example")
    assert "more than 50 MB" in await get_refusal(harness, link)
    assert site.sent_bytes < 80_000_000


async def test_a_path_outside_the_allowed_folders_is_refused(harness: PipelineHarness, tmp_path: Path) -> None:
    """Directly, by dots or by a symbolic link, and whether or not there is anything."""
    secret = tmp_path / "secret.png"
    secret.write_bytes(make_image())
    (harness.folder / "harmless.png").symlink_to(secret)
    (harness.folder / "folder").symlink_to(tmp_path)
    outside = [str(secret), "../secret.png", "harmless.png", "folder/secret.png", "/nothing/here.png"]
    for reference in (*outside, secret.as_uri()):
        words = await get_refusal(harness, reference)
        assert str(harness.folder) in words
        assert "ATELIER_INPUT_ROOTS" in words


async def test_a_link_inside_the_allowed_folders_may_be_followed(harness: PipelineHarness) -> None:
    """What counts is where it ends."""
    (harness.folder / "also.png").symlink_to(harness.write_file("kite.png", make_image()))
    async with harness.open_pipeline() as pipeline:
        assert (await pipeline.open({"image": "also.png"}))["image"].header.width == 320


async def test_a_server_elsewhere_reads_no_paths(harness: PipelineHarness) -> None:
    """Over HTTP the caller's files are not ours, and ours are not the caller's."""
    path = harness.write_file("kite.png", make_image())
    for reference in (str(path), path.as_uri(), "kite.png"):
        assert "over stdio" in await get_refusal(harness, reference, stdio=False)


async def test_the_first_bad_place_is_the_one_named(harness: PipelineHarness) -> None:
    """In the order of the request, not of the clock."""
    async with harness.open_pipeline() as pipeline:
        with pytest.raises(ImageRefused, match=r"^mask: "):
            await pipeline.open({"image": build_data_url(make_image()), "mask": "nothing.png", "face": "data:,"})


async def test_an_admitted_picture_is_stored_with_where_it_came_from(harness: PipelineHarness, site: Site) -> None:
    """A picture that fits keeps its bytes, and so its link stays good."""
    data = make_image("JPEG")
    link = site.serve("/kite.jpg?signature=secret", build_response(data)).replace(site.host, "pictures.example")
    async with harness.open_pipeline() as pipeline:
        admitted = await admit_image(harness, pipeline, link)
    assert (admitted.handle, admitted.link) == (compute_handle(data), link)
    stored = await harness.store.find(compute_handle(data))
    assert stored.provenance == Imported(source="http://pictures.example/kite.jpg")


async def test_a_stored_picture_is_not_stored_again(harness: PipelineHarness) -> None:
    """Its handle goes through."""
    stored = await harness.store.save(make_image(), provenance=KITE, now=harness.now)
    before = harness.list_stored_names()
    async with harness.open_pipeline() as pipeline:
        admitted = await admit_image(harness, pipeline, stored.handle)
    assert (admitted.handle, admitted.notes) == (stored.handle, ())
    assert harness.list_stored_names() == before


async def test_a_changed_picture_has_its_own_handle_and_loses_its_link(harness: PipelineHarness, site: Site) -> None:
    """The service would read the unchanged one there."""
    lying = encode_image(draw_sample(), "JPEG", orientation=6)
    link = site.serve("/kite.jpg", build_response(lying)).replace(site.host, "pictures.example")
    async with harness.open_pipeline() as pipeline:
        admitted = (await pipeline.admit(await pipeline.open({"image": link}), {"image": RULE}, now=harness.now))[
            "image"
        ]
    assert admitted.link is None
    assert admitted.notes
    assert decode_image(await harness.store.read(admitted.handle)).size == (240, 320)
    assert (await harness.store.find(admitted.handle)).provenance == Imported(
        source="http://pictures.example/kite.jpg", changes=admitted.notes
    )


async def test_a_link_to_more_bytes_than_were_admitted_is_not_handed_on(harness: PipelineHarness, site: Site) -> None:
    """Saving a JPEG anew at the best quality changes nothing a reader sees, and every byte."""
    stream = io.BytesIO()
    draw_sample(1000, 800, noise=True).save(stream, "JPEG", quality=100, subsampling=0)
    link = site.serve("/kite.jpg", build_response(stream.getvalue())).replace(site.host, "pictures.example")
    rule = ImageRule(min_side_px=64, max_bytes=len(stream.getvalue()) - 1)
    async with harness.open_pipeline() as pipeline:
        opened_images = await pipeline.open({"image": link})
        admitted = (await pipeline.admit(opened_images, {"image": rule}, now=harness.now))["image"]
    assert admitted.link is None
    assert admitted.notes == ("saved with JPEG quality 92",)


async def test_a_stored_picture_converted_for_a_service_names_its_parent(harness: PipelineHarness) -> None:
    """Its own story goes on from there."""
    stored = await harness.store.save(make_image("GIF"), provenance=KITE, now=harness.now)
    async with harness.open_pipeline() as pipeline:
        admitted = await admit_image(harness, pipeline, stored.handle)
    assert (await harness.store.find(admitted.handle)).provenance == Derived(
        parents=(stored.handle,), operation="convert", changes=("converted from GIF to PNG",)
    )


async def test_when_one_picture_is_refused_none_is_stored(harness: PipelineHarness) -> None:
    """A half-accepted request leaves nothing behind."""
    references = {"image": build_data_url(make_image()), "mask": build_data_url(make_image(width=300, height=300))}
    async with harness.open_pipeline() as pipeline:
        with pytest.raises(ImageRefused, match=r"^mask: .*300 x 300 .*image \(320 x 240\)"):
            await pipeline.admit(await pipeline.open(references), {"image": RULE, "mask": MASK}, now=harness.now)
    assert harness.list_stored_names() == []


@pytest.mark.parametrize(("width", "height"), [(640, 480), (321, 240), (320, 242)])
async def test_a_mask_may_differ_in_size_but_hardly_in_shape(harness: PipelineHarness, width: int, height: int) -> None:
    """Within one per cent."""
    references = {"image": build_data_url(make_image()), "mask": build_data_url(draw_mask_file(width, height))}
    async with harness.open_pipeline() as pipeline:
        admitted = await pipeline.admit(await pipeline.open(references), {"image": RULE, "mask": MASK}, now=harness.now)
    assert set(admitted) == {"image", "mask"}


def build_rule(*deliveries: DeliveryMethod) -> ImageRule:
    """A rule with these ways to deliver."""
    return ImageRule(min_side_px=64, deliveries=deliveries)


async def deliver_image(
    harness: PipelineHarness, reference: str, wanted: ImageRule, *, local: bool, url: str | None = None
) -> str:
    """What the upstream is sent for a picture."""
    rules = {"image": wanted}
    async with harness.open_pipeline(public_url=url) as pipeline:
        admitted_images = await pipeline.admit(await pipeline.open({"image": reference}), rules, now=harness.now)
        return (await pipeline.deliver(admitted_images, rules, local=local))["image"]


async def test_a_picture_reaches_the_service_by_the_first_way_that_works(harness: PipelineHarness, site: Site) -> None:
    """Its own public link, ours, loopback, or base64."""
    link = site.serve("/kite.png", build_response(make_image())).replace(site.host, "pictures.example")
    link_first, base64_first = (
        build_rule(DeliveryMethod.LINK, DeliveryMethod.BASE64),
        build_rule(DeliveryMethod.BASE64, DeliveryMethod.LINK),
    )
    inline = base64.b64encode(make_image()).decode()
    data = build_data_url(make_image())

    assert await deliver_image(harness, link, link_first, local=False) == link
    assert (await deliver_image(harness, data, link_first, local=True)).startswith("http://127.0.0.1:")
    assert (await deliver_image(harness, data, link_first, local=False, url="https://me.example")).startswith(
        "https://me."
    )
    assert await deliver_image(harness, data, link_first, local=False) == inline
    assert await deliver_image(harness, link, base64_first, local=True) == inline
    with pytest.raises(ConfigurationError, match=r"^image: .*public links only"):
        await deliver_image(harness, data, build_rule(DeliveryMethod.LINK), local=False)


async def test_a_made_picture_is_kept_by_what_its_bytes_are(harness: PipelineHarness, site: Site) -> None:
    """From a link of the upstream's own host, or as bytes."""
    link = site.serve("/out.png", build_response(make_image("JPEG")))
    hosts = frozenset({site.host})
    async with harness.open_pipeline() as pipeline:
        fetched = await pipeline.store_output(
            OutputImage(url=link), provenance=KITE, allow_hosts=hosts, now=harness.now
        )
        inline = await pipeline.store_output(
            OutputImage(data=make_image("WEBP")), provenance=KITE, allow_hosts=hosts, now=harness.now
        )
    assert (fetched.media_type, get_file(fetched).suffix, fetched.provenance) == ("image/jpeg", ".jpg", KITE)
    assert inline.media_type == "image/webp"


@pytest.mark.parametrize(
    ("path", "output", "error"),
    [
        ("/gone.png", None, UpstreamFailed),
        ("/busy.png", None, ProviderUnavailable),
        ("/cut.jpg", None, ProviderUnavailable),
        ("", OutputImage(data=build_truncated_jpeg()), UpstreamFailed),
        ("", OutputImage(), UpstreamFailed),
    ],
)
async def test_a_made_picture_that_cannot_be_had_is_no_fault_of_the_caller(
    harness: PipelineHarness, site: Site, path: str, output: OutputImage | None, error: type[AtelierError]
) -> None:
    """Only what may come right is worth another try, and nobody says that nothing was spent."""
    site.serve("/busy.png", build_response(b"", status="503 Service Unavailable"))
    site.serve("/cut.jpg", build_response(build_truncated_jpeg()))
    output = output or OutputImage(url=f"http://{site.host}{path}")
    async with harness.open_pipeline() as pipeline:
        with pytest.raises(error) as failed:
            await pipeline.store_output(output, provenance=KITE, allow_hosts=frozenset({site.host}), now=harness.now)
    assert failed.value.spent is Spent.UNKNOWN
    assert harness.list_stored_names() == []
