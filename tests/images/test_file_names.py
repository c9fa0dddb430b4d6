"""A file is found by its name as people and models write it."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.errors import ImageRefused
from atelier_mcp.server.images.file_names import is_file_name
from atelier_mcp.server.images.readable_files import open_readable_file
from atelier_mcp.server.images.references import find_path, parse_path

if TYPE_CHECKING:
    from pathlib import Path

MAC_NAME = "Bildschirmfoto 3.45.12\u202fPM.png"


def find(folder: Path, reference: str) -> str:
    """The name of the file that is found."""
    with open_readable_file(find_path(reference, folder), [folder]) as file:
        return file.path.name


@pytest.mark.parametrize(
    ("on_disk", "asked"),
    [
        (MAC_NAME, "Bildschirmfoto 3.45.12 PM.png"),
        ("Bild 1.png", "Bild\u00a01.png"),
        ("two  spaces.png", "two spaces.png"),
        (unicodedata.normalize("NFD", "Käfer.png"), "Käfer.png"),
        (unicodedata.normalize("NFC", "Käfer.png"), unicodedata.normalize("NFD", "Käfer.png")),
        ("ｗｉｄｅ.png", "wide.png"),
        ("\u200eIMG\u200b_1.png", "IMG_1.png"),
    ],
)
def test_a_name_that_looks_the_same_is_the_same(on_disk: str, asked: str, tmp_path: Path) -> None:
    """Nobody can type what a screenshot is called."""
    (tmp_path / on_disk).write_bytes(b"picture")
    assert find(tmp_path, asked) == on_disk


def test_a_folder_that_looks_the_same_is_the_same(tmp_path: Path) -> None:
    """It may be named for its time, too."""
    folder = tmp_path / "shots 3\u202fPM"
    folder.mkdir()
    (folder / "kite.png").write_bytes(b"picture")
    assert find(tmp_path, "shots 3 PM/kite.png") == "kite.png"


def test_the_exact_name_goes_first_and_of_two_alike_neither_is_taken(tmp_path: Path) -> None:
    """What is meant is never guessed among several."""
    for name in ("a b.png", "a\u202fb.png", "c\u00a0d.png", "c\u202fd.png"):
        (tmp_path / name).write_bytes(b"picture")
    assert find(tmp_path, "a b.png") == "a b.png"
    with pytest.raises(ImageRefused, match="There is no file") as refused:
        find(tmp_path, "c d.png")
    assert "Did you mean c" in refused.value.hint


def test_the_nearest_name_is_offered(tmp_path: Path) -> None:
    """And none where none is near."""
    (tmp_path / "red-kite-final.png").write_bytes(b"picture")
    with pytest.raises(ImageRefused, match="There is no file") as refused:
        find(tmp_path, "red_kite_final.png")
    assert refused.value.hint == "Did you mean red-kite-final.png?"
    with pytest.raises(ImageRefused) as refused:
        find(tmp_path, "zebra.jpg")
    assert refused.value.hint == "Check the path."


def test_nothing_is_said_of_files_outside_the_folders(tmp_path: Path) -> None:
    """Neither that they are there nor what they are called."""
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "secret\u202fplan.png").write_bytes(b"picture")
    (inside / "a\u202flink.png").symlink_to(outside / "secret\u202fplan.png")
    for asked in ("../outside/secret plan.png", "a link.png"):
        with pytest.raises(ImageRefused, match="lies outside") as refused:
            find(inside, asked)
        assert "Did you mean" not in refused.value.hint


@pytest.mark.parametrize(
    "name",
    [
        "shot12:30.png",
        "~backup.png",
        "a:b:c.png",
        "kite: final.png",
        "data:z.png",
        "http:x.png",
        "atelier:y.png",
        "mailto:kite.png",
        "file:kite.png",
        "blob:a,b.png",
        "C:kite.png",
        "C:\\kite.png",
        "\\\\kite.png",
    ],
)
def test_colons_and_tildes_belong_to_names(name: str, tmp_path: Path) -> None:
    """They are neither addresses nor somebody's home."""
    (tmp_path / name).write_bytes(b"picture")
    assert find(tmp_path, name) == name


@pytest.mark.parametrize("address", ["s3://bucket/kite.png", "ftp://host/kite.png", "blob:kite", "mailto:kite@sky.org"])
def test_an_address_is_still_no_name(address: str) -> None:
    """The refusal says which kind."""
    with pytest.raises(ImageRefused, match=f"{address.partition(':')[0]}: addresses"):
        parse_path(address)


def test_a_name_that_begins_like_an_address_is_found_as_it_is_written_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "data:shot 3\u202fPM.png").write_bytes(b"picture")
    assert find(tmp_path, "data:shot 3 PM.png") == "data:shot 3\u202fPM.png"


@pytest.mark.parametrize("address", ["data:image/png;base64,AAAA", "data:,x", "mailto:a@b.example", "C:\\kite.png"])
def test_where_no_file_has_that_name_it_is_an_address(address: str, tmp_path: Path) -> None:
    assert not is_file_name(address, tmp_path)
    assert not is_file_name(f"data:{'a' * 400}", tmp_path)
