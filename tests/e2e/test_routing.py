"""The right service without guessing: what a request names or needs decides who does it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.emulator.accounts import (
    DEMO_ACCESS_KEY,
    DEMO_API_KEY,
    DEMO_EMAIL,
    DEMO_PASSWORD,
    DEMO_SECRET_KEY,
)
from tests.support.emulator_harness import encode_plain_image
from tests.support.tool_results import get_refusal, get_structured, get_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    import mcp_types as types

    from tests.support.emulator_harness import EmulatorHarness, FakeEngine

    Call = Callable[..., Awaitable[types.CallToolResult]]


@pytest.fixture
def environ(site: EmulatorHarness, tmp_path: Path) -> dict[str, str]:
    """All services at once, MHAPI preferred."""
    base = site.emulator.base_url
    return {
        "ATELIER_HOME": str(tmp_path / "home"),
        "ATELIER_TOOLSETS": "all",
        "ATELIER_INPUT_ROOTS": str(tmp_path),
        "MHAPI_ACCESS_KEY": DEMO_ACCESS_KEY,
        "MHAPI_SECRET_KEY": DEMO_SECRET_KEY,
        "MHAPI_BASE_URL": f"{base}/mhapi",
        "MIAOHUA_EMAIL": DEMO_EMAIL,
        "MIAOHUA_PASSWORD": DEMO_PASSWORD,
        "MIAOHUA_BASE_URL": f"{base}/miaohua/api/v1b",
        "SENSENOVA_API_KEY": DEMO_API_KEY,
        "SENSENOVA_FUSION_URL": f"{base}/sensenova",
        "SENSENOVA_CHAT_URL": f"{base}/sensenova",
        "SD_AWS_URL": f"{base}/sd_aws/prod",
        "SD_AWS_API_KEY": DEMO_API_KEY,
    }


def save_images(tmp_path: Path, count: int) -> list[str]:
    """The paths of different pictures."""
    paths = [tmp_path / f"{number}.png" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(encode_plain_image(256 + number, 256, colour="teal"))
    return [str(path) for path in paths]


def get_provider(result: types.CallToolResult) -> str:
    """Who did a job."""
    return str(get_structured(result)["account"]).partition(":")[0]


async def test_a_few_pictures_are_trained_on_where_that_is_possible(call: Call, tmp_path: Path) -> None:
    """MHAPI wants ten. The answer says so, and what came of it is used without naming a service."""
    trained = await call("train_lora", images=save_images(tmp_path, 5), name="Mine", trigger="mine")
    assert get_provider(trained) == "miaohua"
    assert "mhapi cannot: images: at least 10 different pictures are needed, not 5" in get_text(trained)
    lora_id = get_structured(trained)["data"]["model"]
    drawn = await call("generate_image", prompt="a village, mine", loras=[{"model": lora_id}])
    assert get_provider(drawn) == "miaohua"


async def test_enough_pictures_stay_with_the_preferred_service(call: Call, tmp_path: Path) -> None:
    """Without a base one is chosen that takes LoRAs."""
    trained = await call("train_lora", images=save_images(tmp_path, 10), name="Mine")
    assert get_provider(trained) == "mhapi"
    lora_id = get_structured(trained)["data"]["model"]
    assert get_provider(await call("generate_image", prompt="a village", loras=[{"model": lora_id}])) == "mhapi"


async def test_where_no_service_can_each_one_says_why(call: Call, tmp_path: Path) -> None:
    refusal = get_refusal(await call("train_lora", images=save_images(tmp_path, 3), base="no_such_base"))
    assert "mhapi: images: at least 10" in refusal
    assert "miaohua: base: Miaohua cannot train on 'no_such_base'" in refusal
    assert "Nothing was spent." in refusal


@pytest.mark.parametrize(
    ("arguments", "provider"),
    [
        ({"loras": [{"model": "lora_ink_v0.4.0"}]}, "mhapi"),
        ({"loras": [{"model": "lora_ink"}]}, "miaohua"),
        ({"model": "open_painter_v1"}, "miaohua"),
        ({"model": "artist_v0.5.0"}, "mhapi"),
        ({}, "mhapi"),
    ],
)
async def test_an_id_leads_to_the_service_that_has_it(call: Call, arguments: dict[str, Any], provider: str) -> None:
    assert get_provider(await call("generate_image", prompt="a boat", **arguments)) == provider


async def test_an_id_that_nobody_has_is_refused_by_all(call: Call, engine: FakeEngine) -> None:
    refusal = get_refusal(await call("generate_image", prompt="a boat", loras=[{"model": "lora_nobody"}]))
    assert "MHAPI lists no 'lora_nobody'" in refusal
    assert "Miaohua lists no 'lora_nobody'" in refusal
    assert "the deployment has no lora 'lora_nobody'" in refusal
    assert "aws_deploy_endpoint" not in refusal
    assert engine.calls == []


async def test_a_service_that_is_named_is_not_passed_over(call: Call) -> None:
    refusal = get_refusal(
        await call("generate_image", prompt="a boat", loras=[{"model": "lora_ink"}], provider="mhapi")
    )
    assert "MHAPI lists no 'lora_ink'" in refusal
    assert "Miaohua" not in refusal


@pytest.mark.parametrize("provider", ["mhapi", "miaohua", "sd_aws"])
async def test_the_recipe_in_the_list_of_jobs_repeats_the_picture(call: Call, provider: str) -> None:
    """Also where the service was left to choose the seed."""
    if provider == "sd_aws":
        await call("aws_deploy_endpoint")
    first = get_structured(await call("generate_image", prompt="a kite", steps=20, provider=provider))
    job = get_structured(await call("list_jobs"))["jobs"][0]
    assert job["request"]["provider"] == provider
    assert job["request"]["seed"] == first["images"][0]["seed"]
    again = await call(job["tool"], **job["request"])
    assert get_structured(again)["images"][0]["seed"] == first["images"][0]["seed"]
    assert f"seed {first['images'][0]['seed']}, 20 steps" in get_text(again)


async def test_the_recipe_of_one_picture_of_several_names_its_own_seed(call: Call) -> None:
    drawn = get_structured(await call("generate_image", prompt="a kite", samples=2, seed=40, width=640, height=640))
    text = get_text(await call("view_image", image=drawn["images"][-1]["handle"]))
    assert re.search(r'generate_image\(.*"?seed=\d+.*provider="mhapi"\)', text), text
    assert "samples" not in text


async def test_advanced_settings_are_in_the_recipe(call: Call) -> None:
    await call("aws_deploy_endpoint")
    await call("generate_image", prompt="a kite", advanced={"sampler_name": "DDIM"})
    job = get_structured(await call("list_jobs"))["jobs"][0]
    assert job["request"]["advanced"]["sampler_name"] == "DDIM"
    assert ", DDIM, " in get_text(await call(job["tool"], **job["request"]))


async def test_a_visible_mark_is_said_once(call: Call) -> None:
    first = await call("generate_image", prompt="a kite")
    second = await call("generate_image", prompt="a boat")
    assert 'mhapi puts a visible mark on its pictures. It cannot be left off; watermark="logo"' in get_text(first)
    assert "puts a visible mark" not in get_text(second)
    seen = await call("view_image", image=get_structured(second)["images"][0]["handle"])
    assert "puts a visible mark" in get_text(seen), "the story of a picture is whole, however often it is told"
    other_mark = await call("generate_image", prompt="a tree", watermark="logo")
    assert not other_mark.is_error


async def test_a_conversation_goes_on_from_its_job(call: Call, engine: FakeEngine) -> None:
    first = get_structured(await call("chat_with_image", messages=[{"role": "user", "content": "Draw a sunflower"}]))
    second = await call(
        "chat_with_image",
        continue_from=first["job_id"],
        messages=[{"role": "user", "content": "make it blue"}],
    )
    seed = first["images"][0]["seed"]
    assert get_structured(second)["images"][0]["seed"] == seed, "the same scene"
    prompt = engine.get_last_arguments("generate")["prompt"]
    assert "sunflower" in prompt
    assert "blue" in prompt
    anew = await call("chat_with_image", continue_from=get_structured(second)["job_id"], messages="another one, please")
    assert get_structured(anew)["images"][0]["seed"] != seed
    third = await call(
        "chat_with_image",
        continue_from=get_structured(second)["job_id"],
        messages=[{"role": "user", "content": "How many messages were there?"}],
    )
    (job, *_) = get_structured(await call("list_jobs"))["jobs"]
    assert job["job_id"] == get_structured(third)["job_id"]
    assert [message["role"] for message in job["request"]["messages"]] == ["user", "assistant"] * 2 + ["user"]


async def test_what_is_no_conversation_cannot_be_continued(call: Call) -> None:
    drawn = get_structured(await call("generate_image", prompt="a kite"))
    messages = [{"role": "user", "content": "make it blue"}]
    refusal = get_refusal(await call("chat_with_image", continue_from=drawn["job_id"], messages=messages))
    assert "continue_from" in refusal
    assert "generate_image" in refusal
    assert "job_nobody" in get_refusal(await call("chat_with_image", continue_from="job_nobody", messages=messages))


async def test_several_kinds_are_listed_of_all_services(call: Call) -> None:
    """Numbered, each id once in its row, with whose it is and what it can do."""
    listed = await call("list_models", kind=["checkpoint", "lora"], limit=100)
    rows = get_structured(listed)["models"]
    assert {(row["kind"], row["provider"]) for row in rows} >= {
        ("checkpoint", "mhapi"),
        ("checkpoint", "miaohua"),
        ("lora", "mhapi"),
        ("lora", "miaohua"),
    }
    (line,) = [line for line in get_text(listed).splitlines() if " artist_v0.4.0 " in line]
    assert re.match(r"\d+\. artist_v0\.4\.0 \(checkpoint at mhapi\): ", line)
    assert "artist" not in line[len("1. artist_v0.4.0") + 1 :].lower()
    for word in ("picture to picture", "controls", "LoRAs", "training", "640-6000"):
        assert word in line
    assert "it leads to its service" in get_text(listed)


async def test_the_pages_of_several_lists_do_not_overlap(call: Call) -> None:
    whole = get_structured(await call("list_models", kind="checkpoint,lora", limit=100))["models"]
    first = await call("list_models", kind="checkpoint,lora", limit=7)
    second = await call("list_models", kind="checkpoint,lora", limit=7, offset=7)
    rows = [row for page in (first, second) for row in get_structured(page)["models"]]
    assert rows == whole[:14]
    assert "raise offset" in get_text(first)
    assert get_text(second).startswith("8. ")


async def test_one_service_that_lists_nothing_hides_no_other(call: Call) -> None:
    """MHAPI lists controlnets of a named checkpoint only."""
    listed = await call("list_models", kind="controlnet")
    assert {row["provider"] for row in get_structured(listed)["models"]} >= {"miaohua"}
    assert "Of mhapi nothing is listed: base" in get_text(listed)
