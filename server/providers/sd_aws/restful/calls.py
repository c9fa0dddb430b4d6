"""What the calls of the later generation have in common: rows below ``data``, and lists that come in pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from atelier_mcp.server.errors import ProviderUnavailable
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.sd_aws.deployment_calls import DeploymentCalls
from atelier_mcp.server.providers.sd_aws.errors import SdAwsRejection, build_record_error
from atelier_mcp.server.providers.sd_aws.wire import SdAwsRows, get_text, parse_rows, unwrap_object

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.providers.sd_aws.wire import RowT

ASYNC: Final = "Async"
REAL_TIME: Final = "Real-time"
PAGE_SIZE: Final = 100
MAX_PAGES: Final = 100


class RestfulCalls(DeploymentCalls):
    """One deployment, asked in the manner of the later generation."""

    async def _request(self, http_request: HttpRequest) -> Any:
        # A deletion is answered with 204 and no body (contract: appendix_generation_2.envelope).
        return await self._middleware.request(http_request, lenient=http_request.method == "DELETE")

    async def _get_record(self, path: str, id_: str) -> Any:
        """One record. Raises ``RecordMissing`` where the service says that it has none of this id."""
        try:
            return await self._middleware.send(HttpRequest("GET", f"{path}/{quote(id_, safe='')}"))
        except SdAwsRejection as err:
            raise build_record_error(err, id_, client=self._middleware.client) from None

    async def _list_rows(
        self,
        row_type: type[RowT],
        path: str,
        *keys: str,
        query: Mapping[str, str] | None = None,
        max_rows: int | None = None,
    ) -> SdAwsRows[RowT]:
        """Every row of a list below ``data`` and one of ``keys``, or the first ``max_rows``; page after page.

        A page may be short or empty while others follow: only a missing key ends a list (contract: paging.keys).
        Raises ``ProviderUnavailable`` where it has no end, so that nobody takes a part of it for all.
        """
        if not self._version.pages_by_key:
            return parse_rows(row_type, await self._request(HttpRequest("GET", path, query=query)), "data", *keys)
        rows: SdAwsRows[RowT] = SdAwsRows()
        page_query: dict[str, str | int] = {**(query or {}), "limit": min(PAGE_SIZE, max_rows or PAGE_SIZE)}
        for _ in range(MAX_PAGES):
            document = await self._request(HttpRequest("GET", path, query=page_query))
            page = parse_rows(row_type, document, "data", *keys)
            rows.extend(page)
            rows.unreadable_count += page.unreadable_count
            next_key = get_text(unwrap_object(document, "data"), "last_evaluated_key")
            if not next_key or (max_rows is not None and len(rows) >= max_rows):
                return rows
            # The same key again would be read for ever.
            if next_key == page_query.get("exclusive_start_key"):
                break
            page_query["exclusive_start_key"] = next_key
        raise ProviderUnavailable(f"The list at {path} of {self._service} has no end.")
