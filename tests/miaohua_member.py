"""A plain client of the emulated Miaohua, such as the vendor's: it logs in, posts JSON and reads what comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulated import picture

from atelier_mcp.server.emulator.accounts import DEMO_EMAIL, DEMO_PASSWORD

if TYPE_CHECKING:
    import httpx2
    from emulated import Site

PREFIX = "/miaohua/api/v1b"


class Member:
    """The demo account at a running emulator."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.token = ""

    async def log_in(self) -> Member:
        """With a token from now on."""
        answer = await self.raw("POST", "/get_token", json={"email": DEMO_EMAIL, "password": DEMO_PASSWORD})
        self.token = answer.json()["token"]
        return self

    async def raw(self, method: str, path: str, **arguments: Any) -> httpx2.Response:
        """A call as it is given."""
        return await self.site.client.request(method, f"{PREFIX}{path}", **arguments)

    async def post(self, path: str, **body: Any) -> dict[str, Any]:
        """The document that answers a JSON object with the token."""
        answer = await self.raw("POST", path, json={"token": self.token, **body})
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def info(self, path: str, **body: Any) -> Any:
        """What a call that succeeds answers."""
        document = await self.post(path, **body)
        assert document["code"] == 0, document
        return document["info"]

    async def code(self, path: str, **body: Any) -> int:
        """The code of an answer."""
        return (await self.post(path, **body))["code"]

    async def uploaded(self, *pictures: bytes, path: str = "/upload_imgs") -> list[str]:
        """Links to pictures; to a small one when none is given."""
        files = [("init_img", ("p.png", data, "image/png")) for data in pictures or (picture(),)]
        answer = await self.raw("POST", path, files=files, headers={"Authorization": f"Bearer {self.token}"})
        assert answer.json()["code"] == 0, answer.text
        return answer.json()["info"]

    async def submitted(self, **fields: Any) -> str:
        """The id of an accepted task."""
        document = await self.post("/task_submit", **{"prompt": "a cat", "n_images": 1, **fields})
        assert document["code"] == 0, document
        return document["task_id"]

    async def result(self, task_id: str) -> dict[str, Any]:
        """A task once its time is over."""
        await self.site.finished(task_id)
        return await self.info("/task_result", task_id=task_id)
