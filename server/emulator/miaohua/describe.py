"""img2txt: a picture in words, at once (contract: img2txt)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from atelier_mcp.server.emulator.miaohua.calls import MiaohuaApiResponse
from atelier_mcp.server.emulator.miaohua.errors import PARAMETER, MiaohuaHttpError

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.miaohua.calls import CallRow, MiaohuaCall

DESCRIBE: Final = "describe"


def build_rows() -> list[CallRow]:
    """The call."""
    return [("POST", "/img2txt", describe, ("init_img",))]


async def describe(call: MiaohuaCall) -> MiaohuaApiResponse:
    """A description; any link will do (img2txt.upload_required, img2txt.withdrawn)."""
    if call.switches.img2txt_withdrawn:
        raise MiaohuaHttpError(PARAMETER, "this function is withdrawn and cannot be called")
    source = await call.fetch_source(call.parameters.read_text("init_img"), "init_img", from_anywhere=True)
    return MiaohuaApiResponse(await call.emulator.run_engine(DESCRIBE, image=source.data))
