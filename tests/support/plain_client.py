"""HTTP as a short script of somebody else's does it: the standard library, and nothing of this project."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TIMEOUT_S = 20.0
BOUNDARY = "6f1d8a3e0c4b4d2f"
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


async def send(method: str, url: str, *, data: bytes | None = None, headers: Mapping[str, str] | None = None) -> bytes:
    """The body that answers, whatever the status."""

    def send_now() -> bytes:
        request = urllib.request.Request(url, data=data, headers=dict(headers or {}), method=method)
        try:
            with _OPENER.open(request, timeout=TIMEOUT_S) as response:
                return response.read()
        except urllib.error.HTTPError as err:
            return err.read()

    return await asyncio.to_thread(send_now)


async def post_json(url: str, body: Any, *, authorization: str | None = None) -> Any:
    """The JSON document that answers one."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": authorization} if authorization else {})
    return json.loads(await send("POST", url, data=json.dumps(body).encode(), headers=headers))


async def get_json(url: str) -> Any:
    """The JSON document at an address."""
    return json.loads(await send("GET", url))


async def post_files(url: str, parts: Iterable[tuple[str, bytes]], *, authorization: str | None = None) -> Any:
    """The JSON document that answers a form in which every part is a file, named as its field."""
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    if authorization:
        headers["Authorization"] = authorization
    body = b"".join(_encode_file(name, data) for name, data in parts) + f"--{BOUNDARY}--\r\n".encode()
    return json.loads(await send("POST", url, data=body, headers=headers))


def sign_token(access_key: str, secret_key: str) -> str:
    """A token for half an hour, signed with HS256 by hand."""
    now = int(time.time())
    claims = {"iss": access_key, "exp": now + 1800, "nbf": now - 5}
    signed = ".".join(_encode_base64(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return f"{signed}.{_encode_base64(hmac.new(secret_key.encode(), signed.encode(), hashlib.sha256).digest())}"


def _encode_base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _encode_file(name: str, data: bytes) -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n\r\n'
    return head.encode() + data + b"\r\n"
