"""``atelier emulator`` as somebody meets it who writes a client of the middleware on AWS, without a line of ours."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from tests.support.emulator_harness import read_image_size
from tests.support.photos import read_photo
from tests.support.sd_aws_plain_client import BASE_NAME, PLAIN_CLIENTS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

START_BOUND_S = 60.0
"""For a process of its own and its engine, on a machine that does other things, too."""
PARAMETERS = {"prompt": "a lighthouse at dusk", "seed": 42, "steps": 4, "width": 128, "height": 96, "batch_size": 2}


@asynccontextmanager
async def run_emulator(*options: str) -> AsyncGenerator[dict[str, str]]:
    """The command on a free port, and what it says to export."""
    command = [sys.executable, "-m", "atelier_mcp.server", "emulator", "--port", "0", *options]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=dict(os.environ))
    assert process.stdout is not None
    try:
        exports: dict[str, str] = {}
        async with asyncio.timeout(START_BOUND_S):
            while "SD_AWS_API_KEY" not in exports:
                line = (await process.stdout.readline()).decode()
                assert line, "the emulator ended"
                name, _, value = line.removeprefix("export ").strip().partition("=")
                exports[name] = value
        yield exports
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.parametrize("version", sorted(PLAIN_CLIENTS))
async def test_a_plain_client_gets_from_login_to_a_picture_and_a_trained_model(version: str) -> None:
    async with run_emulator("--set", f"sd_aws.version={version}") as exports:
        client = PLAIN_CLIENTS[version](exports["SD_AWS_URL"], exports["SD_AWS_API_KEY"])

        def use() -> None:
            assert client.identify() == version
            client.upload_checkpoint(b"a base model of many parts")
            assert BASE_NAME in client.list_checkpoints("Stable-diffusion")
            client.deploy()
            images = client.generate(PARAMETERS)
            assert [read_image_size(image) for image in images] == [(128, 96)] * 2
            files = {"cat.png": read_photo("chelsea.png"), "cat.txt": b"a cat that looks up"}
            assert sorted(client.make_dataset("cats", files)) == sorted(files)
            client.train("cats", "tabby")
            kind = "Lora" if version >= "1.5" else "Stable-diffusion"
            assert any(name.startswith("tabby") for name in client.list_checkpoints(kind))

        await asyncio.to_thread(use)


async def test_a_switch_there_is_not_is_told_in_one_line() -> None:
    command = [sys.executable, "-m", "atelier_mcp.server", "emulator", "--set", "sd_aws.version=2.0"]
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, errors = await asyncio.wait_for(process.communicate(), START_BOUND_S)
    assert (process.returncode, len(errors.decode().splitlines())) == (2, 1)
