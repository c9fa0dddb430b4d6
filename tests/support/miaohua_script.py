"""What a scripted Miaohua answers to every call but the one a test is about."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

from tests.support.upstream_script import build_response

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2

    from tests.support.upstream_script import SentRequest, UpstreamScript

JPEG_MAGIC = b"\xff\xd8\xff"
TOKEN = "TOKEN"
EMAIL = "someone@example.com"
PASSWORD = "PW-hidden-everywhere"
BASE_MODEL = {"versionid": "sgl_artist_v0.3.5_0925", "model_name": "Artist v0.3.5 0925", "is_opensource": False}
LORA_MODEL = {"versionid": "v3", "model_name": "train_model1", "model_id": 7, "tag": "LORA"}
TRAINING_FORM = {"base_model": ["Artist v0.3.5 0925"], "main_body": ["Style", "Human"]}


def build_success(info: Any, msg: str = "") -> httpx2.Response:
    """A success in its envelope."""
    return build_response({"code": 0, "info": info, "msg": msg})


def build_refusal(code: int, msg: str = "no") -> httpx2.Response:
    """A refusal, under HTTP 200 as the service sends it."""
    return build_response({"code": code, "info": "", "msg": msg})


def build_model_page(*entries: Mapping[str, Any], has_next: bool = False) -> httpx2.Response:
    """One page of models."""
    return build_success(
        {"has_next": has_next, "models": [dict(entry) for entry in entries], "page": 1, "per_page": 100}
    )


def add_default_steps(script: UpstreamScript) -> None:
    """Answer to logging in, uploads and lists."""
    script.set_steps("/get_token", build_success({"token": TOKEN}))
    script.set_steps("/upload_imgs", answer_upload)
    script.set_steps("/models/base", build_model_page(BASE_MODEL))
    script.set_steps("/models/lora", build_model_page())
    script.set_steps("/models/private", build_model_page(LORA_MODEL))
    script.set_steps("/cn/artist", build_success([]))
    script.set_steps("/cn/opensource", build_success([]))
    script.set_steps("/get_train_form", build_success(TRAINING_FORM))
    script.set_steps("/get_generation_form", build_success([]))
    script.set_steps("/dataset_all", build_success({"items": [], "has_next": False}))


def encode_linked_image(link: str) -> str:
    """A picture as base64 that, once uploaded, is found under ``link``."""
    return base64.b64encode(JPEG_MAGIC + link.encode()).decode()


def answer_upload(request: SentRequest) -> httpx2.Response:
    """The link that the uploaded picture holds."""
    match = re.search(rb"\xff\xd8\xff(https?://[^\r\n]+)", request.content)
    return build_success([match[1].decode() if match else "https://oss.example.com/picture"])
