"""Waiting for jobs, listing them and giving them up, as an agent meets it."""

from __future__ import annotations

import asyncio
import io
import re
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from tests.support.tool_results import decode_previews, get_refusal, get_structured, get_text, list_submits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    import mcp_types as types
    from mcp import Client

    from tests.support.emulator_harness import EmulatorHarness, FakeEngine

    Call = Callable[..., Awaitable[types.CallToolResult]]
    NewClient = Callable[..., AbstractAsyncContextManager[Client]]


async def start(call: Call, *prompts: str) -> list[str]:
    """Jobs that are not waited for."""
    started = [get_structured(await call("generate_image", prompt=prompt, wait_s=0)) for prompt in prompts]
    return [job["job_id"] for job in started]


async def test_waiting_without_ids_waits_for_everything_that_was_begun(call: Call) -> None:
    """Also for what ended between the two calls."""
    ids = await start(call, "a red kite", "a blue kite")
    jobs = get_structured(await call("wait_for_jobs"))["jobs"]
    assert {(job["job_id"], job["state"]) for job in jobs} == {(job_id, "succeeded") for job_id in ids}
    assert get_structured(await call("wait_for_jobs"))["jobs"] == []


async def test_of_several_jobs_each_is_shown_before_any_is_shown_twice(call: Call) -> None:
    await call("generate_image", prompt="four kites", samples=4, wait_s=0)
    await start(call, "a boat", "a barn")
    answer = await call("wait_for_jobs")
    handles = {job["prompt"]: job["images"] for job in list_images(answer)}
    assert len(decode_previews(answer)) == 4
    shown = re.search(r"Shown here, in this order: (.*)\. view_image shows the others\.", get_text(answer))
    assert shown
    assert {handles["a boat"][0], handles["a barn"][0], *handles["four kites"][:2]} == set(shown[1].split(", "))


def list_images(answer: types.CallToolResult) -> list[dict[str, Any]]:
    """For each job its prompt and its pictures' handles."""
    return [
        {"prompt": job["request"]["prompt"], "images": [image["handle"] for image in job["images"]]}
        for job in get_structured(answer)["jobs"]
    ]


async def test_an_unknown_id_withholds_no_other_job(call: Call) -> None:
    (job_id,) = await start(call, "a red kite")
    result = await call("wait_for_jobs", job_ids=["job_nothere", job_id])
    assert [job["state"] for job in get_structured(result)["jobs"]] == ["succeeded"]
    assert "No job has the id job_nothere" in get_text(result)
    assert "job_nothere" in get_refusal(await call("wait_for_jobs", job_ids=["job_nothere"]))


async def test_an_unfinished_job_says_how_long_it_has_taken_and_what_is_usual(
    call: Call, engine: FakeEngine, site: EmulatorHarness
) -> None:
    await call("generate_image", prompt="the first shows what is usual")
    await site.call_control("PATCH", "/settings", {"task_seconds": 3600})
    engine.answer_gate.clear()
    text = get_text(await call("generate_image", prompt="a red kite", wait_s=1))
    assert re.search(r"Asked \d+ s ago; such jobs take about \d+ s\.", text)
    engine.answer_gate.set()


async def test_a_queued_job_says_what_is_before_it(call: Call, site: EmulatorHarness) -> None:
    await site.call_control("PATCH", "/settings", {"task_seconds": 3600})
    ids = await start(call, "a red kite", "a blue kite", "a green kite")
    jobs = get_structured(await call("wait_for_jobs", job_ids=ids, wait_s=1))["jobs"]
    before = [note for job in jobs for note in job["notes"] if "before it in the queue" in note]
    queued = [job for job in jobs if job["state"] == "queued"]
    assert len(before) == max(0, len(queued) - 1)


async def test_jobs_are_given_up_together_and_each_says_what_it_costs(call: Call, site: EmulatorHarness) -> None:
    await site.call_control("PATCH", "/settings", {"task_seconds": 3600})
    ids = await start(call, "a red kite", "two kites")
    result = await call("cancel_jobs", job_ids=[*ids, "job_nothere"])
    assert {job["state"] for job in get_structured(result)["jobs"]} == {"cancelled"}
    assert get_text(result).count("may go on and charge for it (1 picture)") == 2
    assert "No job has the id job_nothere" in get_text(result)
    again = get_text(await call("cancel_jobs", job_ids=ids))
    assert again.count("may go on and charge") == 2


async def test_all_gives_up_whatever_is_unfinished(call: Call, site: EmulatorHarness) -> None:
    await call("generate_image", prompt="done before")
    await site.call_control("PATCH", "/settings", {"task_seconds": 3600})
    ids = await start(call, "a red kite", "a blue kite", "a green kite")
    given_up = get_structured(await call("cancel_jobs", job_ids=["all"]))["jobs"]
    assert {job["job_id"] for job in given_up} == set(ids)
    assert get_structured(await call("list_jobs", states=["active"]))["jobs"] == []
    assert get_text(await call("cancel_jobs", job_ids=["all"])) == "No job is unfinished."


async def test_a_job_that_has_ended_is_left_as_it_is(call: Call) -> None:
    (job_id,) = await start(call, "a red kite")
    await call("wait_for_jobs", job_ids=[job_id])
    assert "already succeeded; nothing was changed." in get_text(await call("cancel_jobs", job_ids=[job_id]))


async def test_the_list_begins_with_the_time_and_tells_seconds(call: Call) -> None:
    await call("generate_image", prompt="a red kite")
    first_line, *_ = (text := get_text(await call("list_jobs"))).splitlines()
    assert re.fullmatch(r"It is \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\.", first_line)
    assert re.search(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC  generate_image\(", text, re.MULTILINE)


async def test_the_list_ends_with_what_was_made_without_a_job(call: Call, tmp_path: Path) -> None:
    """Whoever has lost its handle finds it where everything else is found."""
    assert "without a job" not in get_text(await call("list_jobs"))
    Image.new("RGB", (300, 300), "teal").save(source := tmp_path / "a.png")
    turned = await call("transform_image", image=str(source), flip="horizontal")
    handle = get_structured(turned)["image"]["handle"]
    last_line = get_text(await call("list_jobs")).splitlines()[-1]
    assert last_line.startswith(f"{handle}  ")
    assert handle in get_text(await call("list_jobs", since="1h"))
    assert handle not in get_text(await call("list_jobs", until="1h"))
    assert "without a job" not in get_text(await call("list_jobs", states=["failed"]))


async def test_masks_that_were_drawn_are_in_the_list_and_said_to_be_masks(call: Call, tmp_path: Path) -> None:
    Image.new("RGB", (300, 300), "teal").save(source := tmp_path / "a.png")
    box = {"type": "box", "points": [0, 0, 90, 90]}
    handle = get_structured(await call("make_mask", image=str(source), shapes=[box]))["image"]["handle"]
    await call("erase_object", image=str(source), shapes=[{**box, "points": [9, 9, 90, 90]}])
    text = get_text(await call("list_jobs"))
    title, line = text.splitlines()[-2:]
    assert title == "Masks drawn, newest first:", "and not that of the job, which names it"
    assert line.startswith(f"{handle}  Mask of a.png  ")
    assert handle in get_text(await call("list_jobs", since="1h"))
    assert handle not in get_text(await call("list_jobs", until="1h"))


async def test_the_list_says_what_today_counts_as(call: Call) -> None:
    assert "Counted today (UTC), in pictures: 0." in get_text(await call("list_jobs"))
    await call("generate_image", prompt="a red kite", samples=2)
    assert "Counted today (UTC), in pictures: 2; jobs without a known price: 1." in get_text(await call("list_jobs"))


@pytest.mark.parametrize(
    ("bounds", "count"),
    [
        ({"since": "1h"}, 1),
        ({"since": "2020-01-01", "until": "2999-01-01T00:00"}, 1),
        ({"until": "2h ago"}, 0),
        ({"since": "2999-01-01 10:00 UTC"}, 0),
        ({"since": ""}, 1),
        ({"offset": 2**62}, 0),
    ],
)
async def test_the_list_is_bounded_by_times(call: Call, bounds: dict[str, Any], count: int) -> None:
    await call("generate_image", prompt="a red kite")
    assert len(get_structured(await call("list_jobs", **bounds))["jobs"]) == count


async def test_a_time_that_is_none_is_refused_with_the_forms_there_are(call: Call) -> None:
    assert "2h or 3d, a day such as 2026-11-27" in get_refusal(await call("list_jobs", since="yesterday"))


async def test_the_list_shows_its_pictures_on_one_sheet(call: Call) -> None:
    await call("generate_image", prompt="kites", samples=7, width=640, height=960)
    (sheet,) = decode_previews(await call("list_jobs", pictures=True))
    with Image.open(io.BytesIO(sheet)) as image:
        assert image.size == (5 * 166 + 6, 2 * 182 + 6)
    assert decode_previews(await call("list_jobs")) == []


async def test_a_sheet_shows_cut_outs_and_local_results_and_no_masks(call: Call, tmp_path: Path) -> None:
    Image.effect_noise((300, 300), 80).convert("RGB").save(source := tmp_path / "a.png")
    await call("cut_out_subject", image=str(source))
    await call("make_mask", image=str(source), shapes=[{"type": "box", "points": [0, 0, 90, 90]}])
    await call("transform_image", image=str(source), rotate=90)
    (sheet,) = decode_previews(await call("list_jobs", pictures=True))
    with Image.open(io.BytesIO(sheet)) as image:
        assert image.size == (2 * 166 + 6, 182 + 6), "the cut-out and what was turned"


async def test_a_sheet_says_how_many_pictures_it_leaves_off(call: Call) -> None:
    for prompt in ("kites", "boats", "trees"):
        result = await call("generate_image", prompt=prompt, samples=7)
    assert not result.is_error
    assert "The sheet shows 20 of 21 pictures" in get_text(await call("list_jobs", pictures=True))


async def test_the_same_picture_made_twice_is_said_to_be_the_same(call: Call) -> None:
    first = get_structured(await call("generate_image", prompt="a windmill", seed=7))
    second = await call("generate_image", prompt="a windmill", seed=7)
    handle = first["images"][0]["handle"]
    assert f"{handle} is byte for byte the picture of job {first['job_id']}." in get_text(second)


async def test_calls_that_arrive_together_run_together(call: Call, engine: FakeEngine, tmp_path: Path) -> None:
    """None waits for another: all three are sent before any has its picture."""
    engine.answer_gate.clear()
    calls = [asyncio.ensure_future(call("generate_image", prompt=f"{n} kites")) for n in (2, 3, 4)]
    async with asyncio.timeout(20):
        while len(list_submits(tmp_path / "access.jsonl")) < len(calls):
            await asyncio.sleep(0.02)
    engine.answer_gate.set()
    assert {get_structured(result)["state"] for result in await asyncio.gather(*calls)} == {"succeeded"}


async def test_a_spent_limit_says_whose_it_is_and_when_it_starts_afresh(new_client: NewClient) -> None:
    async with new_client(ATELIER_BUDGET_PER_DAY="1") as client:
        await client.call_tool("generate_image", {"prompt": "a red kite"})
        refusal = get_refusal(await client.call_tool("generate_image", {"prompt": "a blue kite"}))
    assert "This server's own limit, ATELIER_BUDGET_PER_DAY, is 1 picture a day: none left" in refusal
    assert "Wait: it starts afresh at" in refusal
    assert "at most 0" not in refusal
