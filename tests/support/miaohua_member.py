"""A plain client of the emulated Miaohua, such as the vendor's: it logs in, posts JSON and reads what comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.emulator.accounts import DEMO_EMAIL, DEMO_PASSWORD
from tests.support.emulator_harness import encode_plain_image

if TYPE_CHECKING:
    import httpx2

    from tests.support.emulator_harness import EmulatorHarness

PREFIX = "/miaohua/api/v1b"


class MiaohuaMember:
    """The demo account at a running emulator."""

    def __init__(self, emulator: EmulatorHarness) -> None:
        self.emulator = emulator
        self.token = ""

    async def log_in(self) -> MiaohuaMember:
        """With a token from now on."""
        response = await self.request("POST", "/get_token", json={"email": DEMO_EMAIL, "password": DEMO_PASSWORD})
        self.token = response.json()["token"]
        return self

    async def request(self, method: str, path: str, **arguments: Any) -> httpx2.Response:
        """A call as it is given."""
        return await self.emulator.client.request(method, f"{PREFIX}{path}", **arguments)

    async def post(self, path: str, **body: Any) -> dict[str, Any]:
        """The document that answers a JSON object with the token."""
        response = await self.request("POST", path, json={"token": self.token, **body})
        assert response.status_code == 200, response.text
        return response.json()

    async def fetch_info(self, path: str, **body: Any) -> Any:
        """What a call that succeeds answers."""
        document = await self.post(path, **body)
        assert document["code"] == 0, document
        return document["info"]

    async def fetch_code(self, path: str, **body: Any) -> int:
        """The code of an answer."""
        return (await self.post(path, **body))["code"]

    async def upload_images(self, *images: bytes, path: str = "/upload_imgs") -> list[str]:
        """Links to pictures; to a small one when none is given."""
        files = [("init_img", ("p.png", data, "image/png")) for data in images or (encode_plain_image(),)]
        response = await self.request("POST", path, files=files, headers={"Authorization": f"Bearer {self.token}"})
        assert response.json()["code"] == 0, response.text
        return response.json()["info"]

    async def submit_task(self, **fields: Any) -> str:
        """The id of an accepted task."""
        document = await self.post("/task_submit", **{"prompt": "a cat", "n_images": 1, **fields})
        assert document["code"] == 0, document
        return document["task_id"]

    async def fetch_result(self, task_id: str) -> dict[str, Any]:
        """A task once its time is over."""
        await self.emulator.finish_task(task_id)
        return await self.fetch_info("/task_result", task_id=task_id)
