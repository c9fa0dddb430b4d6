"""Stored pictures as MCP resources: ``atelier://images/{handle}``, each with its own media type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver.exceptions import ResourceNotFoundError

from atelier_mcp.server.errors import ImageRefused
from atelier_mcp.server.tool_server import ToolServer

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from mcp.server.mcpserver import Context

    from atelier_mcp.server.service_host import ServiceHost
    from atelier_mcp.server.settings import Settings

URI_PREFIX = "atelier://images/"
MAX_LISTED = 20
"""Some clients make a tool of every resource that is listed."""


class ImageResourceServer(ToolServer):
    """The SDK's server with the library of pictures behind ``resources/*``.

    The pictures are files: neither the ledger nor a provider is opened to read one.
    """

    def __init__(self, *, settings: Settings, service_host: ServiceHost, **options: Any) -> None:
        """Serve the library in the data folder of ``settings``; ``options`` are the SDK's."""
        super().__init__(settings=settings, **options)
        self._home = settings.home
        self.service_host = service_host

    async def run_stdio_async(self, stop_event: asyncio.Event | None = None) -> None:
        """Serve stdin and stdout by a transport of our own, until the client goes or ``stop_event`` is set."""
        from atelier_mcp.server.stdio import serve_stdio

        server = self._lowlevel_server
        options = server.create_initialization_options()
        await serve_stdio(lambda incoming, outgoing: server.run(incoming, outgoing, options), stop_event=stop_event)

    async def list_resources(self) -> list[types.Resource]:
        """The newest pictures, titled by the words they were made from or by what they are."""
        from atelier_mcp.server.images.store import ImageStore
        from atelier_mcp.server.images.titles import build_title

        return [
            types.Resource(
                uri=f"{URI_PREFIX}{image.handle}",
                name=build_title(image),  # not the file's name: it is what pickers show
                title=build_title(image),
                mime_type=image.media_type,
                size=image.size_bytes,
            )
            for image in await ImageStore(self._home).list_recent(limit=MAX_LISTED, offset=0)
        ]

    async def list_resource_templates(self) -> list[types.ResourceTemplate]:
        """Any picture by its handle."""
        return [
            types.ResourceTemplate(
                uri_template=f"{URI_PREFIX}{{handle}}",
                name="picture",
                title="A stored picture",
                description="By handle",
            )
        ]

    async def read_resource(
        self,
        uri: Any,
        context: Context[ServiceHost, Any] | None = None,  # noqa: ARG002  # the SDK's signature
    ) -> Iterable[ReadResourceContents]:
        """The picture's file, at full size."""
        from atelier_mcp.server.images.store import ImageStore

        store = ImageStore(self._home)
        handle = str(uri).removeprefix(URI_PREFIX)
        try:
            image = await store.find(handle)
        except ImageRefused as err:
            raise ResourceNotFoundError(str(err)) from err
        return [ReadResourceContents(content=await store.read(handle), mime_type=image.media_type)]
