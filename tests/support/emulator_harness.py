"""What the emulator's tests are made of: a client that signs and an engine that draws in no time."""

from __future__ import annotations

import asyncio
import io
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final, Self

import httpx2
import jwt
from PIL import Image

from atelier_mcp.server.emulator.accounts import DEMO_ACCESS_KEY, DEMO_SECRET_KEY
from atelier_mcp.server.emulator.embedded import EmbeddedEmulator
from atelier_mcp.server.engine.tasks import EngineResult

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.settings import EmulatorSettings
    from tests.support.clock import ManualUnixClock

BOUND_S: Final = 20.0
"""How long an answer or a condition is waited for; with ten processes on two cores, five seconds were seen to pass."""


def encode_plain_image(width: int = 320, height: int = 256, *, file_format: str = "PNG", colour: str = "teal") -> bytes:
    """An encoded picture of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, file_format)
    return buffer.getvalue()


def read_image_size(data: bytes) -> tuple[int, int]:
    """Width and height of an encoded picture."""
    with Image.open(io.BytesIO(data)) as image:
        return image.size


class FakeEngine:
    """An engine that answers at once with plain pictures; it can be told to wait, to refuse and to break."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.error: Exception | None = None
        self.notes: tuple[str, ...] = ()
        self.faces: list[dict[str, int]] = [{"x": 40, "y": 30, "width": 60, "height": 70}]
        self.answer_gate = asyncio.Event()
        self.answer_gate.set()

    async def run(self, function: str, /, *args: Any, **kwargs: Any) -> Any:
        assert not args, "the emulator names its arguments"
        name = function.removeprefix("atelier_mcp.server.engine.worker_functions:")
        self.calls.append((name, kwargs))
        await self.answer_gate.wait()
        if self.error is not None:
            raise self.error
        match name:
            case "faces":
                return self.faces
            case "describe":
                return "Teal all over."
            case "training_image":
                return kwargs["image"]
            case "learn":
                return b"profile of " + str(len(kwargs["images"])).encode()
            case _:
                return self._render(**kwargs)

    def get_last_arguments(self, name: str) -> dict[str, Any]:
        """The arguments of the last order of a function."""
        return next(arguments for function, arguments in reversed(self.calls) if function == name)

    def _render(self, *, file_format: str = "JPG", samples: int = 1, seed: int = 7, **_: Any) -> EngineResult:
        encoded = encode_plain_image(64, 48, file_format="PNG" if file_format == "PNG" else "JPEG")
        preview = encode_plain_image(16, 12, file_format="JPEG")
        return EngineResult(
            tuple((encoded, seed + index) for index in range(samples)), (preview,) * samples, self.notes
        )


class EmulatorHarness:
    """A running emulator and a client of it that signs as the demo account."""

    def __init__(self, settings: EmulatorSettings, engine: Any, clock: ManualUnixClock) -> None:
        self.emulator = EmbeddedEmulator(engine, settings, clock=clock)
        self.clock = clock
        self.client: httpx2.AsyncClient
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.emulator)
        client = httpx2.AsyncClient(base_url=self.emulator.base_url, timeout=BOUND_S, trust_env=False, verify=False)
        self.client = await self._stack.enter_async_context(client)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def sign_token(self, *, key: str = DEMO_SECRET_KEY, algorithm: str = "HS256", **claims: Any) -> str:
        """A token; a claim of None is left out."""
        all_claims = {"iss": DEMO_ACCESS_KEY, "exp": int(self.clock()) + 1800, "nbf": int(self.clock()) - 5, **claims}
        present_claims = {name: value for name, value in all_claims.items() if value is not None}
        return jwt.encode(present_claims, key, algorithm=algorithm)

    demo_key = DEMO_SECRET_KEY

    async def call_mhapi(self, method: str, path: str, *, token: str | None = None, **kwargs: Any) -> httpx2.Response:
        """A signed call of MHAPI."""
        headers = {"Authorization": f"Bearer {token or self.sign_token()}"}
        return await self.client.request(method, f"/mhapi{path}", headers=headers, **kwargs)

    async def post(self, path: str, **body: Any) -> httpx2.Response:
        """A signed POST of a JSON object."""
        return await self.call_mhapi("POST", path, json=body)

    async def get(self, path: str, **query: Any) -> httpx2.Response:
        """A signed GET."""
        return await self.call_mhapi("GET", path, params=query)

    async def call_control(self, method: str, path: str, document: Any = None) -> Any:
        """What the control API answers."""
        response = await self.client.request(method, f"/_control{path}", json=document)
        assert response.is_success, response.text
        return response.json()

    async def host_image(self, data: bytes) -> str:
        """A link to a picture."""
        response = await self.client.post("/_control/pictures", content=data)
        assert response.is_success, response.text
        return response.json()["url"]

    async def submit_task(self, path: str, **body: Any) -> str:
        """The id of an accepted task."""
        response = await self.post(path, **body)
        assert response.status_code == 200, response.text
        return response.json()["task_id"]

    async def finish_task(self, task_id: str) -> None:
        """Let a task's time be over and its pictures be there."""
        await self.call_control("POST", f"/finish/{task_id}")


def read_error_code(response: httpx2.Response) -> int:
    """The code of an error envelope, whose shape is checked on the way."""
    document = response.json()
    assert set(document) == {"error"}, document
    error = document["error"]
    assert set(error) == {"code", "message", "details"}
    (trace,) = error["details"]
    assert trace.startswith("trace_id:")
    assert len(trace) == len("trace_id:") + 32
    return error["code"]


def get_non_loopback_mhapi_url(site: EmulatorHarness) -> str:
    """The emulator under an address that is not known to be this machine."""
    return f"{site.emulator.base_url.replace('127.0.0.1', '0.0.0.0')}/mhapi"
