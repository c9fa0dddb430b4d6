"""What the Miaohua provider promises beyond what every provider does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from atelier_mcp.server.errors import (
    AccountRefused,
    AuthenticationFailed,
    ContentRefused,
    InvalidRequest,
    ProviderUnavailable,
    RateLimited,
    SubmitUnconfirmed,
    UpstreamFailed,
)
from atelier_mcp.server.images.exchange import ImageUploader
from atelier_mcp.server.providers.base import (
    SubmitAnswer,
    TaskFailed,
    TaskLost,
    TaskPending,
    TaskRunning,
    TaskSucceeded,
    UpstreamTask,
)
from atelier_mcp.server.providers.operation import DirectOperation
from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.requests.train import TrainLora
from atelier_mcp.server.testing import provider_calls
from tests.support.miaohua_script import (
    BASE_MODEL,
    add_default_steps,
    build_model_page,
    build_refusal,
    build_success,
    encode_linked_image,
)
from tests.support.upstream_script import SentRequest, UpstreamScript, build_response

if TYPE_CHECKING:
    from atelier_mcp.server.providers.miaohua.provider import MiaohuaProvider
    from tests.support.clock import AutoAdvanceClock

SUBMIT = "/task_submit"
ACCEPTED = build_success({"task_id": "t1"})
ONE, TWO = UpstreamTask("t1", "pictures"), UpstreamTask("t2", "pictures")
TRAINING = UpstreamTask("t1", "training")


@pytest.fixture(autouse=True)
def _prepared(script: UpstreamScript) -> None:  # pyright: ignore[reportUnusedFunction]  # an autouse fixture
    add_default_steps(script)


def build_entry(task_id: str = "", *, state: str = "pending", image_count: int = 0, error_msg: str = "") -> Any:
    images = [
        {"task_id": task_id, "large": f"https://oss.example.com/{task_id}_{index}.jpg", "save_index": index}
        for index in range(image_count)
    ]
    return {"state": state, "images": images, "select_seed": 7, "error_msg": error_msg}


def build_done_entry(task_id: str) -> Any:
    return build_entry(task_id, state="done", image_count=1)


async def submit(miaohua: MiaohuaProvider, progress_words: list[str] | None = None, **images: str) -> SubmitAnswer:
    fields = {"prompt": "x", "model": "v", "width": 960, "height": 960, "steps": 5, "guidance": 5, **images}
    words = [] if progress_words is None else progress_words
    return await provider_calls.submit(
        miaohua, GenerateImage.model_validate(fields), images, lambda share, word: words.append(word)
    )


def build_training(**fields: Any) -> TrainLora:
    return TrainLora.model_validate({"base": "auto", "name": "cats", **fields})


async def test_it_answers_and_uploads_too(miaohua: MiaohuaProvider) -> None:
    assert isinstance(miaohua.operations["list_datasets"], DirectOperation)
    assert isinstance(miaohua, ImageUploader)
    assert await miaohua.cancel(ONE) is False


async def test_calls_at_the_same_time_log_in_once(miaohua: MiaohuaProvider, script: UpstreamScript) -> None:
    script.set_steps(SUBMIT, ACCEPTED)
    await asyncio.gather(*(submit(miaohua) for _ in range(5)))
    assert script.list_paths().count("/get_token") == 1


@pytest.mark.parametrize("code", [401, 411, 412, 413, 600])
async def test_calls_refused_at_the_same_time_share_one_new_login(
    miaohua: MiaohuaProvider, script: UpstreamScript, code: int
) -> None:
    def answer_submit(sent: SentRequest) -> httpx2.Response:
        return ACCEPTED if sent.body["token"] == "new" else build_refusal(code)

    script.set_steps("/get_token", [build_success({"token": "old"}), build_success({"token": "new"})])
    script.set_steps(SUBMIT, answer_submit)
    tasks = await asyncio.gather(*(submit(miaohua) for _ in range(5)))
    assert tasks == [ONE] * 5
    assert script.list_paths().count("/get_token") == 2


async def test_a_token_that_expires_during_a_poll_is_renewed_there(
    miaohua: MiaohuaProvider, script: UpstreamScript
) -> None:
    script.set_steps("/task_results", [build_refusal(411), build_success([build_done_entry("t1"), build_entry("t2")])])
    snapshots = await miaohua.poll([ONE, TWO])
    assert isinstance(snapshots["t1"], TaskSucceeded)
    assert snapshots["t2"] == TaskPending()
    assert script.list_paths() == ["/get_token", "/task_results", "/get_token", "/task_results"]


@pytest.mark.parametrize("code", [101, 102, 600, 601])
async def test_a_login_that_is_refused_is_not_tried_again(
    miaohua: MiaohuaProvider, script: UpstreamScript, code: int
) -> None:
    """The newer codes and the older ones, of which 600 means the token everywhere else."""
    script.set_steps("/get_token", build_refusal(code, "no"))
    with pytest.raises(AuthenticationFailed, match="MIAOHUA_PASSWORD"):
        await submit(miaohua)
    assert script.list_paths() == ["/get_token"]


async def test_a_picture_in_check_is_asked_about_every_two_seconds(
    miaohua: MiaohuaProvider, script: UpstreamScript, clock: AutoAdvanceClock
) -> None:
    script.set_steps("/upload_imgs", [build_refusal(703), build_success(["https://oss.example.com/a"])])
    script.set_steps(SUBMIT, [build_refusal(703), build_refusal(703), ACCEPTED])
    assert await submit(miaohua, image=encode_linked_image("x")) == ONE
    assert clock.sleeps_s == [2.0, 2.0, 2.0]
    script.set_steps(SUBMIT, build_refusal(703))
    with pytest.raises(ProviderUnavailable, match="still checking"):
        await submit(miaohua)


async def test_an_account_without_business_use_is_told_so_at_the_login(
    miaohua: MiaohuaProvider, script: UpstreamScript
) -> None:
    script.set_steps("/get_token", build_refusal(602, "not a business user"))
    with pytest.raises(AccountRefused, match="not a business user"):
        await submit(miaohua)


async def test_a_poll_that_meets_the_older_service_without_its_backend_is_made_again(
    miaohua: MiaohuaProvider, script: UpstreamScript
) -> None:
    script.set_steps("/task_result", [build_refusal(501), build_success(build_done_entry("t1"))])
    assert isinstance((await miaohua.poll([ONE]))["t1"], TaskSucceeded)


@pytest.mark.parametrize("code", [123, 603])
async def test_a_submit_without_a_free_slot_waits_for_one(
    miaohua: MiaohuaProvider, script: UpstreamScript, clock: AutoAdvanceClock, code: int
) -> None:
    said: list[str] = []
    script.set_steps(SUBMIT, [build_refusal(code), build_refusal(code), ACCEPTED])
    assert await submit(miaohua, said) == ONE
    assert said == ["waiting for a free slot at the service"]
    assert clock.sleeps_s == [5.0, 5.0]


async def test_the_wait_for_a_slot_has_an_end(
    miaohua: MiaohuaProvider, script: UpstreamScript, clock: AutoAdvanceClock
) -> None:
    script.set_steps(SUBMIT, build_refusal(123))
    with pytest.raises(RateLimited, match="as many tasks"):
        await submit(miaohua)
    assert clock.monotonic() == 120


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (124, AccountRefused),
        (416, AccountRefused),
        (430, ContentRefused),
        (501, SubmitUnconfirmed),
        (602, AccountRefused),
        (604, AccountRefused),
        (704, ContentRefused),
    ],
)
async def test_what_waiting_cannot_mend_is_asked_once(
    miaohua: MiaohuaProvider, script: UpstreamScript, code: int, expected: type[Exception]
) -> None:
    script.set_steps(SUBMIT, build_refusal(code))
    with pytest.raises(expected):
        await submit(miaohua)
    assert script.list_paths().count(SUBMIT) == 1


@pytest.mark.parametrize("code", [103, 104, 105])
async def test_a_task_that_was_not_taken_is_offered_again(
    miaohua: MiaohuaProvider, script: UpstreamScript, code: int
) -> None:
    script.set_steps(SUBMIT, [build_refusal(code), build_refusal(code), ACCEPTED])
    assert await submit(miaohua) == ONE


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (build_entry(), TaskPending()),
        ({**build_entry(), "wait_time": 0}, TaskRunning()),
        (build_entry(state="sketching"), TaskPending()),
        (build_entry("t1", state="sketching", image_count=1), TaskPending()),
    ],
    ids=repr,
)
async def test_an_unknown_state_means_that_it_goes_on(
    miaohua: MiaohuaProvider, script: UpstreamScript, state: Any, expected: Any
) -> None:
    script.set_steps("/task_result", build_success(state))
    assert await miaohua.poll([ONE]) == {"t1": expected}


@pytest.mark.parametrize(
    ("state", "error"),
    [
        (build_entry(state="done", error_msg="Intern error"), UpstreamFailed),
        (build_entry(error_msg="Intern error"), UpstreamFailed),
        (build_entry(state="done", error_msg="all pictures were sensitive"), ContentRefused),
    ],
    ids=repr,
)
async def test_an_error_without_a_picture_is_a_failure(
    miaohua: MiaohuaProvider, script: UpstreamScript, state: Any, error: type[Exception]
) -> None:
    script.set_steps("/task_result", build_success(state))
    snapshot = (await miaohua.poll([ONE]))["t1"]
    assert isinstance(snapshot, TaskFailed)
    assert type(snapshot.reason) is error


async def test_done_without_a_picture_and_without_a_word_may_be_said_too_early(
    miaohua: MiaohuaProvider, script: UpstreamScript
) -> None:
    script.set_steps("/task_result", build_success(build_entry(state="done")))
    assert isinstance((await miaohua.poll([ONE]))["t1"], TaskLost)


async def test_pictures_come_in_their_order_and_only_the_first_has_a_seed(
    miaohua: MiaohuaProvider, script: UpstreamScript
) -> None:
    state = build_entry("t1", state="done", image_count=3)
    state["images"].reverse()
    script.set_steps("/task_result", build_success(state))
    snapshot = (await miaohua.poll([ONE]))["t1"]
    assert isinstance(snapshot, TaskSucceeded)
    assert [output.url for output in snapshot.outputs] == [f"https://oss.example.com/t1_{i}.jpg" for i in range(3)]
    assert [output.seed for output in snapshot.outputs] == [7, None, None]


async def test_entries_are_matched_by_their_ids_whatever_their_order(
    miaohua: MiaohuaProvider, script: UpstreamScript
) -> None:
    script.set_steps("/task_results", build_success([{**build_entry(), "task_id": "t2"}, build_done_entry("t1")]))
    snapshots = await miaohua.poll([ONE, TWO])
    assert isinstance(snapshots["t1"], TaskSucceeded)
    assert snapshots["t2"] == TaskPending()
    assert script.list_paths().count("/task_result") == 0


@pytest.mark.parametrize(
    "listed",
    [
        [build_done_entry("t1")],
        [build_done_entry("t1"), None],
        [build_done_entry("t1"), build_entry(), build_entry()],
        [],
        None,
    ],
    ids=repr,
)
async def test_a_task_that_no_entry_can_be_matched_to_is_asked_about_by_itself(
    miaohua: MiaohuaProvider, script: UpstreamScript, listed: Any
) -> None:
    script.set_steps("/task_results", build_success(listed))

    def answer_poll(sent: SentRequest) -> httpx2.Response:
        return build_success(build_done_entry("t1") if sent.body["task_id"] == "t1" else build_entry())

    script.set_steps("/task_result", answer_poll)
    snapshots = await miaohua.poll([ONE, TWO])
    assert isinstance(snapshots["t1"], TaskSucceeded)
    assert snapshots["t2"] == TaskPending()


async def test_a_failed_entry_does_not_hide_the_others(miaohua: MiaohuaProvider, script: UpstreamScript) -> None:
    script.set_steps(
        "/task_results", build_success([build_entry(state="done", error_msg="Intern error"), build_done_entry("t2")])
    )
    snapshots = await miaohua.poll([ONE, TWO])
    assert isinstance(snapshots["t1"], TaskFailed)
    assert isinstance(snapshots["t2"], TaskSucceeded)


async def test_a_batch_that_is_too_fast_says_nothing_of_the_tasks(
    miaohua: MiaohuaProvider, script: UpstreamScript
) -> None:
    script.set_steps("/task_results", build_refusal(429))
    with pytest.raises(RateLimited):
        await miaohua.poll([ONE, TWO])


async def test_where_there_is_no_batch_tasks_are_asked_one_by_one_from_then_on(
    miaohua: MiaohuaProvider, script: UpstreamScript
) -> None:
    script.set_steps("/task_results", build_response("", 404))
    script.set_steps("/task_result", build_success(build_entry()))
    assert miaohua.batch_size("pictures") == 50
    for _ in range(2):
        assert await miaohua.poll([ONE, TWO]) == {"t1": TaskPending(), "t2": TaskPending()}
    assert script.list_paths().count("/task_results") == 1
    assert miaohua.batch_size("pictures") == 1


async def test_all_status_requests_count_on_one_rate_limit(
    miaohua: MiaohuaProvider, script: UpstreamScript, clock: AutoAdvanceClock
) -> None:
    """The first of each poll is counted by its caller, as here; the second of two single ones by the provider."""
    times: list[float] = []

    def record_poll(sent: SentRequest) -> httpx2.Response:
        times.append(clock.monotonic())
        return build_success([] if sent.path == "/task_results" else build_entry())

    for path in ("/task_result", "/task_results", "/train_progress"):
        script.set_steps(path, record_poll)
    for _ in range(5):
        for tasks in ([ONE], [ONE, TWO], [TRAINING]):
            await miaohua.poll_rate_limit.acquire(clock)
            await miaohua.poll(tasks)
    assert len(times) == 5 * (1 + 3 + 1)
    assert max(sum(start <= time < start + 1 for time in times) for start in times) <= 6


async def test_a_finished_training_is_known_by_the_id_in_the_list_of_own_models(
    miaohua: MiaohuaProvider, script: UpstreamScript
) -> None:
    script.set_steps(
        "/train_progress", build_success({"state": "done", "model_name": "my_cats", "training_progress": 1})
    )
    own = [{"versionid": f"v{n}", "model_name": "my_cats", "model_id": n, "tag": "LORA"} for n in (2, 9, 5)]
    script.set_steps("/models/private", build_model_page(*own))
    snapshot = (await miaohua.poll([TRAINING]))["t1"]
    assert isinstance(snapshot, TaskSucceeded)
    assert snapshot.data["model"] == "v9"
    assert script.requests[-1].body["query"] == "my_cats"


async def test_a_finished_training_that_is_not_listed_yet_is_finished_all_the_same(
    miaohua: MiaohuaProvider, script: UpstreamScript
) -> None:
    script.set_steps(
        "/train_progress", build_success({"state": "done", "model_name": "my_cats", "training_progress": 1})
    )
    snapshot = (await miaohua.poll([TRAINING]))["t1"]
    assert isinstance(snapshot, TaskSucceeded)
    assert snapshot.data["name"] == "my_cats"
    assert "trained_lora" in snapshot.data["remarks"]


async def test_training_pictures_become_a_data_set_first(miaohua: MiaohuaProvider, script: UpstreamScript) -> None:
    script.set_steps("/dataset", build_success({"dataset_id": 11}))
    script.set_steps("/train_submit", ACCEPTED)
    request = build_training(images=("img_a", "img_b"), dataset_ids=(3,))
    links = {f"images[{i}]": encode_linked_image(f"https://oss.example.com/{i}") for i in range(2)}
    assert await provider_calls.submit(miaohua, request, links) == TRAINING
    made, trained = script.requests[-2].body, script.requests[-1].body
    assert made["images"] == ["https://oss.example.com/0", "https://oss.example.com/1"]
    assert made["name"].startswith("cats ")
    assert trained["dataset"] == [3, 11]


async def test_a_lost_answer_about_the_data_set_does_not_leave_the_training_open(
    miaohua: MiaohuaProvider, script: UpstreamScript
) -> None:
    script.set_steps("/dataset", httpx2.ReadError("no"))
    request = build_training(images=("img_a",))
    with pytest.raises(ProviderUnavailable):
        await provider_calls.submit(
            miaohua, request, {"images[0]": encode_linked_image("https://oss.example.com/0")}, lambda share, word: None
        )


async def test_where_controls_are_not_listed_by_model_the_catalogue_of_its_kind_counts(
    miaohua: MiaohuaProvider, script: UpstreamScript
) -> None:
    script.set_steps("/cn/list", build_response("", 404))
    script.set_steps("/cn/artist", build_success([{"name": "canny"}]))
    script.set_steps("/cn/opensource", build_success([{"name": "depth"}]))
    script.set_steps(
        "/models/base", build_model_page(BASE_MODEL, {"versionid": "open", "is_opensource": True}, {"versionid": "who"})
    )
    for base, expected in ((BASE_MODEL["versionid"], {"canny"}), ("open", {"depth"}), ("who", {"canny", "depth"})):
        page = await miaohua.list_models("controlnet", base=str(base), offset=0, limit=20)
        assert {model.id for model in page.models} == expected


async def test_a_list_is_read_to_its_last_page(miaohua: MiaohuaProvider, script: UpstreamScript) -> None:
    pages = {
        1: build_model_page({"versionid": "a"}, has_next=True),
        2: build_model_page({"versionid": "b"}, has_next=True),
        3: build_model_page(),
    }

    def answer_page(sent: SentRequest) -> httpx2.Response:
        return pages[sent.body["page"]]

    script.set_steps("/models/base", answer_page)
    page = await miaohua.list_models("checkpoint", base=None, offset=1, limit=20)
    assert [model.id for model in page.models] == ["b"]
    assert page.has_more is False


async def test_a_training_is_finished_although_the_list_of_own_models_is_refused(
    miaohua: MiaohuaProvider, script: UpstreamScript
) -> None:
    script.set_steps(
        "/train_progress", build_success({"state": "done", "model_name": "my_cats", "training_progress": 1})
    )
    script.set_steps("/models/private", build_refusal(129))
    assert isinstance((await miaohua.poll([TRAINING]))["t1"], TaskSucceeded)


async def test_an_unknown_base_is_named_as_the_caller_named_it(miaohua: MiaohuaProvider) -> None:
    with pytest.raises(InvalidRequest, match=r"^base: Miaohua lists no 'gone'"):
        await miaohua.list_models("controlnet", base="gone", offset=0, limit=20)


async def test_one_picture_that_is_refused_stops_the_submit(miaohua: MiaohuaProvider, script: UpstreamScript) -> None:
    script.set_steps("/upload_imgs", [build_refusal(704), build_success(["https://oss.example.com/a"])])
    request = build_training(images=("img_a", "img_b"))
    with pytest.raises(ContentRefused):
        await provider_calls.submit(
            miaohua, request, {f"images[{i}]": encode_linked_image(str(i)) for i in range(2)}, lambda share, word: None
        )
    assert "/train_submit" not in script.list_paths()
