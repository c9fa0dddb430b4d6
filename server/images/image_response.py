"""A stored picture as an HTTP response, wherever it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.errors import ImageRefused, OperatorError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

    from atelier_mcp.server.images.store import ImageStore
    from atelier_mcp.server.images.stored_image import StoredImage


def create_image_response(
    store: ImageStore,
    image: StoredImage,
    *,
    headers: Mapping[str, str],
    disposition: str = "inline",
    file_name: str | None = None,
) -> Response:
    """The picture's bytes under its own type, also a part of them where that is asked for.

    The file stays for as long as it is sent. 404 where it was taken away meanwhile, 503 where it cannot be fetched.
    """
    from starlette.responses import FileResponse, PlainTextResponse, Response

    class StoredFileResponse(Response):
        """Sends a file of the store's."""

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            try:
                async with store.open_paths([image]) as (path,):
                    response = FileResponse(
                        path,
                        media_type=image.media_type,
                        headers=headers,
                        filename=file_name,
                        content_disposition_type=disposition,
                    )
                    await response(scope, receive, send)
            except ImageRefused:
                await PlainTextResponse("This picture is not stored any more.", 404)(scope, receive, send)
            except OperatorError:
                await PlainTextResponse("The store of pictures does not answer now.", 503)(scope, receive, send)

    return StoredFileResponse()
