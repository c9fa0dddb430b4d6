"""Tests for a provider of your own: subclass the contracts, give them your service as a script, and run pytest.

``docs/adding-a-provider.md`` shows it; ``examples/provider-package`` is a whole package.
"""

import pytest

pytest.register_assert_rewrite("atelier_mcp.server.testing.submit_contract", "atelier_mcp.server.testing.poll_contract")

from atelier_mcp.server.testing.auto_clock import AutoAdvanceClock
from atelier_mcp.server.testing.poll_contract import PollContract
from atelier_mcp.server.testing.provider_calls import execute, plan, submit
from atelier_mcp.server.testing.scripted_service import ScriptedService
from atelier_mcp.server.testing.submit_contract import SubmitContract
from atelier_mcp.server.testing.upstream_script import ScriptStep, SentRequest, UpstreamScript, build_response

__all__ = [
    "AutoAdvanceClock",
    "PollContract",
    "ScriptStep",
    "ScriptedService",
    "SentRequest",
    "SubmitContract",
    "UpstreamScript",
    "build_response",
    "execute",
    "plan",
    "submit",
]
