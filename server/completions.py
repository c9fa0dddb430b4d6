"""What a client may offer while a person types a handle, a job or a kind of model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import mcp_types as types

from atelier_mcp.server.resource_content import IMAGES, JOBS, MODELS

if TYPE_CHECKING:
    from pathlib import Path

    from atelier_mcp.server.service_host import ServiceHost

MAX_VALUES: Final = 100
"""The protocol's own limit."""
IMAGE_ARGUMENTS: Final = frozenset({"image", "images", "face"})


class Completer:
    """Completes arguments of prompts and resource templates, the newest first."""

    def __init__(self, home: Path, service_host: ServiceHost) -> None:
        """Handles come from the library under ``home``, jobs and models through ``service_host``."""
        self._home = home
        self._service_host = service_host

    async def complete(
        self,
        reference: types.PromptReference | types.ResourceTemplateReference,
        argument: types.CompletionArgument,
        _: types.CompletionContext | None,
    ) -> types.Completion:
        """The values that begin with what was typed."""
        typed = argument.value.strip().lower()
        values = [value for value in await self._list_values(reference, argument.name) if value.startswith(typed)]
        return types.Completion(values=values[:MAX_VALUES], total=len(values), has_more=len(values) > MAX_VALUES)

    async def _list_values(
        self, reference: types.PromptReference | types.ResourceTemplateReference, name: str
    ) -> list[str]:
        uri = reference.uri if isinstance(reference, types.ResourceTemplateReference) else ""
        if uri.startswith(IMAGES) or (not uri and name in IMAGE_ARGUMENTS):
            from atelier_mcp.server.images.store import ImageStore
            from atelier_mcp.server.services import open_library

            library = open_library(ImageStore(self._home), self._service_host.get_principal())
            return [image.handle for image in await library.list_recent(limit=MAX_VALUES)]
        if uri.startswith(JOBS):
            services = await self._service_host.get_own_services()
            return [job.id for job in (await services.jobs.list_recent(limit=MAX_VALUES))[0]]
        if uri.startswith(MODELS):
            services = await self._service_host.get_services()
            return sorted({kind for provider in services.router.providers for kind in provider.model_kinds})
        return []
