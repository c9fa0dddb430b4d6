"""comfy-cli: the project's own command line, against the emulated ComfyUI."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

parts = urlsplit(os.environ["COMFYUI_URL"])
SERVER = ["--host", str(parts.hostname), "--port", str(parts.port)]
COMFY = str(Path(sys.executable).with_name("comfy"))
GRAPH: dict[str, Any] = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd_xl_base_1.0.safetensors"}},
    "2": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": "a red kite"}},
    "3": {"class_type": "EmptyLatentImage", "inputs": {"width": 256, "height": 192, "batch_size": 2}},
    "4": {
        "class_type": "KSampler",
        "inputs": {
            "model": ["1", 0], "positive": ["2", 0], "negative": ["2", 0], "latent_image": ["3", 0], "seed": 7,
            "steps": 4, "cfg": 7.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0,
        },
    },
    "5": {"class_type": "VAEDecode", "inputs": {"samples": ["4", 0], "vae": ["1", 2]}},
    "6": {"class_type": "SaveImage", "inputs": {"images": ["5", 0], "filename_prefix": "kite"}},
}  # fmt: skip
failures: list[str] = []


def check(what: str, *, holds: object) -> None:
    """Note what does not hold."""
    if not holds:
        failures.append(what)


def run(folder: Path, *arguments: str) -> dict[str, Any]:
    """What a command answers, without word to anybody else."""
    environ = {**os.environ, "HOME": str(folder), "DO_NOT_TRACK": "1"}
    command = [COMFY, "--skip-prompt", "--json", *arguments]
    done = subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return json.loads(lines[-1]) if lines else {"ok": False, "error": done.stderr[-300:]}


def try_workflows(folder: Path) -> None:
    """One of ours, the client's own, and one that is refused."""
    file = folder / "kite.json"
    file.write_text(json.dumps(GRAPH))
    done = run(folder, "run", "--workflow", str(file), *SERVER, "--wait", "--timeout", "60")
    check(f"a workflow runs: {done.get('error')}", holds=done["ok"])
    links = (done.get("data") or {}).get("outputs") or []
    check("it has both pictures", holds=len(links) == 2)
    for link in links:
        with urllib.request.urlopen(link) as answer:  # the emulator's
            check("a picture is a PNG", holds=answer.read(4) == b"\x89PNG")
    own = run(folder, "run", "--prompt", "a blue boat", *SERVER, "--wait", "--timeout", "60")
    check(f"its own workflow runs: {own.get('error')}", holds=own["ok"])
    GRAPH["4"]["inputs"]["sampler_name"] = "fastest"
    file.write_text(json.dumps(GRAPH))
    refused = run(folder, "run", "--workflow", str(file), *SERVER, "--wait", "--timeout", "60")
    check("a wrong name is refused", holds=not refused["ok"])
    check("the refusal names it", holds="sampler_name" in json.dumps(refused))


def try_lists(folder: Path) -> None:
    """The jobs there were."""
    listed = run(folder, "jobs", "ls", *SERVER)
    check(f"jobs are listed: {listed.get('error')}", holds=listed["ok"] and listed["data"]["count"])


with tempfile.TemporaryDirectory() as home:
    run(Path(home), "tracking", "disable")
    try_workflows(Path(home))
    try_lists(Path(home))
sys.stdout.write(f"INTEROP {json.dumps(failures)}\n")
