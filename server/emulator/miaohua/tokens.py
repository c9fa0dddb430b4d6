"""get_token: a token for e-mail and password (contract: get_token)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from atelier_mcp.server.emulator.access_log import ACCOUNT
from atelier_mcp.server.emulator.miaohua.calls import MiaohuaApiResponse
from atelier_mcp.server.emulator.miaohua.parameters import ParameterReader, read_document

if TYPE_CHECKING:
    from starlette.requests import Request

    from atelier_mcp.server.emulator.miaohua.calls import MiaohuaState, OpenRow


def build_open_rows() -> list[OpenRow]:
    """The call, which is let in by what it carries."""
    return [("POST", "/get_token", get_token)]


async def get_token(state: MiaohuaState, request: Request) -> MiaohuaApiResponse:
    """A fresh token; those issued before still work."""
    parameters = ParameterReader(await read_document(request))
    email, password = parameters.read_text("email"), parameters.read_text("password")
    token = await asyncio.to_thread(state.tokens.issue, email, password)
    setattr(request.state, ACCOUNT, email)
    return MiaohuaApiResponse({"token": token}, mirrored=True)
