"""What every provider promises, promised by a WebUI's."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.errors import AccountRefused, AuthenticationFailed, InvalidRequest
from atelier_mcp.server.images.exchange import OutputImage
from atelier_mcp.server.providers.base import TaskSucceeded
from atelier_mcp.testing import ScriptedService, SubmitContract
from tests.support.sd_webui_script import (
    ANSWERS,
    IMAGE,
    MISSING,
    NEVER_THERE,
    PASSWORD,
    REQUEST,
    TXT2IMG,
    build_drawing,
    create_webui,
)
from tests.support.upstream_script import build_response

if TYPE_CHECKING:
    import httpx2


def build_refusal(words: str, status: int = 400) -> httpx2.Response:
    """A refusal as AUTOMATIC1111 words it."""
    return build_response({"error": "HTTPException", "detail": words, "body": "", "errors": words}, status)


SERVICE = ScriptedService(
    make_provider=create_webui,
    request=REQUEST,
    submit_path=TXT2IMG,
    accepted=build_drawing(),
    outcome=TaskSucceeded((OutputImage(data=base64.b64decode(IMAGE), seed=42),)),
    refusals={
        AuthenticationFailed: build_refusal("Not authenticated", 401),
        AccountRefused: build_refusal("Forbidden", 403),
        InvalidRequest: build_refusal("Sampler not found"),
    },
    too_fast=build_refusal("Rate limit exceeded", 429),
    secrets=(PASSWORD, base64.b64encode(f"me:{PASSWORD}".encode()).decode()),
    build_refusal=build_refusal,
    other_answers={
        **{path: build_response(json.dumps(answer)) for path, answer in ANSWERS.items()},
        **dict.fromkeys(NEVER_THERE, MISSING),
    },
)


class TestSdWebui(SubmitContract):
    """An AUTOMATIC1111."""

    @pytest.fixture
    def service(self) -> ScriptedService:
        """As the script plays it."""
        return SERVICE
