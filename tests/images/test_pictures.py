"""Pictures from the caller's words to the service, and from the service to the store."""

from __future__ import annotations

import base64
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from images.samples import decoded, drawing, encoded, picture, png_header, truncated_jpeg
from images.sites import Internet, answer, endless

from atelier_mcp.server.errors import (
    AtelierError,
    ConfigurationError,
    ImageRefused,
    ProviderUnavailable,
    Spent,
    UpstreamFailed,
)
from atelier_mcp.server.images.download import Downloader
from atelier_mcp.server.images.handles import handle_of
from atelier_mcp.server.images.hosting import LinkSigner, PictureHost
from atelier_mcp.server.images.pictures import Admitted, Pictures
from atelier_mcp.server.providers.base import Delivery, ImageRule, Output

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from datetime import datetime
    from pathlib import Path

    from images.sites import Site

    from atelier_mcp.server.images.store import ImageStore

RULE = ImageRule(min_side_px=64, max_side_px=2000, max_bytes=1_000_000)
MASK = ImageRule(min_side_px=64, max_side_px=2000, max_bytes=1_000_000, same_ratio_as="image")
PUBLIC = "93.184.215.14"


class StandingClock:
    """A clock that always shows the same time."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        """That time."""
        return self._now


async def everywhere(host: str, port: int) -> Sequence[str]:
    """A name server that knows one public address for every name."""
    return [PUBLIC if host.endswith(".example") else host]


class Studio:
    """A server's pictures, with a folder of the caller's own."""

    def __init__(self, store: ImageStore, folder: Path, site: Site, now: datetime) -> None:
        self.store, self.folder, self.now = store, folder, now
        self.downloader = Downloader(resolve=everywhere, network=Internet({PUBLIC: site}), pauses_s=(0, 0))
        self.signer = LinkSigner(b"k" * 32, StandingClock(now))

    @asynccontextmanager
    async def open(self, *, stdio: bool = True, public_url: str | None = None) -> AsyncGenerator[Pictures]:
        """The pictures of a server that runs over stdio, or not."""
        roots = (self.folder,) if stdio else None
        async with self.downloader, PictureHost(self.store, self.signer, public_url=public_url) as host:
            yield Pictures(self.store, self.downloader, host, input_roots=roots, cwd=self.folder)

    def put(self, name: str, data: bytes) -> Path:
        """A file of the caller's."""
        path = self.folder / name
        path.write_bytes(data)
        return path

    def kept(self) -> list[str]:
        """The names of all stored pictures and their stories, and of anything left lying about."""
        return sorted(path.name for path in self.store.folder.glob("*/*"))


@pytest.fixture
def studio(store: ImageStore, tmp_path: Path, site: Site, now: datetime) -> Studio:
    """A studio with nothing in it."""
    folder = tmp_path / "caller's pictures"
    folder.mkdir()
    return Studio(store, folder, site, now)


def data_url(data: bytes) -> str:
    """The picture as a data URL."""
    return "data:image/png;base64," + base64.b64encode(data).decode()


async def test_a_picture_can_be_named_in_every_way(studio: Studio, site: Site) -> None:
    """Handle, link, data URL, path, file URL, and all of them at once."""
    data = picture()
    stored = await studio.store.keep(data, made={}, now=studio.now)
    path = studio.put("a kite.png", data)
    references = {
        "handle": stored.handle,
        "link": site.serve("/kite.png?signature=secret", answer(data)).replace(site.host, "pictures.example"),
        "data": data_url(data),
        "percent": "data:image/png," + quote(data),
        "absolute": str(path),
        "relative": "a kite.png",
        "file": path.as_uri(),
        "stored": str(stored.path),
    }
    async with studio.open() as pictures:
        opened = await pictures.open(references)
        assert list(opened) == list(references)
        for place, found in opened.items():
            assert (found.place, found.header.width, found.header.format) == (place, 320, "PNG")
            assert await found.read() == data
    assert opened["handle"].handle == stored.handle
    assert opened["link"].link == references["link"]
    assert opened["link"].source == "http://pictures.example/kite.png"


async def test_a_home_folder_is_expanded(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the caller's shell would."""
    monkeypatch.setenv("HOME", str(studio.folder))
    studio.put("kite.png", picture())
    async with studio.open() as pictures:
        assert (await pictures.open({"image": "~/kite.png"}))["image"].header.width == 320


async def admitted_picture(studio: Studio, pictures: Pictures, reference: str, place: str = "image") -> Admitted:
    """A picture opened, checked and stored."""
    opened = await pictures.open({place: reference})
    return (await pictures.admit(opened, {place: RULE}, now=studio.now))[place]


async def refusal(studio: Studio, reference: str, **options: Any) -> str:
    """What is said of a reference, after nothing was kept."""
    async with studio.open(**options) as pictures:
        with pytest.raises(ImageRefused) as refused:
            await admitted_picture(studio, pictures, reference, place="controls[0].image")
    assert studio.kept() == []
    assert refused.value.what.startswith("controls[0].image: ")
    return str(refused.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"A red kite over the sea.\n", "a text"),
        (b"", "an empty file"),
        (truncated_jpeg(), "damaged or cut off"),
        (png_header(40_000, 40_000), "40,000 x 40,000 pixels"),
        (picture(width=40), "40 x 240 pixels; each side must have 64 to 2000"),
        (picture(width=2400), "2400 x 240 pixels; each side must have 64 to 2000"),
    ],
    ids=["text", "empty", "truncated", "huge", "small", "large"],
)
async def test_a_bad_picture_is_refused_however_it_comes(studio: Studio, site: Site, data: bytes, words: str) -> None:
    """As a file that is called .png, as a link, as a data URL."""
    link = site.serve("/kite.png", answer(data)).replace(site.host, "pictures.example")
    for reference in (str(studio.put("kite.png", data)), link, data_url(data)):
        assert words in await refusal(studio, reference)


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
async def test_a_bad_reference_is_refused_in_words(studio: Studio, reference: str, words: str) -> None:
    """What is wrong with it, and what would do."""
    assert words in await refusal(studio, reference)


async def test_a_link_to_a_hundred_megabytes_is_refused(studio: Studio, site: Site) -> None:
    """Long before they have all arrived."""
    link = site.serve("/kite.png", endless(parts=1600)).replace(site.host, "pictures.example")
    assert "more than 50 MB" in await refusal(studio, link)
    assert site.sent_bytes < 80_000_000


async def test_a_path_outside_the_allowed_folders_is_refused(studio: Studio, tmp_path: Path) -> None:
    """Directly, by dots or by a symbolic link, and whether or not there is anything."""
    secret = tmp_path / "secret.png"
    secret.write_bytes(picture())
    (studio.folder / "harmless.png").symlink_to(secret)
    (studio.folder / "folder").symlink_to(tmp_path)
    outside = [str(secret), "../secret.png", "harmless.png", "folder/secret.png", "/nothing/here.png"]
    for reference in (*outside, secret.as_uri()):
        words = await refusal(studio, reference)
        assert str(studio.folder) in words
        assert "ATELIER_INPUT_ROOTS" in words


async def test_a_link_inside_the_allowed_folders_may_be_followed(studio: Studio) -> None:
    """What counts is where it ends."""
    (studio.folder / "also.png").symlink_to(studio.put("kite.png", picture()))
    async with studio.open() as pictures:
        assert (await pictures.open({"image": "also.png"}))["image"].header.width == 320


async def test_a_server_elsewhere_reads_no_paths(studio: Studio) -> None:
    """Over HTTP the caller's files are not ours, and ours are not the caller's."""
    path = studio.put("kite.png", picture())
    for reference in (str(path), path.as_uri(), "kite.png"):
        assert "over stdio" in await refusal(studio, reference, stdio=False)


async def test_the_first_bad_place_is_the_one_named(studio: Studio) -> None:
    """In the order of the request, not of the clock."""
    async with studio.open() as pictures:
        with pytest.raises(ImageRefused, match=r"^mask: "):
            await pictures.open({"image": data_url(picture()), "mask": "nothing.png", "face": "data:,"})


async def test_an_admitted_picture_is_stored_with_where_it_came_from(studio: Studio, site: Site) -> None:
    """A picture that fits keeps its bytes, and so its link stays good."""
    data = picture("JPEG")
    link = site.serve("/kite.jpg?signature=secret", answer(data)).replace(site.host, "pictures.example")
    async with studio.open() as pictures:
        admitted = await admitted_picture(studio, pictures, link)
    assert (admitted.handle, admitted.link) == (handle_of(data), link)
    stored = await studio.store.find(handle_of(data))
    assert stored.made == {"imported_from": "http://pictures.example/kite.jpg", "changes": []}


async def test_a_stored_picture_is_not_stored_again(studio: Studio) -> None:
    """Its handle goes through."""
    stored = await studio.store.keep(picture(), made={"prompt": "a kite"}, now=studio.now)
    before = studio.kept()
    async with studio.open() as pictures:
        admitted = await admitted_picture(studio, pictures, stored.handle)
    assert (admitted.handle, admitted.notes) == (stored.handle, ())
    assert studio.kept() == before


async def test_a_changed_picture_has_its_own_handle_and_loses_its_link(studio: Studio, site: Site) -> None:
    """The service would read the unchanged one there."""
    lying = encoded(drawing(), "JPEG", orientation=6)
    link = site.serve("/kite.jpg", answer(lying)).replace(site.host, "pictures.example")
    async with studio.open() as pictures:
        admitted = (await pictures.admit(await pictures.open({"image": link}), {"image": RULE}, now=studio.now))[
            "image"
        ]
    assert admitted.link is None
    assert admitted.notes
    assert decoded(await studio.store.read(admitted.handle)).size == (240, 320)


async def test_over_large_pictures_shrink_only_when_allowed(studio: Studio) -> None:
    """The other way ends in a refusal, as above."""
    studio.put("kite.png", picture(width=2400, height=1200))
    async with studio.open() as pictures:
        opened = await pictures.open({"image": "kite.png"})
        admitted = await pictures.admit(opened, {"image": RULE}, now=studio.now, may_shrink=True)
    stored = await studio.store.find(admitted["image"].handle)
    assert (stored.width, stored.height) == (2000, 1000)


async def test_when_one_picture_is_refused_none_is_stored(studio: Studio) -> None:
    """A half-accepted request leaves nothing behind."""
    references = {"image": data_url(picture()), "mask": data_url(picture(width=300, height=300))}
    async with studio.open() as pictures:
        with pytest.raises(ImageRefused, match=r"^mask: .*300 x 300 .*image \(320 x 240\)"):
            await pictures.admit(await pictures.open(references), {"image": RULE, "mask": MASK}, now=studio.now)
    assert studio.kept() == []


@pytest.mark.parametrize(("width", "height"), [(640, 480), (321, 240), (320, 242)])
async def test_a_mask_may_differ_in_size_but_hardly_in_shape(studio: Studio, width: int, height: int) -> None:
    """Within one per cent."""
    references = {"image": data_url(picture()), "mask": data_url(picture(width=width, height=height))}
    async with studio.open() as pictures:
        admitted = await pictures.admit(await pictures.open(references), {"image": RULE, "mask": MASK}, now=studio.now)
    assert set(admitted) == {"image", "mask"}


def rule(*deliveries: Delivery) -> ImageRule:
    """A rule with these ways to deliver."""
    return ImageRule(min_side_px=64, deliveries=deliveries)


async def delivered(studio: Studio, reference: str, wanted: ImageRule, *, local: bool, url: str | None = None) -> str:
    """What the upstream is sent for a picture."""
    rules = {"image": wanted}
    async with studio.open(public_url=url) as pictures:
        admitted = await pictures.admit(await pictures.open({"image": reference}), rules, now=studio.now)
        return (await pictures.deliver(admitted, rules, local=local))["image"]


async def test_a_picture_reaches_the_service_by_the_first_way_that_works(studio: Studio, site: Site) -> None:
    """Its own public link, ours, loopback, or base64."""
    link = site.serve("/kite.png", answer(picture())).replace(site.host, "pictures.example")
    link_first, base64_first = rule(Delivery.LINK, Delivery.BASE64), rule(Delivery.BASE64, Delivery.LINK)
    inline = base64.b64encode(picture()).decode()
    data = data_url(picture())

    assert await delivered(studio, link, link_first, local=False) == link
    assert (await delivered(studio, data, link_first, local=True)).startswith("http://127.0.0.1:")
    assert (await delivered(studio, data, link_first, local=False, url="https://me.example")).startswith("https://me.")
    assert await delivered(studio, data, link_first, local=False) == inline
    assert await delivered(studio, link, base64_first, local=True) == inline
    with pytest.raises(ConfigurationError, match=r"^image: .*public links only"):
        await delivered(studio, data, rule(Delivery.LINK), local=False)


async def test_a_made_picture_is_kept_by_what_its_bytes_are(studio: Studio, site: Site) -> None:
    """From a link of the upstream's own host, or as bytes."""
    link = site.serve("/out.png", answer(picture("JPEG")))
    hosts = frozenset({site.host})
    async with studio.open() as pictures:
        fetched = await pictures.keep(Output(url=link), made={"seed": 7}, allow_hosts=hosts, now=studio.now)
        inline = await pictures.keep(Output(data=picture("WEBP")), made={}, allow_hosts=hosts, now=studio.now)
    assert (fetched.media_type, fetched.path.suffix, fetched.made) == ("image/jpeg", ".jpg", {"seed": 7})
    assert inline.media_type == "image/webp"


@pytest.mark.parametrize(
    ("path", "output", "error"),
    [
        ("/gone.png", None, UpstreamFailed),
        ("/busy.png", None, ProviderUnavailable),
        ("/cut.jpg", None, ProviderUnavailable),
        ("", Output(data=truncated_jpeg()), UpstreamFailed),
        ("", Output(), UpstreamFailed),
    ],
)
async def test_a_made_picture_that_cannot_be_had_is_no_fault_of_the_caller(
    studio: Studio, site: Site, path: str, output: Output | None, error: type[AtelierError]
) -> None:
    """Only what may come right is worth another try, and nobody says that nothing was spent."""
    site.serve("/busy.png", answer(b"", status="503 Service Unavailable"))
    site.serve("/cut.jpg", answer(truncated_jpeg()))
    output = output or Output(url=f"http://{site.host}{path}")
    async with studio.open() as pictures:
        with pytest.raises(error) as failed:
            await pictures.keep(output, made={}, allow_hosts=frozenset({site.host}), now=studio.now)
    assert failed.value.spent is Spent.UNKNOWN
    assert studio.kept() == []
