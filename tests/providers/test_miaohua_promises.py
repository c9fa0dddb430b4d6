"""What the Miaohua provider promises beyond what every provider does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from scripted import Script, Sent, answer
from scripted_miaohua import BASE, JPEG, encoded, models, ok, prepare, refusal

from atelier_mcp.server.errors import (
    AccountRefused,
    AuthenticationFailed,
    ContentRefused,
    ImageRefused,
    InvalidRequest,
    ProviderUnavailable,
    RateLimited,
    UpstreamFailed,
)
from atelier_mcp.server.providers.base import Answering, Done, Pending, Refused, Uploading, UpstreamTask, Working
from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.requests.train import TrainLora

if TYPE_CHECKING:
    from scripted import HandClock

    from atelier_mcp.server.providers.miaohua.provider import MiaohuaProvider

SUBMIT = "/task_submit"
ACCEPTED = ok({"task_id": "t1"})
ONE, TWO = UpstreamTask("t1", "pictures"), UpstreamTask("t2", "pictures")
TRAINING = UpstreamTask("t1", "training")


@pytest.fixture(autouse=True)
def _prepared(script: Script) -> None:  # pyright: ignore[reportUnusedFunction]  # an autouse fixture
    prepare(script)


def entry(task_id: str = "", *, state: str = "pending", pictures: int = 0, error_msg: str = "") -> Any:
    images = [
        {"task_id": task_id, "large": f"https://oss.example.com/{task_id}_{index}.jpg", "save_index": index}
        for index in range(pictures)
    ]
    return {"state": state, "images": images, "select_seed": 7, "error_msg": error_msg}


def done(task_id: str) -> Any:
    return entry(task_id, state="done", pictures=1)


async def submit(miaohua: MiaohuaProvider, said: list[str] | None = None, **pictures: str) -> UpstreamTask | Done:
    fields = {"prompt": "x", "model": "v", "width": 960, "height": 960, "steps": 5, "guidance": 5, **pictures}
    heard = [] if said is None else said
    return await miaohua.submit(GenerateImage.model_validate(fields), pictures, lambda share, word: heard.append(word))


def training(**fields: Any) -> TrainLora:
    return TrainLora.model_validate({"base": "auto", "name": "cats", **fields})


async def test_it_answers_and_uploads_too(miaohua: MiaohuaProvider) -> None:
    assert isinstance(miaohua, Answering)
    assert isinstance(miaohua, Uploading)
    assert await miaohua.cancel(ONE) is False


async def test_calls_at_the_same_time_log_in_once(miaohua: MiaohuaProvider, script: Script) -> None:
    script.on(SUBMIT, ACCEPTED)
    await asyncio.gather(*(submit(miaohua) for _ in range(5)))
    assert script.paths().count("/get_token") == 1


@pytest.mark.parametrize("code", [401, 411, 412, 413, 600])
async def test_calls_refused_at_the_same_time_share_one_new_login(
    miaohua: MiaohuaProvider, script: Script, code: int
) -> None:
    def taken(sent: Sent) -> httpx2.Response:
        return ACCEPTED if sent.body["token"] == "new" else refusal(code)

    script.on("/get_token", [ok({"token": "old"}), ok({"token": "new"})])
    script.on(SUBMIT, taken)
    tasks = await asyncio.gather(*(submit(miaohua) for _ in range(5)))
    assert tasks == [ONE] * 5
    assert script.paths().count("/get_token") == 2


async def test_a_token_that_expires_during_a_poll_is_renewed_there(miaohua: MiaohuaProvider, script: Script) -> None:
    script.on("/task_results", [refusal(411), ok([done("t1"), entry("t2")])])
    news = await miaohua.look([ONE, TWO])
    assert isinstance(news["t1"], Done)
    assert news["t2"] == Pending()
    assert script.paths() == ["/get_token", "/task_results", "/get_token", "/task_results"]


async def test_a_login_that_is_refused_is_not_tried_again(miaohua: MiaohuaProvider, script: Script) -> None:
    script.on("/get_token", refusal(102, "wrong password"))
    with pytest.raises(AuthenticationFailed, match="MIAOHUA_PASSWORD"):
        await submit(miaohua)
    assert script.paths() == ["/get_token"]


async def test_a_picture_in_check_is_asked_about_every_two_seconds(
    miaohua: MiaohuaProvider, script: Script, clock: HandClock
) -> None:
    script.on("/upload_imgs", [refusal(703), ok(["https://oss.example.com/a"])])
    script.on(SUBMIT, [refusal(703), refusal(703), ACCEPTED])
    assert await submit(miaohua, image=encoded("x")) == ONE
    assert clock.slept == [2.0, 2.0, 2.0]
    script.on(SUBMIT, refusal(703))
    with pytest.raises(ProviderUnavailable, match="still checking"):
        await submit(miaohua)


async def test_a_submit_without_a_free_slot_waits_for_one(
    miaohua: MiaohuaProvider, script: Script, clock: HandClock
) -> None:
    said: list[str] = []
    script.on(SUBMIT, [refusal(123), refusal(123), ACCEPTED])
    assert await submit(miaohua, said) == ONE
    assert said == ["waiting for a free slot at the service"]
    assert clock.slept == [5.0, 5.0]


async def test_the_wait_for_a_slot_has_an_end(miaohua: MiaohuaProvider, script: Script, clock: HandClock) -> None:
    script.on(SUBMIT, refusal(123))
    with pytest.raises(RateLimited, match="as many tasks"):
        await submit(miaohua)
    assert clock.monotonic() == 120


@pytest.mark.parametrize(
    ("code", "expected"), [(124, AccountRefused), (416, AccountRefused), (430, ContentRefused), (704, ContentRefused)]
)
async def test_what_waiting_cannot_mend_is_asked_once(
    miaohua: MiaohuaProvider, script: Script, code: int, expected: type[Exception]
) -> None:
    script.on(SUBMIT, refusal(code))
    with pytest.raises(expected):
        await submit(miaohua)
    assert script.paths().count(SUBMIT) == 1


@pytest.mark.parametrize("code", [103, 104, 105])
async def test_a_task_that_was_not_taken_is_offered_again(miaohua: MiaohuaProvider, script: Script, code: int) -> None:
    script.on(SUBMIT, [refusal(code), refusal(code), ACCEPTED])
    assert await submit(miaohua) == ONE


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (entry(), Pending()),
        ({**entry(), "wait_time": 0}, Working()),
        (entry(state="sketching"), Pending()),
        (entry("t1", state="sketching", pictures=1), Pending()),
    ],
    ids=repr,
)
async def test_an_unknown_state_means_that_it_goes_on(
    miaohua: MiaohuaProvider, script: Script, state: Any, expected: Any
) -> None:
    script.on("/task_result", ok(state))
    assert await miaohua.look([ONE]) == {"t1": expected}


@pytest.mark.parametrize(
    ("state", "error"),
    [
        (entry(state="done", error_msg="Intern error"), UpstreamFailed),
        (entry(error_msg="Intern error"), UpstreamFailed),
        (entry(state="done"), UpstreamFailed),
        (entry(state="done", error_msg="all pictures were sensitive"), ContentRefused),
    ],
    ids=repr,
)
async def test_done_without_a_picture_is_a_failure(
    miaohua: MiaohuaProvider, script: Script, state: Any, error: type[Exception]
) -> None:
    script.on("/task_result", ok(state))
    snapshot = (await miaohua.look([ONE]))["t1"]
    assert isinstance(snapshot, Refused)
    assert type(snapshot.reason) is error


async def test_pictures_come_in_their_order_and_only_the_first_has_a_seed(
    miaohua: MiaohuaProvider, script: Script
) -> None:
    state = entry("t1", state="done", pictures=3)
    state["images"].reverse()
    script.on("/task_result", ok(state))
    snapshot = (await miaohua.look([ONE]))["t1"]
    assert isinstance(snapshot, Done)
    assert [output.url for output in snapshot.outputs] == [f"https://oss.example.com/t1_{i}.jpg" for i in range(3)]
    assert [output.seed for output in snapshot.outputs] == [7, None, None]


async def test_entries_are_matched_by_their_ids_whatever_their_order(miaohua: MiaohuaProvider, script: Script) -> None:
    script.on("/task_results", ok([{**entry(), "task_id": "t2"}, done("t1")]))
    news = await miaohua.look([ONE, TWO])
    assert isinstance(news["t1"], Done)
    assert news["t2"] == Pending()
    assert script.paths().count("/task_result") == 0


@pytest.mark.parametrize(
    "listed", [[done("t1")], [done("t1"), None], [done("t1"), entry(), entry()], [], None], ids=repr
)
async def test_a_task_that_no_entry_can_be_matched_to_is_asked_about_by_itself(
    miaohua: MiaohuaProvider, script: Script, listed: Any
) -> None:
    script.on("/task_results", ok(listed))

    def one(sent: Sent) -> httpx2.Response:
        return ok(done("t1") if sent.body["task_id"] == "t1" else entry())

    script.on("/task_result", one)
    news = await miaohua.look([ONE, TWO])
    assert isinstance(news["t1"], Done)
    assert news["t2"] == Pending()


async def test_a_failed_entry_does_not_hide_the_others(miaohua: MiaohuaProvider, script: Script) -> None:
    script.on("/task_results", ok([entry(state="done", error_msg="Intern error"), done("t2")]))
    news = await miaohua.look([ONE, TWO])
    assert isinstance(news["t1"], Refused)
    assert isinstance(news["t2"], Done)


async def test_a_batch_that_is_too_fast_says_nothing_of_the_tasks(miaohua: MiaohuaProvider, script: Script) -> None:
    script.on("/task_results", refusal(429))
    with pytest.raises(RateLimited):
        await miaohua.look([ONE, TWO])


async def test_where_there_is_no_batch_tasks_are_asked_one_by_one_from_then_on(
    miaohua: MiaohuaProvider, script: Script
) -> None:
    script.on("/task_results", answer("", 404))
    script.on("/task_result", ok(entry()))
    assert miaohua.batch_size("pictures") == 50
    for _ in range(2):
        assert await miaohua.look([ONE, TWO]) == {"t1": Pending(), "t2": Pending()}
    assert script.paths().count("/task_results") == 1
    assert miaohua.batch_size("pictures") == 1


async def test_all_status_calls_keep_one_pace(miaohua: MiaohuaProvider, script: Script, clock: HandClock) -> None:
    times: list[float] = []

    def at_work(sent: Sent) -> httpx2.Response:
        times.append(clock.monotonic())
        return ok([entry(), entry()] if sent.path == "/task_results" else entry())

    for path in ("/task_result", "/task_results", "/train_progress"):
        script.on(path, at_work)
    for _ in range(5):
        for tasks in ([ONE], [ONE, TWO], [TRAINING]):
            await miaohua.look(tasks)
    assert max(sum(start <= time < start + 1 for time in times) for start in times) <= 6


async def test_a_finished_training_is_known_by_the_id_in_the_list_of_own_models(
    miaohua: MiaohuaProvider, script: Script
) -> None:
    script.on("/train_progress", ok({"state": "done", "model_name": "my_cats", "training_progress": 1}))
    own = [{"versionid": f"v{n}", "model_name": "my_cats", "model_id": n, "tag": "LORA"} for n in (2, 9, 5)]
    script.on("/models/private", models(*own))
    snapshot = (await miaohua.look([TRAINING]))["t1"]
    assert isinstance(snapshot, Done)
    assert snapshot.data["model"] == "v9"
    assert script.sent[-1].body["query"] == "my_cats"


async def test_a_finished_training_that_is_not_listed_yet_is_finished_all_the_same(
    miaohua: MiaohuaProvider, script: Script
) -> None:
    script.on("/train_progress", ok({"state": "done", "model_name": "my_cats", "training_progress": 1}))
    snapshot = (await miaohua.look([TRAINING]))["t1"]
    assert isinstance(snapshot, Done)
    assert snapshot.data["name"] == "my_cats"
    assert "trained_lora" in snapshot.data["remarks"]


async def test_a_picture_is_uploaded_once_in_half_an_hour(
    miaohua: MiaohuaProvider, script: Script, clock: HandClock
) -> None:
    for _ in range(3):
        assert await miaohua.upload(JPEG + b"https://oss.example.com/a", "image/jpeg") == "https://oss.example.com/a"
    assert script.paths().count("/upload_imgs") == 1
    clock.pass_by(1800)
    await miaohua.upload(JPEG + b"https://oss.example.com/a", "image/jpeg")
    assert script.paths().count("/upload_imgs") == 2


async def test_a_service_that_wants_the_token_as_a_part_gets_it_there(miaohua: MiaohuaProvider, script: Script) -> None:
    def older(sent: Sent) -> httpx2.Response:
        return ok(["https://oss.example.com/a"]) if b'name="token"' in sent.content else refusal(401)

    script.on("/upload_imgs", older)
    for number in range(2):
        await miaohua.upload(JPEG + bytes([number]), "image/jpeg")
    assert script.paths().count("/upload_imgs") == 4


async def test_a_service_without_the_upload_of_many_is_given_one_at_the_other_address(
    miaohua: MiaohuaProvider, script: Script
) -> None:
    script.on("/upload_imgs", answer("", 404))
    script.on("/upload_img", ok(["https://oss.example.com/a"]))
    for number in range(2):
        assert await miaohua.upload(JPEG + bytes([number]), "image/jpeg") == "https://oss.example.com/a"
    assert script.paths().count("/upload_imgs") == 1


@pytest.mark.parametrize("listed", [[], ["https://a.example/1", "https://a.example/2"], ["no link"], None], ids=repr)
async def test_an_upload_that_is_not_answered_with_one_link_failed(
    miaohua: MiaohuaProvider, script: Script, listed: Any
) -> None:
    script.on("/upload_imgs", ok(listed))
    with pytest.raises(ProviderUnavailable):
        await miaohua.upload(JPEG, "image/jpeg")


async def test_only_pictures_it_takes_are_uploaded(miaohua: MiaohuaProvider, script: Script) -> None:
    with pytest.raises(ImageRefused):
        await miaohua.upload(b"II*\x00", "image/tiff")
    assert script.sent == []


async def test_training_pictures_become_a_data_set_first(miaohua: MiaohuaProvider, script: Script) -> None:
    script.on("/dataset", ok({"dataset_id": 11}))
    script.on("/train_submit", ACCEPTED)
    request = training(images=("img_a", "img_b"), dataset_ids=(3,))
    links = {f"images[{i}]": encoded(f"https://oss.example.com/{i}") for i in range(2)}
    assert await miaohua.submit(request, links, lambda share, word: None) == TRAINING
    made, trained = script.sent[-2].body, script.sent[-1].body
    assert made["images"] == ["https://oss.example.com/0", "https://oss.example.com/1"]
    assert made["name"].startswith("cats ")
    assert trained["dataset"] == [3, 11]


async def test_a_lost_answer_about_the_data_set_does_not_leave_the_training_open(
    miaohua: MiaohuaProvider, script: Script
) -> None:
    script.on("/dataset", httpx2.ReadError("no"))
    request = training(images=("img_a",))
    with pytest.raises(ProviderUnavailable):
        await miaohua.submit(request, {"images[0]": encoded("https://oss.example.com/0")}, lambda share, word: None)


async def test_where_controls_are_not_listed_by_model_the_catalogue_of_its_kind_counts(
    miaohua: MiaohuaProvider, script: Script
) -> None:
    script.on("/cn/list", answer("", 404))
    script.on("/cn/artist", ok([{"name": "canny"}]))
    script.on("/cn/opensource", ok([{"name": "depth"}]))
    script.on("/models/base", models(BASE, {"versionid": "open", "is_opensource": True}, {"versionid": "who"}))
    for base, expected in ((BASE["versionid"], {"canny"}), ("open", {"depth"}), ("who", {"canny", "depth"})):
        page = await miaohua.list_models("controlnet", base=str(base), offset=0, limit=20)
        assert {model.id for model in page.models} == expected


async def test_a_list_is_read_to_its_last_page(miaohua: MiaohuaProvider, script: Script) -> None:
    pages = {1: models({"versionid": "a"}, more=True), 2: models({"versionid": "b"}, more=True), 3: models()}

    def one(sent: Sent) -> httpx2.Response:
        return pages[sent.body["page"]]

    script.on("/models/base", one)
    page = await miaohua.list_models("checkpoint", base=None, offset=1, limit=20)
    assert [model.id for model in page.models] == ["b"]
    assert page.more is False


async def test_a_training_is_finished_although_the_list_of_own_models_is_refused(
    miaohua: MiaohuaProvider, script: Script
) -> None:
    script.on("/train_progress", ok({"state": "done", "model_name": "my_cats", "training_progress": 1}))
    script.on("/models/private", refusal(129))
    assert isinstance((await miaohua.look([TRAINING]))["t1"], Done)


async def test_an_unknown_base_is_named_as_the_caller_named_it(miaohua: MiaohuaProvider) -> None:
    with pytest.raises(InvalidRequest, match=r"^base: Miaohua lists no 'gone'"):
        await miaohua.list_models("controlnet", base="gone", offset=0, limit=20)


async def test_one_picture_that_is_refused_stops_the_submit(miaohua: MiaohuaProvider, script: Script) -> None:
    script.on("/upload_imgs", [refusal(704), ok(["https://oss.example.com/a"])])
    request = training(images=("img_a", "img_b"))
    with pytest.raises(ContentRefused):
        await miaohua.submit(request, {f"images[{i}]": encoded(str(i)) for i in range(2)}, lambda share, word: None)
    assert "/train_submit" not in script.paths()
