"""What a client gets beside tools: stored pictures, jobs, spending and models as resources; prompts; completions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import mcp_types as types
from mcp.shared.exceptions import MCPError

from atelier_mcp.server import icons
from atelier_mcp.server.completions import Completer
from atelier_mcp.server.prompts import build_prompts
from atelier_mcp.server.resource_content import IMAGES, JOBS, JSON_TYPE, MODELS, SPEND, ResourceReader
from atelier_mcp.server.tool_server import ToolServer

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable, Mapping, Sequence

    from mcp.server.lowlevel.helper_types import ReadResourceContents
    from mcp.server.mcpserver import Context
    from mcp.server.mcpserver.tools import Tool

    from atelier_mcp.server.service_host import ServiceHost
    from atelier_mcp.server.settings import Settings

TEMPLATES: Final = (
    (f"{IMAGES}{{handle}}", "picture", "A stored picture", None, icons.IMAGE),
    (f"{IMAGES}{{handle}}/preview", "preview", "A stored picture, small", "image/jpeg", icons.IMAGE),
    (f"{IMAGES}{{handle}}/provenance", "provenance", "How a picture came to be", JSON_TYPE, icons.IMAGE),
    (f"{JOBS}{{id}}", "job", "A job and its pictures", JSON_TYPE, icons.JOB),
    (f"{MODELS}/{{kind}}", "models_of_kind", "Models of a kind", JSON_TYPE, icons.MODELS),
)
MAX_LISTED = 18
"""Some clients make a tool of every resource that is listed."""


class ImageResourceServer(ToolServer):
    """The SDK's server with the library of pictures behind ``resources/*``.

    The pictures are files: neither the ledger nor a provider is opened to read one.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        service_host: ServiceHost,
        tools: Sequence[Tool],
        scopes_by_tool: Mapping[str, str],
        **options: Any,
    ) -> None:
        """Serve the library in the data folder of ``settings``; ``options`` are the SDK's."""
        super().__init__(settings=settings, tools=list(tools), **options)
        self._home = settings.home
        self.service_host = service_host
        self.scopes_by_tool = scopes_by_tool
        """What a token must be good for, by tool."""
        self.tools_by_name: Mapping[str, Tool] = {tool.name: tool for tool in tools}
        self._reader = ResourceReader(settings.home, service_host)
        self.completion()(Completer(settings.home, service_host).complete)
        for prompt in build_prompts([*self.tools_by_name]):
            self.add_prompt(prompt)

    async def run_stdio_async(self, stop_event: asyncio.Event | None = None) -> None:
        """Serve stdin and stdout by a transport of our own, until the client goes or ``stop_event`` is set."""
        from atelier_mcp.server.stdio import serve_stdio

        server = self._lowlevel_server
        options = server.create_initialization_options()
        await serve_stdio(lambda incoming, outgoing: server.run(incoming, outgoing, options), stop_event=stop_event)

    async def list_resources(self) -> list[types.Resource]:
        """The newest pictures, titled by the words they were made from or by what they are; spending and models."""
        from atelier_mcp.server.images.provenance import is_working_copy
        from atelier_mcp.server.images.store import ImageStore
        from atelier_mcp.server.images.titles import build_title
        from atelier_mcp.server.services import open_library

        fixed = [
            _build_document(SPEND, "spend", "Pictures and money by day and account", icons.SPENDING),
            _build_document(MODELS, "models", "Models for pictures", icons.MODELS),
        ]
        library = open_library(ImageStore(self._home), self.service_host.get_principal())
        # A picture has hardly ever more than two copies that were made for a service alone.
        newest = await library.list_recent(limit=3 * MAX_LISTED, offset=0)
        images = [image for image in newest if not is_working_copy(image.provenance)][:MAX_LISTED]
        return fixed + [
            types.Resource(
                uri=f"{IMAGES}{image.handle}",
                name=build_title(image),  # not the file's name: it is what pickers show
                title=build_title(image),
                mime_type=image.media_type,
                size=image.size_bytes,
                icons=[icons.build_icon(icons.IMAGE)],
            )
            for image in images
        ]

    async def list_resource_templates(self) -> list[types.ResourceTemplate]:
        """Pictures by handle, jobs by id, models by kind."""
        return [
            types.ResourceTemplate(
                uri_template=uri, name=name, title=title, mime_type=media_type, icons=[icons.build_icon(outline)]
            )
            for uri, name, title, media_type, outline in TEMPLATES
        ]

    async def get_prompt(
        self, name: str, arguments: dict[str, Any] | None = None, context: Context[ServiceHost, Any] | None = None
    ) -> types.GetPromptResult | types.InputRequiredResult:
        """A prompt with its arguments filled in. Raises ``MCPError`` for a name or arguments that are wrong."""
        names = [prompt.name for prompt in await self.list_prompts()]
        if name not in names:
            raise MCPError(types.INVALID_PARAMS, f"There is no prompt {name[:80]!r}; there are {', '.join(names)}.")
        try:
            return await super().get_prompt(name, arguments, context)
        # The SDK would call it an internal error.
        except ValueError as err:
            raise MCPError(types.INVALID_PARAMS, str(err)) from err

    async def read_resource(
        self,
        uri: Any,
        context: Context[ServiceHost, Any] | None = None,  # noqa: ARG002  # the SDK's signature
    ) -> Iterable[ReadResourceContents]:
        """What an address names, as it is now."""
        return [await self._reader.read(str(uri))]


def _build_document(uri: str, name: str, title: str, outline: str) -> types.Resource:
    return types.Resource(uri=uri, name=name, title=title, mime_type=JSON_TYPE, icons=[icons.build_icon(outline)])
