"""What a scripted Miaohua answers to every call but the one a test is about."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

from scripted import answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2
    from scripted import Script, Sent

JPEG = b"\xff\xd8\xff"
TOKEN = "TOKEN"
EMAIL = "someone@example.com"
PASSWORD = "PW-hidden-everywhere"
BASE = {"versionid": "sgl_artist_v0.3.5_0925", "model_name": "Artist v0.3.5 0925", "is_opensource": False}
LORA = {"versionid": "v3", "model_name": "train_model1", "model_id": 7, "tag": "LORA"}
FORM = {"base_model": ["Artist v0.3.5 0925"], "main_body": ["Style", "Human"]}


def ok(info: Any, msg: str = "") -> httpx2.Response:
    """A success in its envelope."""
    return answer({"code": 0, "info": info, "msg": msg})


def refusal(code: int, msg: str = "no") -> httpx2.Response:
    """A refusal, under HTTP 200 as the service sends it."""
    return answer({"code": code, "info": "", "msg": msg})


def models(*entries: Mapping[str, Any], more: bool = False) -> httpx2.Response:
    """One page of models."""
    return ok({"has_next": more, "models": [dict(entry) for entry in entries], "page": 1, "per_page": 100})


def prepare(script: Script) -> None:
    """Answer to logging in, uploads and lists."""
    script.on("/get_token", ok({"token": TOKEN}))
    script.on("/upload_imgs", uploaded)
    script.on("/models/base", models(BASE))
    script.on("/models/lora", models())
    script.on("/models/private", models(LORA))
    script.on("/cn/artist", ok([]))
    script.on("/cn/opensource", ok([]))
    script.on("/get_train_form", ok(FORM))
    script.on("/get_generation_form", ok([]))


def encoded(link: str) -> str:
    """A picture as base64 that, once uploaded, is found under ``link``."""
    return base64.b64encode(JPEG + link.encode()).decode()


def uploaded(sent: Sent) -> httpx2.Response:
    """The link that the uploaded picture holds."""
    found = re.search(rb"\xff\xd8\xff(https?://[^\r\n]+)", sent.content)
    return ok([found[1].decode() if found else "https://oss.example.com/picture"])
