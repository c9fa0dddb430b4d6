"""Servers and what is around them, one of each for the tests of a module: they take seconds to start."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from tests.chaos.server_forks import ServerForks, open_server_forks

if TYPE_CHECKING:
    from collections.abc import Generator


@pytest.fixture(scope="session")
def forks() -> Generator[ServerForks]:
    """The process that servers are forked from."""
    if os.name == "nt":
        pytest.skip("SIGKILL and fork are POSIX")
    with open_server_forks() as running:
        yield running


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Chance that is the same in every run of a test; ``make chaos`` draws a new one each time."""
    return random.Random(request.node.name)
