"""States keep their meaning in JSON and their order in time."""

from __future__ import annotations

import json

import pytest

from atelier_mcp.server.images.exchange import OutputImage
from atelier_mcp.server.jobs.model import (
    Cancelled,
    Failed,
    JobImage,
    Queued,
    Running,
    Saving,
    State,
    Submitting,
    Succeeded,
    Unconfirmed,
    can_follow,
    get_state_name,
)
from atelier_mcp.server.jobs.state_codec import decode_state, encode_state
from atelier_mcp.server.providers.base import UpstreamTask

TASK = UpstreamTask("t1", "pictures")
STATES: tuple[State, ...] = (
    Submitting(),
    Submitting(task=TASK),
    Queued(TASK),
    Running(TASK, 0.25, "step 5 of 20"),
    Saving(
        TASK,
        (OutputImage("https://pictures.example/1", None, 7), OutputImage(None, b"\x00\xff", None)),
        {"a": [1]},
        ("x",),
    ),
    Saving(None, (OutputImage(data=b"png"),)),
    Succeeded((JobImage("img_1", 7),), {"faces": [{"x": 1}]}, ("Sensitive",)),
    Failed("It failed.", "It was charged by the service.", "Ask again."),
    Cancelled(upstream_stopped=True),
    Unconfirmed(),
)


@pytest.mark.parametrize("state", STATES, ids=get_state_name)
def test_a_state_comes_back_from_json_as_it_was(state: State) -> None:
    document = json.loads(json.dumps(encode_state(state)))
    assert decode_state(get_state_name(state), document) == state


@pytest.mark.parametrize("state", STATES, ids=get_state_name)
def test_nothing_follows_a_final_state_and_nothing_goes_backwards(state: State) -> None:
    order = ["submitting", "queued", "running", "saving"]
    for following in STATES:
        allowed = can_follow(state, following)
        if get_state_name(state) not in order:
            assert not allowed
        elif get_state_name(following) in order:
            assert allowed == (order.index(get_state_name(state)) <= order.index(get_state_name(following)))
        else:
            assert allowed == (not isinstance(following, Unconfirmed) or isinstance(state, Submitting))
