"""One part of an upload on its way to its signed link, until it has arrived unchanged."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from atelier_mcp.server.addresses import is_loopback_url
from atelier_mcp.server.errors import ProviderUnavailable, UpstreamFailed
from atelier_mcp.server.providers.sd_aws.errors import SdAwsRejection
from atelier_mcp.server.providers.sd_aws.uploads.files import FilePart

if TYPE_CHECKING:
    from atelier_mcp.server.providers.sd_aws.middleware import MiddlewareClient
    from atelier_mcp.server.providers.sd_aws.uploads.files import UploadPart, UploadSource

MAX_ATTEMPTS = 3
_MD5 = re.compile(r"[0-9a-f]{32}")


class PartSender:
    """Sends parts for one account."""

    def __init__(self, middleware: MiddlewareClient, *, base_url: str, is_local: bool) -> None:
        """``is_local`` is set for an emulator that may come back on another port than its links name."""
        self._middleware = middleware
        self._base_url = base_url
        self._is_local = is_local

    async def send(self, part: UploadPart, source: UploadSource | None) -> str:
        """Send a part of ``source``, or one that does not lie on the disk, until it has arrived unchanged; its ETag.

        Raises ``UpstreamFailed`` when it will never arrive: the file is gone or another one, the link has expired, or
        the part was changed on the way every time; and ``TransientError`` when it can be tried again.

        The ETag of a part is its MD5 (that of storage encrypted with a key of the customer's is not: such a bucket
        has to be told by an ETag that is no MD5 at all, or it is refused here).
        """
        for _ in range(MAX_ATTEMPTS):
            content = FilePart(part, source)
            tag = await self._put(part, content)
            etag = tag.strip('"').lower()
            # Before the ETag, which is right for the bytes that were sent, however few.
            if content.sent_bytes != part.size_bytes:
                raise UpstreamFailed(f"{part.path} has become shorter while it was uploaded.")
            if not _MD5.fullmatch(etag) or etag == content.md5:
                return tag
        raise UpstreamFailed(f"Part {part.number} of {part.name} arrived changed, {MAX_ATTEMPTS} times.")

    async def _put(self, part: UploadPart, content: FilePart) -> str:
        link = self._rebase_link(part.link)
        try:
            response = await self._middleware.put(link, content, size_bytes=part.size_bytes)
        except SdAwsRejection as err:
            raise UpstreamFailed(
                f"The storage refuses part {part.number} of {part.name} (HTTP {err.fault.status}): "
                "its link has most likely expired.",
                hint="Begin the upload again.",
            ) from None
        if not (tag := response.headers.get("etag", "")):
            raise ProviderUnavailable("The storage took a part and named no ETag.")
        return tag

    def _rebase_link(self, link: str) -> str:
        """The link at the address the service has now: the built-in one changes its port with each start.

        The signature of its storage does not cover the host, so the link is good at the new port, too.
        """
        if not self._is_local or not is_loopback_url(link):
            return link
        own_url = urlsplit(self._base_url)
        return urlunsplit(urlsplit(link)._replace(scheme=own_url.scheme, netloc=own_url.netloc))
