"""The Kubernetes manifest of the examples, held to the schema of the newest version."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import Final

from tests.interop.environments import InteropClient, prepare

NAME: Final = "kubernetes"
MANIFEST: Final = Path(__file__).parents[2] / "examples" / "deployment" / "kubernetes.yaml"
_CLIENT: Final = InteropClient("check_kubernetes.py", ("kubernetes-validate==1.37.0", "pyyaml"))


async def try_manifest() -> str:
    """What is wrong with it; empty where nothing is. Raises ``InstallError``."""
    interpreter = await asyncio.to_thread(prepare, NAME, _CLIENT)
    command = [interpreter, str(Path(__file__).parent / "clients" / _CLIENT.script), str(MANIFEST)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    return "; ".join((done.stdout + done.stderr if done.returncode else done.stdout).splitlines())
