"""An issuer of OAuth tokens on loopback: keys that rotate, an outage, and tokens with whatever claims."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import socket
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.requests import Request


class OAuthIssuer:
    """What it answers, and the private keys behind it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.keys: dict[str, tuple[str, Any]] = {}
        self.fetch_count = 0
        self.is_down = False
        self.answer_gate = asyncio.Event()
        """While it is closed, nobody gets the keys."""
        self.answer_gate.set()
        self.metadata: dict[str, Any] = {"issuer": url, "jwks_uri": f"{url}/keys"}
        self.rotate("rsa", "RS256")
        self.rotate("ec", "ES256")

    def rotate(self, key_id: str, algorithm: str = "RS256", *, keep: bool = True) -> None:
        """Sign with one more key, or with that one alone."""
        is_rsa = algorithm == "RS256"
        key = rsa.generate_private_key(65537, 2048) if is_rsa else ec.generate_private_key(ec.SECP256R1())
        self.keys = {**(self.keys if keep else {}), key_id: (algorithm, key)}

    def sign(self, audience: Any, key_id: str = "rsa", *, signed_by: str = "", **claims: Any) -> str:
        """A token; a claim of None is left out. ``signed_by`` is the key that really signs."""
        algorithm, key = self.keys[signed_by or key_id]
        now = int(time.time())
        usual = {"iss": self.url, "aud": audience, "sub": "alice", "iat": now, "exp": now + 300}
        usual |= {"client_id": "host", "scope": "atelier:create"}
        payload = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        return jwt.encode(payload, key, algorithm=algorithm, headers={"kid": key_id, "typ": "at+jwt"})

    def forge(self, audience: str) -> str:
        """A token that is signed with the public key as if it were a secret."""
        public_key = self.keys["rsa"][1].public_key()
        secret = public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        now = int(time.time())
        payload = {"iss": self.url, "aud": audience, "sub": "eve", "iat": now, "exp": now + 300}
        signed = ".".join(_encode(json.dumps(part).encode()) for part in ({"alg": "HS256", "kid": "rsa"}, payload))
        return f"{signed}.{_encode(hmac.digest(secret, signed.encode(), hashlib.sha256))}"

    async def send_keys(self, _: Request) -> Response:
        self.fetch_count += 1
        await self.answer_gate.wait()
        if self.is_down:
            return Response(status_code=500)
        kinds = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm}
        public = {
            key_id: kinds[name].to_jwk(key.public_key(), as_dict=True) for key_id, (name, key) in self.keys.items()
        }
        # Beside them what a set may hold that is not for signatures, or not for us.
        others = [{"kty": "oct", "kid": "shared", "k": "c2VjcmV0"}, {"kty": "OKP", "crv": "Ed9", "x": "", "kid": "new"}]
        return JSONResponse({"keys": [*others, *({**key, "kid": key_id} for key_id, key in public.items())]})

    async def send_metadata(self, _: Request) -> Response:
        return Response(status_code=500) if self.is_down else JSONResponse(self.metadata)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@asynccontextmanager
async def serve_issuer() -> AsyncGenerator[OAuthIssuer]:
    """An issuer on a free loopback port."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    issuer = OAuthIssuer(f"http://127.0.0.1:{listener.getsockname()[1]}")
    routes = [
        Route("/keys", issuer.send_keys),
        Route("/.well-known/openid-configuration", issuer.send_metadata),
    ]
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_config=None, lifespan="off"))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve([listener]), name="issuer")
        try:
            yield issuer
        finally:
            issuer.answer_gate.set()
            server.should_exit = True
