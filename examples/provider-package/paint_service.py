"""Paint itself, small enough to try the provider with: ``python paint_service.py 8971``.

    POST /v1/pictures        {"prompt", "width", "height", "source"?} -> {"task_id"}
    GET  /v1/pictures/<id>   {"state": "working" | "done" | "failed", "url"?, "reason"?}
    GET  /files/<id>.png     the picture

A prompt with "forbidden" is refused, one with "fail" makes a task that fails. The key is ``paint-secret``.
"""

from __future__ import annotations

import base64
import io
import json
import sys
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from PIL import Image

KEY = "paint-secret"


class PaintHandler(BaseHTTPRequestHandler):
    """Answers one request."""

    tasks: ClassVar[dict[str, dict[str, Any]]] = {}

    def do_POST(self) -> None:  # the standard library's name
        """Take a task."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._is_allowed():
            return
        if "forbidden" in body["prompt"]:
            self._refuse(400, "forbidden_words", "I do not paint that.")
            return
        task_id = f"t{len(self.tasks) + 1}"
        self.tasks[task_id] = {**body, "polls": 0}
        self._answer({"task_id": task_id})

    def do_GET(self) -> None:  # the standard library's name
        """Say how a task stands, or hand out its picture."""
        *_, folder, name = self.path.split("/")
        task = self.tasks.get(name.removesuffix(".png"))
        if folder == "files" and task:
            self._send(200, "image/png", draw(task))
        elif self._is_allowed():
            if task is None:
                self._refuse(404, "no_task", "There is no such task.")
            else:
                self._answer(self._describe(name, task))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the standard library's name
        """Say nothing."""

    def _describe(self, task_id: str, task: dict[str, Any]) -> dict[str, str]:
        task["polls"] += 1
        if task["polls"] < 2:
            return {"state": "working"}
        if "fail" in task["prompt"]:
            return {"state": "failed", "reason": "The brush broke."}
        return {"state": "done", "url": f"http://{self.headers['Host']}/files/{task_id}.png"}

    def _is_allowed(self) -> bool:
        if self.headers.get("Authorization") == f"Bearer {KEY}":
            return True
        self._refuse(401, "wrong_key", "I do not know this key.")
        return False

    def _refuse(self, status: int, code: str, message: str) -> None:
        self._send(status, "application/json", json.dumps({"error": {"code": code, "message": message}}).encode())

    def _answer(self, document: dict[str, str]) -> None:
        self._send(200, "application/json", json.dumps(document).encode())

    def _send(self, status: int, media_type: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def draw(task: dict[str, Any]) -> bytes:
    """A PNG of one colour, which the prompt decides; over the source, if there is one."""
    size = (task["width"], task["height"])
    red, green, blue = zlib.crc32(task["prompt"].encode()).to_bytes(4, "big")[:3]
    image = Image.new("RGB", size, (red, green, blue))
    if task.get("source"):
        source = Image.open(io.BytesIO(base64.b64decode(task["source"]))).convert("RGB").resize(size)
        image = Image.blend(source, image, 0.5)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def main() -> None:
    """Serve on the port of the command line, 0 for a free one; the address is the only line of output."""
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), PaintHandler)
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
