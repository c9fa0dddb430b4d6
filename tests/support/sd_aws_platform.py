"""The platform and the workers behind the recorded middleware, played through the emulator's control API.

``BEFORE`` does what a recording says happened before an exchange, ``UNSAID`` what it does not say but shows: rows that
somebody made, machines that were there, workers that failed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from tests.support.emulator_harness import BOUND_S

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.support.recordings import Exchange
    from tests.support.sd_aws_replay import SdAwsReplay

    Action = Callable[[SdAwsReplay], Awaitable[None]]

OUT_OF_MEMORY: Final = "OutOfMemoryError: CUDA out of memory."
MODEL_ERROR: Final = (
    'ModelError: Received server error (500) from primary with message "Internal Server Error". See the log of the '
    "endpoint."
)
CLIENT_ERROR: Final = "ClientError: Received server error (500) from model. See the log of the endpoint."
SERVICE_ERROR: Final = "detail: service returned an error: Internal Server Error"
NO_QUOTA: Final = (
    "ResourceLimitExceeded: The account-level service limit 'ml.g5.2xlarge for training job usage' is 0 Instances, "
    "with current utilization of 0 Instances and a request delta of 1 Instances."
)
SLOW_S: Final = 1e6
"""How long what is not ended by hand takes."""


async def act_before(replay: SdAwsReplay, exchange: Exchange) -> None:
    """Everything that happened before an exchange."""
    for key in (exchange.name, f"v{replay.version} {exchange.name}"):
        if key in UNSAID:
            await UNSAID[key](replay)
    if exchange.before:
        await BEFORE[exchange.before](replay)


async def do_nothing(_: SdAwsReplay) -> None:
    """What the emulator has done by itself."""


async def finish_run(replay: SdAwsReplay) -> None:
    """The job that was started last is over; after a lost answer, the newest one."""
    await replay.finish(
        replay.last_run or (await replay.call("GET", "/inferences", limit=1))["data"]["inferences"][0]["InferenceJobId"]
    )


def fail_run(reason: str) -> Action:
    """The job that was started last has failed."""

    async def act(replay: SdAwsReplay) -> None:
        await replay.fail(replay.last_run, reason)

    return act


def fail_next(reason: str) -> Action:
    """What is started next will fail."""

    async def act(replay: SdAwsReplay) -> None:
        await replay.fail_next(reason)

    return act


def take(seconds: float) -> Action:
    """Jobs take so long from now on."""

    async def act(replay: SdAwsReplay) -> None:
        await replay.set(task_seconds=seconds)

    return act


def finish_made(family: str, count: int = 1) -> Action:
    """What was made last is ready."""

    async def act(replay: SdAwsReplay) -> None:
        for made in replay.made[family][-count:]:
            await replay.finish(made)

    return act


async def finish_made_and_make_role(replay: SdAwsReplay) -> None:
    """The endpoint that was made last is ready, and its role is there for users to have."""
    await finish_made("endpoints")(replay)
    await replay.call("POST", "/roles", {"role_name": "byoc2", "permissions": ["inference:create"], "creator": "api"})


def fail_made(family: str, reason: str) -> Action:
    """What was made last has failed."""

    async def act(replay: SdAwsReplay) -> None:
        await replay.fail(replay.made[family][-1], reason)

    return act


def report_first_endpoint(status: str, **more: Any) -> Action:
    """The first endpoint is in a state."""

    async def act(replay: SdAwsReplay) -> None:
        await replay.report(endpoint=replay.made["endpoints"][0], status=status, **more)

    return act


def report_training(status: str, **more: Any) -> Action:
    """The training that was made last is in a state."""

    async def act(replay: SdAwsReplay) -> None:
        await replay.report(training=replay.made["trainings"][-1], status=status, **more)

    return act


def report_run(**facts: Any) -> Action:
    """Something about the job that was started last."""

    async def act(replay: SdAwsReplay) -> None:
        await replay.report(inference=replay.last_run, **facts)

    return act


async def finish_animation(replay: SdAwsReplay) -> None:
    """The job that was started last has made a GIF."""
    await replay.report(inference=replay.last_run, is_animation=True)
    await replay.finish(replay.last_run)


async def delete_endpoint(replay: SdAwsReplay) -> None:
    """The endpoint of which the deletion was asked is gone."""
    await replay.report(endpoint="infer-endpoint-x0", status="Deleted", instances=0)


async def make_many_people(replay: SdAwsReplay) -> None:
    """Twelve more users, each with a role."""
    for number in range(12):
        await make_user(replay, f"many{number:02}", f"many{number:02}", "train:list")


async def make_user(replay: SdAwsReplay, name: str, role: str, right: str) -> None:
    """A user with one role that has one right."""
    ending = "" if replay.version == "1.3" else "s"
    await replay.call("POST", f"/role{ending}", {"role_name": role, "permissions": [right], "creator": "api"})
    user = {"username": name, "password": "x", "roles": [role], "creator": "api"}
    await replay.call("POST", f"/user{ending}", user)


async def make_eve(replay: SdAwsReplay) -> None:
    """A user who may list checkpoints."""
    await make_user(replay, "eve", "viewer", "checkpoint:list")


async def make_lea(replay: SdAwsReplay) -> None:
    """A user who may list checkpoints."""
    await make_user(replay, "lea", "viewer", "checkpoint:list")


async def make_endpoints(replay: SdAwsReplay) -> None:
    """Endpoints enough for pages."""
    for number in range(9 if replay.version == "1.3" else 5):
        body: dict[str, Any] = {
            "endpoint_type": "Async", "instance_type": "ml.g5.2xlarge", "initial_instance_count": 1,
            "autoscaling_enabled": False, "assign_to_roles": [f"rx{number}"], "creator": "api",
            "endpoint_name": f"x{number}",
        }  # fmt: skip
        if replay.version == "1.3":
            body = {**body, "initial_instance_count": "1"}
            del body["endpoint_type"]
        await replay.call("POST", "/endpoints", body)


async def make_datasets(replay: SdAwsReplay) -> None:
    """Data sets enough for pages; the first is enabled again."""
    await enable_dataset(replay)
    item: dict[str, Any] = {"filename": "b.png", "name": "b.png", "type": "image", "params": {}}
    for number in range(9):
        body: dict[str, Any] = {"dataset_name": f"set{number}", "content": [item], "creator": "api"}
        body["params"] = {"description": "cats"}
        if replay.version == "1.7":
            body["prefix"] = "10_cat"
        await replay.call("POST", "/dataset" if replay.version == "1.3" else "/datasets", body)


async def enable_dataset(replay: SdAwsReplay) -> None:
    """The data set is enabled again."""
    if replay.version == "1.3":
        await replay.call("PUT", "/dataset", {"dataset_name": "cats", "status": "Enabled"})
    else:
        await replay.call("PUT", "/datasets/cats", {"status": "Enabled"})


async def make_trainings(replay: SdAwsReplay) -> None:
    """Trainings enough for pages."""
    for number in range({"1.3": 10, "1.4": 11}.get(replay.version, 9)):
        await replay.call("POST", *_build_training(replay, number))


async def make_running_training(replay: SdAwsReplay) -> None:
    """One more training, which is running when it is deleted."""
    made = (await replay.call("POST", *_build_training(replay, 100)))["data"]["id"]
    replay.bindings.values["id:111" if replay.version == "1.7" else "id:100"] = made


async def make_inferences(replay: SdAwsReplay) -> None:
    """The base checkpoint is active again, and three more inferences are prepared."""
    await set_checkpoint("Active")(replay)
    for _ in range(3):
        body: dict[str, Any] = {"task_type": "txt2img", "inference_type": "Async", "models": {}}
        if replay.version == "1.4":
            body |= {"filters": {}, "user_id": "api"}
        await replay.call("POST", "/inferences", body)


async def make_old_inferences(replay: SdAwsReplay) -> None:
    """Four more inferences are prepared, and the one whose start crashed has succeeded all the same."""
    body: dict[str, Any] = {"task_type": "txt2img", "models": {}, "filters": {}, "user_id": "api"}
    for _ in range(4):
        await replay.call("POST", "/inference/v2", body)
    for job in await replay.call("GET", "/inference/list-inference-jobs"):
        if job["taskType"] == "rembg" and job["status"] == "inprogress":
            await replay.finish(job["InferenceJobId"])


def set_checkpoint(state: str) -> Action:
    """The base checkpoint is in a state."""

    async def act(replay: SdAwsReplay) -> None:
        checkpoint_id = replay.bindings.values["id:2"]
        if replay.version == "1.3":
            body: dict[str, Any] = {"checkpoint_id": checkpoint_id, "status": state, "multi_parts_tags": {}}
            await replay.call("PUT", "/checkpoint", body)
        else:
            body = {"status": state, "multi_parts_tags": {"none": []}}
            await replay.call("PUT", f"/checkpoints/{checkpoint_id}", body)

    return act


def wait_for_checkpoints(total: int, **query: str) -> Action:
    """Files have been fetched in the background."""

    async def act(replay: SdAwsReplay) -> None:
        async with asyncio.timeout(BOUND_S):
            while (await replay.call("GET", "/checkpoints", **query))["data"]["total"] < total:
                await asyncio.sleep(0)

    return act


def _build_training(replay: SdAwsReplay, number: int) -> tuple[str, dict[str, Any]]:
    options = {"training_instance_type": "ml.g5.2xlarge", "dataset": "cats", "fm_type": "sd_1_5"}
    options["model"] = "v1-5-pruned-emaonly.safetensors"
    saving = {"output_name": f"p{number}", "save_every_n_epochs": 1}
    match replay.version:
        case "1.7":
            config: dict[str, Any] = {**saving, "max_train_epochs": 2}
        case "1.5":
            config = {"saving_arguments": saving, "training_arguments": {"max_train_epochs": 2}}
        case _:
            params: dict[str, Any] = {"training_params": {"data_tar_list": []}, "config_params": {}}
            base = {"train_type": "Stable-diffusion", "model_id": replay.made["models"][0], "creator": "api"}
            body: dict[str, Any] = {**base, "params": params, "filenames": []}
            return ("/train" if replay.version == "1.3" else "/trainings"), body
    return "/trainings", {"lora_train_type": "kohya", "params": {"training_params": options, "config_params": config}}


BEFORE: Final[dict[str, Action]] = {
    "Twelve more users and roles have been made.": make_many_people,
    "A user lea with the right checkpoint:list alone has been made.": make_lea,
    "The user eve has one role with the right checkpoint:list only; by now there are rows of every kind.": make_eve,
    "The rename has been carried out.": do_nothing,
    "A second later.": do_nothing,
    "The three downloads have finished.": wait_for_checkpoints(4, types="Lora", status="Active"),
    "All background work has ended.": wait_for_checkpoints(6, types="Lora", status="Active"),
    "The base checkpoint has been disabled.": set_checkpoint("Disabled"),
    "The platform has reported the endpoint in service.": finish_made("endpoints"),
    "Both ComfyUI endpoints are in service.": finish_made("endpoints", 2),
    "The platform has reported a failure.": fail_made("endpoints", "no machine"),
    "The platform has reported a failure with a reason.": fail_made("endpoints", "no machine"),
    "The platform has reported the deletion.": delete_endpoint,
    "The platform is updating the first endpoint (it scales).": report_first_endpoint("Updating"),
    "The platform rolls back.": report_first_endpoint("ROLLING_BACK"),
    "In service again, scaled to zero.": report_first_endpoint("InService", instances=0),
    "The worker has begun.": report_run(has_begun=True),
    "The worker has finished.": finish_run,
    "The second run has finished.": finish_run,
    "The worker has answered with an error of its own.": fail_run(OUT_OF_MEMORY),
    "The worker has answered with an error.": fail_run(OUT_OF_MEMORY),
    "The platform has reported a failed invocation.": fail_run(CLIENT_ERROR),
    "The worker has answered with null.": finish_run,
    "The worker has answered with a GIF.": finish_animation,
    "The crop has finished.": do_nothing,
    "The conversion has ended.": finish_made("models"),
    "The conversion has failed.": fail_made("models", "no memory"),
    "The platform has completed it.": finish_made("trainings"),
    "The platform has failed it.": fail_made("trainings", "AlgorithmError: exit code 1"),
    "The platform has reported Downloading.": report_training("Downloading"),
    "The platform has reported Training.": report_training("Training"),
    "The platform has reported Uploading.": report_training("Uploading"),
    "The platform has reported Stopping.": report_training("Stopping"),
    "The platform has reported Stopped; the background code cannot read the row any more (KeyError: 'Stopping').": (
        do_nothing
    ),
    "The platform has reported Completed.": finish_made("trainings"),
    "The platform has reported Completed; the trainer has left its file.": finish_made("trainings"),
    "The platform has reported Completed; the trainer has left its file and a log.": finish_made("trainings"),
    "The platform has reported Failed.": fail_made("trainings", "AlgorithmError: exit code 1"),
    "The platform has reported Completed, but no file was left.": report_training("Completed", has_file=False),
    "Files left in storage below the base model: [].": do_nothing,
}
"""By what the recordings say."""

UNSAID: Final[dict[str, Action]] = {
    "checkpoint lists and pages 1": wait_for_checkpoints(7, types="Lora", status="Active"),
    "endpoint forms 2": finish_made_and_make_role,
    "endpoint lists 1": make_endpoints,
    "endpoint lists and pages 1": make_endpoints,
    "inference Real-time 1": take(0),
    "inference Real-time past the limit of the gateway 1": take(SLOW_S),
    "inference Real-time that fails 1": take(0),
    "inference Real-time that fails 6": fail_next(OUT_OF_MEMORY),
    "inference Real-time that fails 10": fail_next(MODEL_ERROR),
    "v1.7 inference Real-time that fails 14": fail_next(SERVICE_ERROR),
    "inference kinds 1": take(SLOW_S),
    "inference kinds 18": finish_run,
    "v1.3 signed upload and name lists 1": set_checkpoint("Active"),
    "inference lists and pages 1": make_inferences,
    "inference lists 1": make_old_inferences,
    "data set cropped 1": enable_dataset,
    "v1.3 data set refused 15": make_datasets,
    "data set lists and pages 1": make_datasets,
    "v1.7 training that fails 5": fail_next(NO_QUOTA),
    "v1.5 training that fails 6": fail_next(NO_QUOTA),
    "v1.3 training refused 11": make_trainings,
    "training lists 1": make_trainings,
    "trainings deleted 6": make_running_training,
    "training lists and pages 1": make_trainings,
}
"""By version, where it matters, story and step."""
