"""What is said at start, and by the doctor, of a bucket that pictures are kept in."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.buckets import SECRET

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Atelier
    from tests.support.buckets import BucketService

WRONG: dict[str, tuple[dict[str, str], str]] = {
    "no bucket": ({"ATELIER_STORE_URL": "s3://no-such-bucket/x"}, "There is no bucket no-such-bucket"),
    "nobody there": ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "does not answer"),
    "no address": ({"ATELIER_STORE_URL": "https://pictures.example"}, "is not of the form s3://bucket/folder"),
    "half a pair of keys": ({"ATELIER_STORE_ACCESS_KEY_ID": "key"}, "are needed together"),
    "keys in it": ({"ATELIER_STORE_URL": f"s3://key:{SECRET}@pictures/x"}, "has keys in it"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_server_over_http_says_what_is_wrong_and_does_not_start(
    atelier: Atelier, moto: BucketService, name: str
) -> None:
    """In one sentence that names the setting, before it listens."""
    changes, words = WRONG[name]
    outcome = atelier("serve", "--http", "--port", "0", **{**moto.build_environment("cli"), **changes})
    assert outcome.code != 0
    assert words in outcome.err
    assert "ATELIER_STORE_URL" in outcome.err
    for hidden in (SECRET, "Traceback", "listens at"):
        assert hidden not in outcome.err + outcome.out


def test_the_doctor_tries_the_bucket(atelier: Atelier, moto: BucketService) -> None:
    finding = atelier("doctor", "--json", **moto.build_environment("cli")).findings["picture store"]
    assert finding["good"]
    assert "s3://pictures/cli is written, read, listed and deleted from" in finding["words"]
    assert SECRET not in str(finding)


@pytest.mark.parametrize("name", ["no bucket", "keys in it"])
def test_the_doctor_says_what_is_wrong_with_the_bucket(atelier: Atelier, moto: BucketService, name: str) -> None:
    changes, words = WRONG[name]
    outcome = atelier("doctor", "--json", **{**moto.build_environment("cli"), **changes})
    finding = outcome.findings["picture store"]
    assert (outcome.code, finding["good"]) == (1, False)
    assert words in finding["words"]
    assert SECRET not in outcome.out + outcome.err


def test_the_stores_own_keys_come_before_those_of_aws(atelier: Atelier, seaweed: BucketService) -> None:
    """Where the bucket that lends pictures is another one; a session token belongs to the keys it came with."""
    environment = seaweed.build_environment("own-keys")
    own = {
        "ATELIER_STORE_ACCESS_KEY_ID": environment["AWS_ACCESS_KEY_ID"],
        "ATELIER_STORE_SECRET_ACCESS_KEY": environment["AWS_SECRET_ACCESS_KEY"],
        "ATELIER_STORE_ENDPOINT_URL": environment["AWS_ENDPOINT_URL"],
    }
    foreign = {"AWS_ACCESS_KEY_ID": "other", "AWS_SECRET_ACCESS_KEY": "other", "AWS_SESSION_TOKEN": "other"}
    foreign["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    outcome = atelier("doctor", "--json", ATELIER_STORE_URL=environment["ATELIER_STORE_URL"], **own, **foreign)
    assert outcome.findings["picture store"]["good"], outcome.out


def test_without_a_bucket_its_library_is_not_loaded(tmp_path: Path) -> None:
    """It is an extra, and would cost every start."""
    code = (
        "import asyncio, sys\n"
        "from atelier_mcp.server.settings import load_settings\n"
        "from atelier_mcp.server.app import create_server\n"
        "server = create_server(load_settings({'ATELIER_HOME': sys.argv[1]}))\n"
        "asyncio.run(server.list_resources())\n"
        "print(sorted(name for name in sys.modules if 'obstore' in name or '.bucket' in name))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
