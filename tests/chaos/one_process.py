"""One server on SQLite and a folder."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

from tests.chaos.chaos_server import ChaosServer
from tests.chaos.site import ChaosSite
from tests.chaos.upstream import open_upstream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from pathlib import Path

    from tests.chaos.server_forks import ServerForks
    from tests.support.bad_disks import BadDisk

LEDGER: Final = "ledger.sqlite3"
TASK_S: Final = 0.1


class FolderFiles:
    """The pictures of a data folder."""

    def __init__(self, home: Path) -> None:
        self._home = home

    async def read(self) -> Mapping[str, bytes]:
        """Every picture and record by its name, but for those that are being written."""
        records = [*(self._home / "images").rglob("img_*.json")]
        pictures = [path for path in (self._home / "images").rglob("img_*") if path.suffix != ".json"]
        return {path.name: path.read_bytes() for path in (*records, *pictures)}


@asynccontextmanager
async def open_site(forks: ServerForks, folder: Path, disk: BadDisk | None = None) -> AsyncGenerator[ChaosSite]:
    """A server that was started, has made its first picture and knows how long that takes."""
    home = disk.home if disk else folder / "home"
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(open_upstream(folder, task_s=TASK_S))
        environ = {**upstream.environ, "ATELIER_HOME": str(home)}
        server = ChaosServer(forks, folder / "told", environ, surroundings=disk.surroundings if disk else ())
        stack.push_async_callback(server.kill)
        await server.start()
        seen = disk.find_folder(server.process_id) if disk else home
        site = ChaosSite(
            upstream,
            [server],
            ledger=str(seen / LEDGER),
            pictures=FolderFiles(seen),
            audit_logs=[seen / "audit.jsonl"],
        )
        await site.learn_durations()
        yield site
