"""The service's lists: read whole however they are cut into pages, nothing dropped from them in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.errors import ProviderUnavailable
from atelier_mcp.server.providers.base import TaskFailed, TaskLost, TaskRunning, TaskSucceeded, UpstreamTask
from atelier_mcp.server.requests.aws import (
    AddCheckpoint,
    ListAwsDatasets,
    ListCheckpoints,
    ListEndpoints,
    ListInferenceJobs,
    ListTrainings,
)
from atelier_mcp.server.testing import provider_calls
from tests.support.recordings import load_stories
from tests.support.sd_aws_provider_replay import realize
from tests.support.sd_aws_script import ScriptedDeployment, new_provider, poll, submit
from tests.support.upstream_script import build_response

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2

    from atelier_mcp.server.providers.sd_aws.provider import SdAwsProvider
    from atelier_mcp.server.requests.base import Request
    from tests.support.clock import AutoAdvanceClock

    NewProvider = Callable[..., SdAwsProvider]

__all__ = ["new_provider"]  # a fixture


class RecordedPages:
    """The pages of a recorded list: those of one row of requests, by the key each was asked with."""

    def __init__(self, version: str, story: str, path: str, *, query: dict[str, Any]) -> None:
        self.by_key: dict[str, Any] = {}
        self.asked_keys: list[str] = []
        for exchange in load_stories("sd_aws", version)[story]:
            asked = realize(exchange.request["query"])
            key = asked.pop("exclusive_start_key", "")
            is_next = key in self.next_keys or (not key and not self.by_key)
            if exchange.request["path"] == path and asked == query and is_next and exchange.response["status"] == 200:
                self.by_key[key] = realize(exchange.response["body"])

    @property
    def next_keys(self) -> list[str]:
        return [body["data"].get("last_evaluated_key") for body in self.by_key.values()]

    @property
    def ids(self) -> list[str]:
        """What tells each row of the list, over all pages."""
        names = ("EndpointDeploymentJobId", "datasetName", "InferenceJobId", "id")
        found: list[str] = []
        for body in self.by_key.values():
            lists: list[list[dict[str, str]]] = [value for value in body["data"].values() if isinstance(value, list)]
            found += [next(row[name] for name in names if name in row) for row in lists[0]]
        return found

    def answer(self, query: dict[str, str]) -> httpx2.Response:
        key = query.get("exclusive_start_key", "")
        self.asked_keys.append(key)
        return build_response(self.by_key[key])


PAGED: list[tuple[str, str, dict[str, Any], Request]] = [
    ("endpoint lists and pages", "/endpoints", {"limit": 3}, ListEndpoints.model_validate({})),
    ("data set lists and pages", "/datasets", {}, ListAwsDatasets.model_validate({})),
    ("training lists and pages", "/trainings", {}, ListTrainings.model_validate({})),
]


@pytest.mark.parametrize("version", ["1.5", "1.7"])
@pytest.mark.parametrize(("story", "path", "query", "request_"), PAGED)
async def test_a_list_is_read_to_its_end(
    new_provider: NewProvider, version: str, story: str, path: str, query: dict[str, Any], request_: Request
) -> None:
    deployment = ScriptedDeployment(version)
    pages = RecordedPages(version, story, path, query=query)
    deployment.on(f"GET {path}", pages.answer)
    found = await provider_calls.execute(new_provider(deployment), request_)
    assert len(pages.by_key) > 1
    assert pages.asked_keys == list(pages.by_key)
    (rows,) = found.values()
    assert len(rows) == len(pages.ids)


@pytest.mark.parametrize("version", ["1.5", "1.7"])
async def test_a_deployment_on_the_last_page_was_not_deleted(new_provider: NewProvider, version: str) -> None:
    deployment = ScriptedDeployment(version)
    pages = RecordedPages(version, "endpoint lists and pages", "/endpoints", query={"limit": 3})
    deployment.on("GET /endpoints", pages.answer)
    provider = new_provider(deployment)
    for id_ in pages.ids:
        assert "deleted" not in str(await poll(provider, UpstreamTask(id_, "endpoint")))
    gone = await poll(provider, UpstreamTask("never-was", "endpoint"))
    assert isinstance(gone, TaskLost)
    assert "deleted" in gone.reason.message


async def test_a_page_may_be_empty_while_others_follow(new_provider: NewProvider) -> None:
    deployment = ScriptedDeployment("1.7")
    pages: list[dict[str, Any]] = [
        {"datasets": [], "last_evaluated_key": "k1"},
        {"datasets": [{"datasetName": "cats", "status": "Enabled"}]},
    ]
    deployment.on("GET /datasets", *(build_response({"data": page}) for page in pages))
    found = await provider_calls.execute(new_provider(deployment), ListAwsDatasets.model_validate({}))
    assert [row["name"] for row in found["datasets"]] == ["cats"]


async def test_a_list_without_an_end_is_taken_for_nothing(new_provider: NewProvider) -> None:
    deployment = ScriptedDeployment("1.7")
    deployment.on("GET /endpoints", build_response({"data": {"endpoints": [], "last_evaluated_key": "same"}}))
    with pytest.raises(ProviderUnavailable, match="no end"):
        await new_provider(deployment).poll([UpstreamTask("e1", "endpoint")])


async def test_checkpoints_are_read_up_to_their_total_whatever_the_number_of_pages_is_said_to_be(
    new_provider: NewProvider,
) -> None:
    deployment = ScriptedDeployment("1.7")
    rows = [{"id": f"c{number}", "status": "Active", "name": [f"{number}.pt"]} for number in range(200)]

    def answer(query: dict[str, str]) -> httpx2.Response:
        first = (int(query["page"]) - 1) * int(query["per_page"])
        page = rows[first : first + int(query["per_page"])]
        return build_response({"data": {"page": 1, "pages": 3, "total": 200, "checkpoints": page}})

    deployment.on("GET /checkpoints", answer)
    found = await provider_calls.execute(new_provider(deployment), ListCheckpoints.model_validate({}))
    assert len(found["checkpoints"]) == 200
    assert deployment.calls(about="checkpoints") == ["GET /checkpoints"] * 2


@pytest.mark.parametrize("version", ["1.5", "1.7"])
async def test_inferences_of_every_type_are_listed_newest_first(new_provider: NewProvider, version: str) -> None:
    """A list is of one type; without a type it is text to image alone."""
    deployment = ScriptedDeployment(version)
    types = ("txt2img", "img2img", "rembg", "extra-single-image", "extra-batch-images")

    def answer(query: dict[str, str]) -> httpx2.Response:
        kind = query["type"]
        row = {"InferenceJobId": kind, "taskType": kind, "status": "succeed", "createTime": str(types.index(kind))}
        return build_response({"data": {"inferences": [{**row, "sagemakerRaw": {}}], "last_evaluated_key": None}})

    deployment.on("GET /inferences", answer)
    found = await provider_calls.execute(new_provider(deployment), ListInferenceJobs.model_validate({"limit": 4}))
    assert [job["id"] for job in found["jobs"]] == list(reversed(types))[:4]
    assert "unreadable" not in found, "what is unset is no failure"


async def test_v1_4_lists_every_type_at_once(new_provider: NewProvider) -> None:
    deployment = ScriptedDeployment("1.4")
    deployment.on(
        "GET /inferences", build_response({"data": {"inferences": [{"InferenceJobId": "i1", "status": "created"}]}})
    )
    found = await provider_calls.execute(new_provider(deployment), ListInferenceJobs.model_validate({}))
    assert [job["id"] for job in found["jobs"]] == ["i1"]
    assert deployment.queries[-1] == {}


ODD_ROWS: list[Any] = [None, "text", 7]


async def test_rows_that_cannot_be_read_are_counted(new_provider: NewProvider) -> None:
    deployment = ScriptedDeployment("1.4")
    rows = [{"InferenceJobId": "i1", "status": "created"}, *ODD_ROWS]
    deployment.on("GET /inferences", build_response({"data": {"inferences": rows}}))
    found = await provider_calls.execute(new_provider(deployment), ListInferenceJobs.model_validate({}))
    assert len(found["jobs"]) == 1
    assert found["unreadable"] == len(ODD_ROWS)


@pytest.mark.parametrize("kind", ["endpoint", "training"])
async def test_what_may_be_among_the_unreadable_rows_is_not_gone(new_provider: NewProvider, kind: str) -> None:
    deployment = ScriptedDeployment("1.4")
    for call, key in (("GET /endpoints", "endpoints"), ("GET /trainings", "trainJobs")):
        deployment.on(call, build_response({"data": {key: ODD_ROWS}}))
    for ids in (["t1"], ["t1", "t2"]):
        with pytest.raises(ProviderUnavailable):
            await new_provider(deployment).poll([UpstreamTask(task_id, kind) for task_id in ids])


@pytest.mark.parametrize("version", ["1.5", "1.7"])
async def test_a_training_is_followed_though_the_list_breaks_on_its_state(
    new_provider: NewProvider, version: str
) -> None:
    """The whole list is 400 while one training is in a state that the service cannot read; single records are not."""
    story = load_stories("sd_aws", version)["training states the list cannot read"]
    by_path = {exchange.request["path"]: exchange.response for exchange in reversed(story)}
    deployment = ScriptedDeployment(version)
    broken = next(exchange.response for exchange in story if exchange.response["status"] == 400)
    deployment.on("GET /trainings", build_response(realize(broken["body"]), 400))
    (path,) = [path for path in by_path if path.startswith("/trainings/")]
    deployment.on(f"GET {realize(path)}", build_response(realize(by_path[path]["body"])))
    deployment.on("GET /trainings/t2", build_response({"data": {"id": "t2", "job_status": "Training"}}))
    provider = new_provider(deployment)
    stuck = UpstreamTask(realize(path).removeprefix("/trainings/"), "training")
    found = await provider.poll([stuck, UpstreamTask("t2", "training")])
    assert found["t2"] == TaskRunning(note="training")
    assert isinstance(found[stuck.id], TaskFailed), "its record never changes any more"
    with pytest.raises(ProviderUnavailable, match="its own list"):
        await provider_calls.execute(provider, ListTrainings.model_validate({}))


async def test_a_training_that_failed_says_why(new_provider: NewProvider) -> None:
    story = load_stories("sd_aws", "1.7")["training that fails"]
    failed = next(exchange for exchange in story if "error_msg" in str(exchange.response["body"]))
    path = realize(failed.request["path"])
    deployment = ScriptedDeployment("1.7")
    deployment.on(f"GET {path}", build_response(realize(failed.response["body"])))
    snapshot = await poll(new_provider(deployment), UpstreamTask(path.removeprefix("/trainings/"), "training"))
    assert isinstance(snapshot, TaskFailed)
    assert "AlgorithmError: exit code 1" in snapshot.reason.message


@pytest.mark.parametrize(("story", "files"), [("training from creation to checkpoint", 1), ("training that fails", 0)])
async def test_a_training_that_is_over_names_its_file_or_says_that_there_is_none(
    new_provider: NewProvider, story: str, files: int
) -> None:
    """The service calls both completed."""
    exchanges = load_stories("sd_aws", "1.7")[story]
    over = next(exchange for exchange in exchanges if "'job_status': 'Completed'" in str(exchange.response["body"]))
    later = load_stories("sd_aws", "1.7")["training from creation to checkpoint"]
    listed = next(exchange for exchange in later if exchange.request["path"] == "/checkpoints")
    path = realize(over.request["path"])
    deployment = ScriptedDeployment("1.7")
    deployment.on(f"GET {path}", build_response(realize(over.response["body"])))
    deployment.on("GET /checkpoints", build_response(realize(listed.response["body"])))
    done = await poll(new_provider(deployment), UpstreamTask(path.removeprefix("/trainings/"), "training"))
    assert isinstance(done, TaskSucceeded)
    assert done.data["files"] == ["ink-lora.safetensors"][:files]
    assert ("no file" in done.data["remarks"]) is (files == 0)


@pytest.mark.parametrize("status", [403, 404])
async def test_parameters_that_are_not_written_yet_are_left_out(new_provider: NewProvider, status: int) -> None:
    """Their link is given from the beginning, and leads to nothing until the end."""
    deployment = ScriptedDeployment("1.7")
    record = {
        "InferenceJobId": "i1",
        "status": "inprogress",
        "output_presigned_urls": ["https://storage.example/p.json"],
    }
    deployment.on("GET /inferences/i1", build_response({"data": record}))
    deployment.spoil = lambda link: build_response("<Error/>", status)
    found = await provider_calls.execute(new_provider(deployment), ListInferenceJobs.model_validate({"job_id": "i1"}))
    assert found["jobs"] == [{"id": "i1", "state": "inprogress"}]


LINKS = [f"https://files.example/{name}.safetensors" for name in ("one", "two", "three")]
FETCH = AddCheckpoint.model_validate({"kind": "Lora", "links": LINKS})


def describe_file(name: str, *, is_stored: bool = True) -> dict[str, Any]:
    upload = {"uploadId": "u"} if is_stored else None
    return {
        "id": f"id-{name}", "status": "Active", "type": "Lora", "name": [f"{name}.safetensors"],
        "params": {"multipart_upload": {f"{name}.safetensors": upload}},
    }  # fmt: skip


def list_files(deployment: ScriptedDeployment, *rows: dict[str, Any]) -> None:
    deployment.on("GET /checkpoints", build_response({"data": {"checkpoints": rows, "total": len(rows)}}))


async def test_each_link_becomes_a_checkpoint_of_its_own(new_provider: NewProvider) -> None:
    deployment = ScriptedDeployment("1.7")
    deployment.on("POST /checkpoints", build_response({"statusCode": 202, "message": "in progress"}, 202))
    provider = new_provider(deployment)
    task = await submit(provider, FETCH)
    list_files(deployment, describe_file("one"), describe_file("two"))
    assert isinstance(await poll(provider, task), TaskRunning)
    list_files(deployment, *(describe_file(name) for name in ("one", "two", "three")))
    done = await poll(provider, task)
    assert isinstance(done, TaskSucceeded)
    assert done.data["checkpoint_ids"] == ["id-one", "id-two", "id-three"]


async def test_a_link_that_led_nowhere_is_told_apart_from_the_files_that_came(new_provider: NewProvider) -> None:
    """It leaves a record that is in use and holds no file."""
    deployment = ScriptedDeployment("1.7")
    deployment.on("POST /checkpoints", build_response({"statusCode": 202, "message": "in progress"}, 202))
    provider = new_provider(deployment)
    task = await submit(provider, FETCH)
    list_files(deployment, describe_file("one"), describe_file("two"), describe_file("three", is_stored=False))
    done = await poll(provider, task)
    assert isinstance(done, TaskSucceeded)
    assert done.data["files"] == ["one.safetensors", "two.safetensors"]
    assert "three.safetensors" in done.data["remarks"]
    list_files(deployment, *(describe_file(name, is_stored=False) for name in ("one", "two", "three")))
    assert isinstance(await poll(provider, task), TaskFailed)


async def test_a_file_that_was_never_stored_is_no_model_to_choose(new_provider: NewProvider) -> None:
    deployment = ScriptedDeployment("1.7")
    list_files(deployment, describe_file("one"), describe_file("two", is_stored=False))
    page = await new_provider(deployment).list_models("lora", base=None, offset=0, limit=10)
    assert [model.id for model in page.models] == ["one.safetensors"]


async def test_files_that_never_come_are_not_waited_for_for_ever(
    new_provider: NewProvider, clock: AutoAdvanceClock
) -> None:
    deployment = ScriptedDeployment("1.7")
    deployment.on("POST /checkpoints", build_response({"statusCode": 202, "message": "in progress"}, 202))
    provider = new_provider(deployment)
    task = await submit(provider, FETCH)
    list_files(deployment, describe_file("one"))
    assert isinstance(await poll(provider, task), TaskRunning)
    await clock.sleep(3600)
    done = await poll(provider, task)
    assert isinstance(done, TaskSucceeded)
    assert "two.safetensors, three.safetensors" in done.data["remarks"]


async def test_the_single_record_of_v1_3_tells_in_its_answer_alone_what_is_missing(new_provider: NewProvider) -> None:
    deployment = ScriptedDeployment("1.3")
    names = [link.rpartition("/")[2] for link in LINKS]
    uploads = {names[0]: {"uploadId": "u"}, names[1]: {"uploadId": "u"}, names[2]: None}
    made = {"id": "c1", "status": "Active", "params": {"multipart_upload": uploads}}
    deployment.on("POST /upload_checkpoint", build_response({"statusCode": 200, "checkpoint": made}))
    deployment.on(
        "GET /checkpoints", build_response({"checkpoints": [{"id": "c1", "status": "Active", "name": names}]})
    )
    provider = new_provider(deployment)
    done = await poll(provider, await submit(provider, FETCH))
    assert isinstance(done, TaskSucceeded)
    assert (done.data["checkpoint_ids"], done.data["files"]) == (["c1"], names[:2])
