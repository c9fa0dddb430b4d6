"""What the emulator's tests are made of: a client that signs, an engine that draws in no time, a clock set by hand."""

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
from atelier_mcp.server.engine.orders import Generated

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.settings import EmulatorSettings

BOUND_S: Final = 5.0


class HandClock:
    """Unix seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def picture(width: int = 320, height: int = 256, *, file_format: str = "PNG", colour: str = "teal") -> bytes:
    """An encoded picture of one colour."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(out, file_format)
    return out.getvalue()


def sides(data: bytes) -> tuple[int, int]:
    """Width and height of an encoded picture."""
    with Image.open(io.BytesIO(data)) as opened:
        return opened.size


class PaintBox:
    """An engine that answers at once with plain pictures; it can be told to wait, to refuse and to break."""

    def __init__(self) -> None:
        self.orders: list[tuple[str, dict[str, Any]]] = []
        self.error: Exception | None = None
        self.notes: tuple[str, ...] = ()
        self.faces: list[dict[str, int]] = [{"x": 40, "y": 30, "width": 60, "height": 70}]
        self.open = asyncio.Event()
        self.open.set()

    async def run(self, function: str, /, *args: Any, **kwargs: Any) -> Any:
        assert not args, "the emulator names its arguments"
        name = function.removeprefix("atelier_mcp.server.engine.studio:")
        self.orders.append((name, kwargs))
        await self.open.wait()
        if self.error is not None:
            raise self.error
        match name:
            case "faces":
                return self.faces
            case "describe":
                return "Teal all over."
            case "training_picture":
                return kwargs["picture"]
            case "learn":
                return b"profile of " + str(len(kwargs["pictures"])).encode()
            case _:
                return self._drawn(**kwargs)

    def last(self, name: str) -> dict[str, Any]:
        """The arguments of the last order of a function."""
        return next(arguments for function, arguments in reversed(self.orders) if function == name)

    def _drawn(self, *, file_format: str = "JPG", samples: int = 1, seed: int = 7, **_: Any) -> Generated:
        raw = picture(64, 48, file_format="PNG" if file_format == "PNG" else "JPEG")
        small = picture(16, 12, file_format="JPEG")
        return Generated(tuple((raw, seed + index) for index in range(samples)), (small,) * samples, self.notes)


class Site:
    """A running emulator and a client of it that signs as the demo account."""

    def __init__(self, settings: EmulatorSettings, engine: Any, clock: HandClock) -> None:
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

    def token(self, *, key: str = DEMO_SECRET_KEY, algorithm: str = "HS256", **claims: Any) -> str:
        """A token; a claim of None is left out."""
        merged = {"iss": DEMO_ACCESS_KEY, "exp": int(self.clock()) + 1800, "nbf": int(self.clock()) - 5, **claims}
        given = {name: value for name, value in merged.items() if value is not None}
        return jwt.encode(given, key, algorithm=algorithm)

    demo_key = DEMO_SECRET_KEY

    async def call(self, method: str, path: str, *, token: str | None = None, **kwargs: Any) -> httpx2.Response:
        """A signed call of MHAPI."""
        headers = {"Authorization": f"Bearer {token or self.token()}"}
        return await self.client.request(method, f"/mhapi{path}", headers=headers, **kwargs)

    async def post(self, path: str, **body: Any) -> httpx2.Response:
        """A signed POST of a JSON object."""
        return await self.call("POST", path, json=body)

    async def get(self, path: str, **query: Any) -> httpx2.Response:
        """A signed GET."""
        return await self.call("GET", path, params=query)

    async def control(self, method: str, path: str, document: Any = None) -> Any:
        """What the control door answers."""
        answer = await self.client.request(method, f"/_control{path}", json=document)
        assert answer.is_success, answer.text
        return answer.json()

    async def hosted(self, data: bytes) -> str:
        """A link to a picture."""
        answer = await self.client.post("/_control/pictures", content=data)
        assert answer.is_success, answer.text
        return answer.json()["url"]

    async def submitted(self, path: str, **body: Any) -> str:
        """The id of an accepted task."""
        answer = await self.post(path, **body)
        assert answer.status_code == 200, answer.text
        return answer.json()["task_id"]

    async def finished(self, task_id: str) -> None:
        """Let a task's time be over and its pictures be there."""
        await self.control("POST", f"/finish/{task_id}")


def error_code(answer: httpx2.Response) -> int:
    """The code of an error envelope, whose shape is checked on the way."""
    document = answer.json()
    assert set(document) == {"error"}, document
    error = document["error"]
    assert set(error) == {"code", "message", "details"}
    (trace,) = error["details"]
    assert trace.startswith("trace_id:")
    assert len(trace) == len("trace_id:") + 32
    return error["code"]
