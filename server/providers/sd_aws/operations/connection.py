"""Whether the deployment answers, takes the key, and lets files be written into its storage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.providers.sd_aws.operation import SdAwsDirectOperation
from atelier_mcp.server.requests.aws import TestConnection

if TYPE_CHECKING:
    from collections.abc import Mapping

TEXT_MEDIA_TYPE: Final = "text/plain;charset=UTF-8"
"""Links of the presign call are bound to exactly this (contract: presign_upload.content_type)."""
TEST_FILE: Final = "atelier/connection-test.txt"


class SdAwsConnectionTest(SdAwsDirectOperation[TestConnection]):
    """``aws_test_connection``."""

    request_type = TestConnection

    async def execute(self, request: TestConnection, images: Mapping[str, str]) -> Mapping[str, Any]:  # noqa: ARG002  # the base's signature
        """What the service says, and whether a test file could be written where that was asked for."""
        dialect, middleware = await self._account.get_dialect(), self._account.middleware
        message = await dialect.test_connection()
        version = dialect.version
        result: dict[str, Any] = {
            "version": str(version),
            "generation": version.generation,
            "message": message,
            "user": middleware.username,
        }
        if request.storage:
            if link := await dialect.get_storage_link(TEST_FILE):
                await middleware.put_file(link, b"Written by a connection test.", media_type=TEXT_MEDIA_TYPE)
            result["storage"] = "written" if link else "this version has no call to test it with"
        return result
