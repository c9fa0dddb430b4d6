"""A ComfyUI that follows a script: its nodes, a request that is planned, and entries of its history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.providers.base import UpstreamTask
from atelier_mcp.server.providers.comfyui.provider import ComfyuiProvider
from atelier_mcp.server.requests.create import GenerateImage
from tests.support.emulator_harness import encode_plain_image
from tests.support.upstream_script import build_response

if TYPE_CHECKING:
    import httpx2

    from tests.support.clock import AutoAdvanceClock
    from tests.support.upstream_script import SentRequest, UpstreamScript

KEY: Final = "CK-hidden-everywhere"
PROMPT_ID: Final = "0b1f7a2c-9d1e-5c3a-8f4b-2a6d7e8f9a0b"
TASK: Final = UpstreamTask(PROMPT_ID, "prompt")
PAID_TASK: Final = UpstreamTask(PROMPT_ID, "paid")
PNG: Final = encode_plain_image(64, 48)
CHECKPOINT: Final = "sd_xl_base_1.0.safetensors"


def make_provider(script: UpstreamScript, clock: AutoAdvanceClock) -> ComfyuiProvider:
    """The provider of the scripted server, as if it were on the internet."""
    return ComfyuiProvider(base_url="https://s.example", api_key=KEY, clock=clock, transport=script.transport)


def make_request() -> GenerateImage:
    """A planned request."""
    fields = {
        "prompt": "a very private prompt", "model": CHECKPOINT, "width": 1024, "height": 1024, "steps": 5,
        "guidance": 5, "seed": 7,
    }  # fmt: skip
    return GenerateImage.model_validate(fields)


def script_nodes() -> dict[str, httpx2.Response]:
    """What is answered to questions about nodes, and to whoever wants a socket, by path."""
    classes: dict[str, Any] = {
        "CheckpointLoaderSimple": {"ckpt_name": [[CHECKPOINT], {}]},
        "KSampler": {"sampler_name": [["euler"], {}], "scheduler": [["normal"], {}]},
    }
    answers = {
        f"/object_info/{name}": build_response({name: {"input": {"required": inputs}}})
        for name, inputs in classes.items()
    }
    # A server behind a proxy that opens no sockets: no progress is told.
    return {**answers, "/ws": build_response("", 404)}


def build_refusal(words: str) -> httpx2.Response:
    """How a workflow is refused."""
    error: dict[str, Any] = {"type": "invalid_prompt", "message": words, "details": "", "extra_info": {}}
    return build_response({"error": error, "node_errors": {}}, 400)


def answer_with_id(request: SentRequest) -> httpx2.Response:
    """Whatever is sent is queued under the id it came with."""
    return build_response({"prompt_id": request.body["prompt_id"], "number": 1, "node_errors": {}})


def build_entry(prompt_id: str = PROMPT_ID, *, seeds: tuple[int, ...] = (7,)) -> dict[str, Any]:
    """A history of one finished job with a picture for each seed."""
    graph: dict[str, Any] = {}
    outputs: dict[str, Any] = {}
    for number, seed in enumerate(seeds, 1):
        stem = prompt_id if number == 1 else f"{prompt_id}-{number}"
        graph[f"sample_{number}"] = {"class_type": "KSampler", "inputs": {"seed": seed}}
        graph[f"save_{number}"] = {
            "class_type": "SaveImage",
            "inputs": {"images": [f"sample_{number}", 0], "filename_prefix": f"atelier/{stem}"},
        }
        saved = {"filename": f"{stem}_00001_.png", "subfolder": "atelier", "type": "output"}
        outputs[f"save_{number}"] = {"images": [saved]}
    status: dict[str, Any] = {"status_str": "success", "completed": True, "messages": []}
    entry: dict[str, Any] = {"prompt": [1, prompt_id, graph, {}, list(outputs)], "outputs": outputs, "status": status}
    return {prompt_id: entry}
