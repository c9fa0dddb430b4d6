"""The built pages without a browser: current, small, and without a word for the network."""

from __future__ import annotations

import re

import pytest

from atelier_mcp.server.views.pages import read_page
from tests.support.built_pages import PAGES, SOURCE, compute_source_hash, find_built_hash

MAX_BYTES = 60_000
"""Every host takes this much; the strictest that is known takes 1 MiB."""
OUTSIDE = re.compile(r"https?://(?!www\.w3\.org/)|@import|url\((?![\"']?data:)|<link|\beval\(|new Function")
"""The one address that stands in it is the name of a namespace."""


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_built_from_the_sources_beside_it(name: str) -> None:
    """``make views`` builds them."""
    assert find_built_hash(read_page(name)) == compute_source_hash()  # pyright: ignore[reportArgumentType]  # one of the names


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_small_and_asks_nothing_of_the_network(name: str) -> None:
    html = read_page(name)  # pyright: ignore[reportArgumentType]  # one of the names
    assert len(html.encode()) < MAX_BYTES
    assert not OUTSIDE.findall(html)


def test_no_source_says_where_packages_come_from() -> None:
    """Whoever builds takes them from a registry of their own."""
    assert '"resolved"' not in (SOURCE / "package-lock.json").read_text("utf-8")
