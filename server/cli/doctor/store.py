"""The bucket that pictures are kept in, tried: a right or a setting that is missing shows before money is spent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.cli.byte_sizes import format_bytes
from atelier_mcp.server.cli.doctor.finding import Finding, build_failure
from atelier_mcp.server.errors import AtelierError
from atelier_mcp.server.libraries import create_image_store

if TYPE_CHECKING:
    from atelier_mcp.server.settings import Settings

CHECK_TIMEOUT_S: Final = 30.0


async def check_store(settings: Settings) -> list[Finding]:
    """Write, read, list and delete in the bucket of pictures, where there is one."""
    if not settings.store_url:
        return []
    what = "picture store"
    try:
        store = create_image_store(settings)
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await store.check()
    except AtelierError as err:
        return [build_failure(what, err)]
    except TimeoutError:
        return [Finding(what, good=False, words=f"{settings.store_url} does not answer")]
    cache = format_bytes(settings.store_cache_mb * 1_000_000)
    words = f"{settings.store_url} is written, read, listed and deleted from; up to {cache} of it cached here"
    links = "links lead there" if store.gives_links else "pictures are served by this server"
    return [Finding(what, good=True, words=f"{words}; {links}")]
