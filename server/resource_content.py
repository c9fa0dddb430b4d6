"""What can be read beside tools: pictures, jobs, spending and models, each under an address of its own."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver.exceptions import ResourceNotFoundError

from atelier_mcp.server.errors import AtelierError
from atelier_mcp.server.views.pages import STUDIO_MEDIA_TYPE, STUDIO_META, is_studio_uri, read_page

if TYPE_CHECKING:
    from atelier_mcp.server.libraries import Libraries
    from atelier_mcp.server.service_host import ServiceHost

IMAGES: Final = "atelier://images/"
JOBS: Final = "atelier://jobs/"
SPEND: Final = "atelier://spend"
MODELS: Final = "atelier://models"
PREVIEW_PX: Final = 1024
PREVIEW_BYTES: Final = 350_000
SPENDING_DAYS: Final = 31
MAX_MODELS: Final = 100
JSON_TYPE: Final = "application/json"
MAX_ADDRESS_CHARACTERS: Final = 200
"""Longer than any address of ours; what is refused is told back, and must stay short."""


class ResourceReader:
    """Reads what an address names. Pictures come from the store: neither ledger nor provider is opened for one."""

    def __init__(self, libraries: Libraries, service_host: ServiceHost) -> None:
        """Read the caller's library; jobs, spending and models through ``service_host``."""
        self._libraries = libraries
        self._service_host = service_host

    async def read(self, uri: str) -> ReadResourceContents:
        """What is there now. Raises ``ResourceNotFoundError``."""
        if len(uri) > MAX_ADDRESS_CHARACTERS:
            raise ResourceNotFoundError(f"There is nothing under {uri[:80]}…")
        try:
            return await self._read(uri)
        except AtelierError as err:
            raise ResourceNotFoundError(self._service_host.hide_home(str(err))) from err

    async def _read(self, uri: str) -> ReadResourceContents:
        if is_studio_uri(uri):
            html = await asyncio.to_thread(read_page, "studio")
            return ReadResourceContents(content=html, mime_type=STUDIO_MEDIA_TYPE, meta=STUDIO_META)
        if uri.startswith(IMAGES):
            return await self._read_image(*uri.removeprefix(IMAGES).partition("/")[::2])
        if uri.startswith(JOBS):
            return _to_json(await self._describe_job(uri.removeprefix(JOBS)))
        if uri == SPEND:
            return _to_json(await self._describe_spending())
        if uri == MODELS or uri.startswith(f"{MODELS}/"):
            return _to_json(await self._list_models(uri.removeprefix(MODELS).strip("/") or "checkpoint"))
        raise ResourceNotFoundError(f"There is nothing under {uri[:80]}.")

    async def _read_image(self, handle: str, part: str) -> ReadResourceContents:
        from atelier_mcp.server.images.preview import create_view
        from atelier_mcp.server.images.provenance import hide_folders, provenance_to_document

        principal = self._service_host.get_principal()
        store = self._libraries.open(principal)
        image = await store.find(handle)
        match part:
            case "":
                return ReadResourceContents(content=await store.read(handle), mime_type=image.media_type)
            case "preview":
                services = await self._service_host.get_services()
                async with store.open_paths([image]) as (path,):
                    shown = await services.image_workers.run(
                        create_view, path, longest_px=PREVIEW_PX, budget_bytes=PREVIEW_BYTES
                    )
                return ReadResourceContents(content=shown.data, mime_type="image/jpeg")
            case "provenance":
                provenance = hide_folders(image.provenance) if principal.image_url else image.provenance
                facts = {"width": image.width, "height": image.height, "created_at": image.created_at.isoformat()}
                return _to_json({"handle": handle, **facts, "made": provenance_to_document(provenance)})
            case _:
                raise ResourceNotFoundError(f"A picture has preview and provenance, and no {part[:40]}.")

    async def _describe_job(self, job_id: str) -> dict[str, Any]:
        from atelier_mcp.server.job_result import describe_job
        from atelier_mcp.server.jobs.model import JobId

        services = await self._service_host.get_own_services()
        (job,) = await services.jobs.get([JobId(job_id)])
        timing = (await services.jobs.measure([job])).get(job.id)
        result, _ = await describe_job(job, services, timing=timing)
        asked = {"tool": job.capability, "request": dict(job.request), "created_at": job.created_at.isoformat()}
        return {**result.to_facts(), **asked}

    async def _describe_spending(self) -> dict[str, Any]:
        from atelier_mcp.server.jobs.budget_day import to_utc_day
        from atelier_mcp.server.jobs.spending import amounts_to_document

        services = await self._service_host.get_own_services()
        now = services.clock.now()
        rows = await services.jobs.list_spending_by_caller(to_utc_day(now - timedelta(days=SPENDING_DAYS - 1)))
        settings = services.settings
        return {
            "today": to_utc_day(now),
            "unit": "pictures",
            "budget_per_job": settings.budget_per_job,
            "budget_per_day": settings.budget_per_day,
            "budget_per_account_day": settings.budget_per_account_day,
            "budget_per_principal_day": settings.budget_per_principal_day,
            "money_per_job": amounts_to_document(settings.money_per_job or {}),
            "money_per_day": amounts_to_document(settings.money_per_day or {}),
            "money_per_account_day": amounts_to_document(settings.money_per_account_day or {}),
            "money_per_principal_day": amounts_to_document(settings.money_per_principal_day or {}),
            "days": [row.to_document() for row in rows],
        }

    async def _list_models(self, kind: str) -> dict[str, Any]:
        from atelier_mcp.server.providers.model_listing import list_models_of_all

        services = await self._service_host.get_services()
        providers = services.router.find_model_providers([kind])
        listing = await list_models_of_all(providers, [kind], base=None, offset=0, limit=MAX_MODELS)
        models = [
            {"id": entry.model.id, "provider": entry.provider, "kind": entry.kind, "name": entry.model.name}
            for entry in listing.entries
        ]
        errors = [f"Of {provider} nothing is listed: {error.message}" for provider, error in listing.errors]
        return {"models": models, "more": listing.has_more, "notes": errors}


def _to_json(document: dict[str, Any]) -> ReadResourceContents:
    return ReadResourceContents(content=json.dumps(document, ensure_ascii=False, indent=1), mime_type=JSON_TYPE)
