"""The built-in engine, tried with a picture of its own, and the other extras."""

from __future__ import annotations

import asyncio
import time
from importlib.util import find_spec
from typing import Final

from atelier_mcp.server.cli.doctor.finding import Finding
from atelier_mcp.server.cli.installation import format_install

TRIAL_TIMEOUT_S: Final = 60.0
_TRIAL: Final = {"prompt": "a red kite", "seed": 7, "width": 128, "height": 128, "controls": (), "profiles": ()}


async def check_engine(*, is_needed: bool) -> Finding:
    """Draw a small picture with the engine where no service is configured: else it is not needed, and not tried."""
    what = "built-in engine"
    if not is_engine_installed():
        words = "not installed, and no service is configured" if is_needed else "not installed, and not needed"
        return Finding(what, False if is_needed else None, words, format_install("engine"))
    if not is_needed:
        return Finding(what, good=True, words="installed, and not needed: a service is configured")
    from atelier_mcp.server.engine.pool import EnginePool
    from atelier_mcp.server.workers.pool import WorkerError

    started_s = time.perf_counter()
    try:
        async with asyncio.timeout(TRIAL_TIMEOUT_S), EnginePool(1) as engine:
            await engine.run("atelier_mcp.server.engine.worker_functions:generate", **_TRIAL)
    except (WorkerError, ValueError, TimeoutError, OSError) as err:
        reason = " ".join(str(err).split()) or f"no picture in {TRIAL_TIMEOUT_S:.0f} s"
        return Finding(what, good=False, words=f"does not draw: {reason}", remedy=format_install("engine"))
    return Finding(what, good=True, words=f"draws, {time.perf_counter() - started_s:.1f} s with its start")


def is_engine_installed() -> bool:
    """True when the libraries of the engine can be found; none is loaded."""
    return find_spec("cv2") is not None and find_spec("numpy") is not None


def check_extras(*, has_bucket: bool) -> list[Finding]:
    """Whether HEIF pictures can be read, and a bucket be used where one is set."""
    heif = find_spec("pillow_heif") is not None
    findings = [
        Finding("HEIF pictures", good=True, words="can be read")
        if heif
        else Finding("HEIF pictures", good=None, words="cannot be read", remedy=format_install("heif"))
    ]
    if has_bucket and find_spec("obstore") is None:
        words = "ATELIER_BUCKET_URL is set, but buckets are not installed"
        findings.append(Finding("bucket", good=False, words=words, remedy=format_install("bucket")))
    return findings
