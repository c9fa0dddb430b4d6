"""Pictures from prompts, as an agent meets them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.emulator_harness import encode_plain_image, read_image_size
from tests.support.tool_results import decode_previews, get_refusal, get_structured, get_text, list_submits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    import mcp_types as types
    from mcp import Client

    from tests.support.emulator_harness import EmulatorHarness, FakeEngine

    Call = Callable[..., Awaitable[types.CallToolResult]]
    NewClient = Callable[..., AbstractAsyncContextManager[Client]]


BOUND_S = 5.0


async def test_a_prompt_becomes_pictures_that_can_be_seen_named_and_found(call: Call) -> None:
    """Short text, preview, file, and the same facts for programs."""
    result = await call("generate_image", prompt="a red kite", samples=2, seed=11)
    content = get_structured(result)
    assert content["state"] == "succeeded"
    assert [image["seed"] for image in content["images"]] == [11, 12]
    for image in content["images"]:
        assert read_image_size(Path(image["path"]).read_bytes()) == (image["width"], image["height"])
        assert image["handle"] in get_text(result)
    assert all(max(read_image_size(preview)) <= 512 for preview in decode_previews(result))
    assert (
        len(decode_previews(result)) == len({image["handle"] for image in content["images"]})
        or len(decode_previews(result)) == 2
    )


async def test_what_the_provider_chose_is_said(call: Call) -> None:
    """Without a model, a sensible one with its family's steps and guidance."""
    result = await call("generate_image", prompt="a red kite")
    assert "model artist_v" in get_text(result)
    assert "steps" in get_text(result)


async def test_every_input_of_the_service_reaches_the_wire(call: Call, tmp_path: Path) -> None:
    """Each neutral argument under the name that MHAPI gives it."""
    guide = tmp_path / "guide.png"
    guide.write_bytes(encode_plain_image(700, 700))
    control = {"image": str(guide), "weight": 0.5, "start": 0.1, "end": 0.9}
    result = await call(
        "generate_image",
        prompt="a red kite",
        negative_prompt="rain",
        width=960,
        height=640,
        samples=2,
        seed=5,
        steps=20,
        guidance=5,
        format="png",
        image=str(guide),
        strength=0.4,
        model="artist_v0.4.0",
        controls=[
            {**control, "type": "canny", "canny_low": 50, "canny_high": 150},
            {**control, "type": "tile", "tile_rate": 2},
        ],
        enhance_prompt=True,
        translate_prompt=True,
        watermark="logo",
    )
    get_structured(result)
    (sent,) = list_submits(tmp_path / "access.jsonl")
    body = sent["body"]
    assert body["neg_prompt"] == "rain"
    assert (body["width"], body["height"], body["samples"], body["seed"]) == (960, 640, 2, 5)
    assert (body["steps"], body["cfg_scale"], body["image_strength"]) == (20, 5, 0.4)
    assert (body["format"], body["watermark_config"], body["add_prompt"]) == ("PNG", {"type": "MakaLogo"}, True)
    canny, tile = body["controlnet_configs"]
    assert (canny["type"], canny["canny_low_threshold"], canny["canny_high_threshold"]) == ("canny", 50, 150)
    assert (tile["type"], tile["tile_down_sample_rate"], tile["guidance_end"]) == ("tile", 2, 0.9)


async def test_a_call_that_does_not_wait_gives_the_handle_and_another_the_picture(call: Call) -> None:
    """The job outlives the call."""
    started = get_structured(await call("generate_image", prompt="a red kite", wait_s=0))
    assert started["state"] in {"submitting", "queued", "running", "saving", "succeeded"}
    (job,) = get_structured(await call("wait_for_jobs", job_ids=[started["job_id"]]))["jobs"]
    assert job["state"] == "succeeded"
    assert job["images"]


async def test_an_identical_request_under_way_is_joined_not_paid_twice(
    call: Call, engine: FakeEngine, tmp_path: Path
) -> None:
    """An agent that retries after a timeout gets its first job."""
    engine.answer_gate.clear()
    first = get_structured(await call("generate_image", prompt="a red kite", wait_s=0))
    second = get_structured(await call("generate_image", prompt="a red kite", wait_s=0))
    engine.answer_gate.set()
    assert second["job_id"] == first["job_id"]
    assert "nothing was paid twice" in " ".join(second["notes"])
    get_structured(await call("wait_for_jobs", job_ids=[first["job_id"]]))
    assert len(list_submits(tmp_path / "access.jsonl")) == 1


async def test_progress_only_ever_moves_forward(client: Client, engine: FakeEngine) -> None:
    """Sent while the call waits, because the client gave a token."""
    values: list[float] = []

    async def record_progress(progress: float, total: float | None, message: str | None) -> None:
        assert total == 1.0
        assert message
        values.append(progress)
        if len(values) == 2:
            engine.answer_gate.set()

    engine.answer_gate.clear()
    get_structured(
        await client.call_tool("generate_image", {"prompt": "a red kite"}, progress_callback=record_progress)
    )
    assert values == sorted(set(values))


async def test_a_cancelled_call_leaves_its_job_alone(client: Client, engine: FakeEngine) -> None:
    """The client went away; the job goes on and is found again."""
    import anyio

    engine.answer_gate.clear()
    async with anyio.create_task_group() as calls:
        calls.start_soon(client.call_tool, "generate_image", {"prompt": "a red kite"})
        with anyio.fail_after(BOUND_S):
            while not get_structured(await client.call_tool("list_jobs", {"states": ["queued", "running"]}))["jobs"]:
                await anyio.sleep(0.02)
        calls.cancel_scope.cancel()
    engine.answer_gate.set()
    (job,) = get_structured(await client.call_tool("list_jobs", {}))["jobs"]
    (done,) = get_structured(await client.call_tool("wait_for_jobs", {"job_ids": [job["job_id"]]}))["jobs"]
    assert done["state"] == "succeeded"


async def test_a_picture_is_a_resource_with_its_own_media_type(client: Client, call: Call) -> None:
    """At full size, by its handle."""
    (image,) = get_structured(await call("generate_image", prompt="a red kite", format="png"))["images"]
    link = f"atelier://images/{image['handle']}"
    (content,) = (await client.read_resource(link)).contents
    assert content.mime_type == "image/png"
    listed = (await client.list_resources()).resources
    assert {str(resource.uri): resource.title for resource in listed}[link] == "a red kite"


async def test_a_file_says_how_it_was_made(call: Call) -> None:
    """In clear, beside the picture."""
    (image,) = get_structured(await call("generate_image", prompt="a red kite", seed=3))["images"]
    note = json.loads(Path(image["path"]).with_suffix(".json").read_text("utf-8"))
    assert (note["made"]["kind"], note["made"]["request"]["prompt"]) == ("generated", "a red kite")
    viewed = await call("view_image", image=image["handle"])
    assert 'Made by generate_image(prompt="a red kite"' in get_text(viewed)
    assert get_structured(viewed)["made"]["request"] == note["made"]["request"]


async def test_a_mask_says_how_it_can_be_drawn_again(client: Client, call: Call, tmp_path: Path) -> None:
    """Over which picture, from which shapes."""
    path = tmp_path / "photo.png"
    path.write_bytes(encode_plain_image(700, 650))
    photo = get_structured(await call("import_image", image=str(path)))["image"]["handle"]
    shapes = [{"type": "box", "points": [10, 20, 300, 400]}]
    mask = get_structured(await call("make_mask", image=photo, shapes=shapes))["image"]["handle"]
    viewed = await call("view_image", image=mask)
    made = get_structured(viewed)["made"]
    assert {name: made[name] for name in ("tool", "image", "shapes")} == {
        "tool": "make_mask",
        "image": photo,
        "shapes": shapes,
    }
    assert f'Made by make_mask(image="{photo}", shapes=' in get_text(viewed)
    resources = (await client.list_resources()).resources
    titles = {resource.title for resource in resources if str(resource.uri).startswith("atelier://images/")}
    assert titles == {"Imported photo.png", f"Mask of {photo}"}


async def test_an_imported_picture_is_taken_by_handle(call: Call, tmp_path: Path) -> None:
    """One name for a picture, in every tool."""
    path = tmp_path / "photo.png"
    path.write_bytes(encode_plain_image(700, 650))
    imported = get_structured(await call("import_image", image=str(path)))["image"]
    assert (imported["width"], imported["height"]) == (700, 650)
    made = get_structured(await call("generate_image", prompt="at night", image=imported["handle"]))
    assert made["state"] == "succeeded"
    viewed = await call("view_image", image=imported["handle"], longest_px=64, region=[0, 0, 100, 50])
    assert read_image_size(decode_previews(viewed)[0]) == (64, 32)


async def test_models_can_be_listed_and_named(call: Call) -> None:
    """Checkpoints, LoRAs, and the controlnets of a checkpoint."""
    checkpoints = get_structured(await call("list_models", kind="checkpoint"))["models"]
    assert "artist_v0.4.0" in {model["id"] for model in checkpoints}
    loras = get_structured(await call("list_models", kind="lora"))["models"]
    assert loras
    controls = get_structured(await call("list_models", kind="controlnet", base="artist_v0.4.0"))["models"]
    assert "canny" in {model["id"] for model in controls}
    made = get_structured(
        await call("generate_image", prompt="a red kite", model="artist_v0.4.0", loras=[{"model": loras[0]["id"]}])
    )
    assert made["state"] == "succeeded"


async def test_a_sensitive_picture_says_so_and_is_no_success(call: Call, site: EmulatorHarness) -> None:
    """The service judged it; nothing of it is repeated by us."""
    await site.call_control("POST", "/faults", {"kind": "sensitive", "path": "/v1/imgenstd/imgen"})
    words = get_refusal(await call("generate_image", prompt="a red kite"))
    assert words.startswith("Job job_")
    assert "ensitive" in words


async def test_a_lost_answer_is_never_sent_again(call: Call, site: EmulatorHarness, tmp_path: Path) -> None:
    """It may have been paid for: the caller decides."""
    await site.call_control("POST", "/faults", {"kind": "lost", "path": "/v1/imgenstd/imgen"})
    words = get_refusal(await call("generate_image", prompt="a red kite"))
    assert "may have been charged" in words
    (job,) = get_structured(await call("list_jobs", states=["unconfirmed"]))["jobs"]
    assert job["job_id"] in words
    assert len(list_submits(tmp_path / "access.jsonl")) == 1


async def test_wrong_keys_name_the_settings(new_client: NewClient, tmp_path: Path) -> None:
    """One sentence for the operator; no key in it."""
    async with new_client(MHAPI_SECRET_KEY="not-the-secret-at-all-0123456789abcdef") as client:
        words = get_refusal(await client.call_tool("generate_image", {"prompt": "a red kite"}))
    assert "MHAPI_ACCESS_KEY" in words
    assert "MHAPI_SECRET_KEY" in words
    assert "not-the-secret" not in words
    assert not list((tmp_path / "home").rglob("*.jpg"))


async def test_a_budget_refuses_before_anything_is_sent(new_client: NewClient, tmp_path: Path) -> None:
    """The limit, what is left, when it resets."""
    async with new_client(ATELIER_BUDGET_PER_DAY="3") as client:
        get_structured(await client.call_tool("generate_image", {"prompt": "a", "samples": 2}))
        words = get_refusal(await client.call_tool("generate_image", {"prompt": "b", "samples": 2}))
    assert "3 pictures a day" in words
    assert "1 left" in words
    assert "UTC" in words
    assert len(list_submits(tmp_path / "access.jsonl")) == 1


async def test_eight_large_pictures_make_a_small_answer(call: Call, engine: FakeEngine) -> None:
    """Four previews, together under half a megabyte, links for the rest."""
    import numpy as np
    from PIL import Image

    from atelier_mcp.server.engine.tasks import EngineResult

    def draw_noise(*, seed: int = 7, samples: int = 1, **_: Any) -> EngineResult:
        import io

        images: list[tuple[bytes, int]] = []
        for index in range(samples):
            out = io.BytesIO()
            noise = np.random.default_rng(seed + index).integers(0, 255, (1300, 1300, 3), dtype=np.uint8)
            Image.fromarray(noise).save(out, "PNG", compress_level=0)
            images.append((out.getvalue(), seed + index))
        return EngineResult(tuple(images), (encode_plain_image(16, 12),) * samples, ())

    engine._render = draw_noise  # pyright: ignore[reportPrivateUsage]  # the double is told what to draw
    result = await call("generate_image", prompt="noise", samples=8, format="png")
    images = get_structured(result)["images"]
    assert sum(Path(image["path"]).stat().st_size for image in images) > 8 * 5_000_000
    assert len(decode_previews(result)) == 4
    assert len(result.model_dump_json()) < 500_000
    assert sum(map(len, decode_previews(result))) <= 350_000
