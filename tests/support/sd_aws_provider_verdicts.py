"""What is right to make of a recorded answer, said from the recording alone; the provider is not asked here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, cast

from atelier_mcp.server.errors import Spent
from tests.support.sd_aws_provider_replay import Outcome, realize

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.support.recordings import Exchange

PAID: Final = ("deploy", "start", "start_in_one_step", "finish_base", "start_training")
"""What sets machines going; from v1.5 on, making a training does so, too."""
LISTS: Final = {
    "list_endpoints": ("endpoints", "name", "endpoint_name"),
    "list_checkpoints": ("checkpoints", "id", "id"),
    "list_inferences": ("jobs", "id", "InferenceJobId"),
    "list_datasets": ("datasets", "name", "datasetName"),
    "list_trainings": ("trainings", "id", "id"),
    "list_bases": ("bases", "id", "id"),
}
"""Of each list: our name of it, our name of what tells a row, and the service's name of that."""


def judge(version: str, exchange: Exchange, caller: str) -> Outcome:
    """What the provider should report."""
    refusal = _judge_refusal(version, exchange, caller)
    if refusal is None:
        return Outcome(value=_judge_success(version, exchange, caller))
    error, spent = refusal
    return _judge_refused_call(exchange, caller, error, spent)


def _judge_refusal(version: str, exchange: Exchange, caller: str) -> tuple[str, Spent] | None:
    """The kind of a fault and its price; None for success."""
    status, body = exchange.response["status"], exchange.response["body"]
    is_paid = caller in PAID or (caller == "create_training" and version in ("1.5", "1.7"))
    said = str(body)
    fields = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
    code = max(status, *(_read_number(fields.get(key)) for key in ("statusCode", "status")))
    crash = fields.get("errorType")
    words = [fields.get(key) for key in ("error", "err", "errMsg", "errorMsg", "msg")]
    is_other_failure = (caller == "deploy" and "data" not in fields) or "error deleting" in said
    if code < 400 and not crash and not any(words) and not is_other_failure:
        return None
    if re.search(r'user: \\?"\w+\\?" not exist', said) or status == 401:
        return "AuthenticationFailed", Spent.NOTHING
    if "permission" in said:
        return "AccountRefused", Spent.NOTHING
    if status == 403 and caller != "merge_models":
        return "AuthenticationFailed", Spent.NOTHING
    if is_paid and (status == 504 or crash not in (None, "TypeError", "AssertionError", "Exception")):
        return "SubmitUnconfirmed", Spent.MAYBE
    if status == 504:
        return "ProviderUnavailable", Spent.NOTHING
    assert status != 502 or version == "1.4", "no other version says 502"
    return "InvalidRequest", Spent.NOTHING


def _judge_refused_call(exchange: Exchange, caller: str, error: str, spent: Spent) -> Outcome:
    """What a fault means for what was asked."""
    said = str(exchange.response["body"])
    if exchange.request["path"] == "/ping" and "Missing Authentication Token" in said:
        return Outcome(value="v1.3")  # it answers to its own test
    if caller == "start":
        if error == "SubmitUnconfirmed" and exchange.response["status"] == 504:
            return Outcome(value=realize(exchange.request["path"]).split("/")[-2])  # it runs, and is followed
        if re.search(r"['\"](error|detail)['\"]: ['\"]\w", said):
            return Outcome("UpstreamFailed", Spent.UNKNOWN)
    if caller == "read_parameters" and exchange.response["status"] in (403, 404):
        return Outcome(value=None)  # not written yet
    if caller == "list_trainings" and error == "InvalidRequest" and exchange.response["status"] == 400:
        return Outcome("ProviderUnavailable", Spent.NOTHING)
    if caller in ("look_at_inference", "look_at_training", "look_at_pictures"):
        if re.search(r"with id \S+ not found|info item for id", said):
            return LOST
        return Outcome("ProviderUnavailable", Spent.NOTHING)  # it says nothing of the task
    return Outcome(error, spent)


def _judge_success(version: str, exchange: Exchange, caller: str) -> Any:
    """The result, in the form in which ``compare`` reads it."""
    body: Any = realize(exchange.response["body"])
    inner: Any = cast("dict[str, Any]", body).get("data", body) if isinstance(body, dict) else body
    if caller in LISTS:
        return [row[LISTS[caller][2]] for row in _find_rows(inner)]
    if caller in ("look_at_inference", "look_at_training"):
        return _judge_record(version, exchange, inner)
    return RESULTS[caller](version, inner) if caller in RESULTS else ...


def _read_parameters(inner: Any) -> Any:
    """A link leads to the file, whose content names its link in these tests."""
    if isinstance(inner, list):
        links = cast("list[Any]", inner)
        return {"parameters": {"from": links[0]}} if links else None
    return inner


def _read_started(inner: Any) -> Any:
    inference = inner.get("inference") or inner
    return inference.get("inference_id") or inference["InferenceJobId"]


LOST: Final = Outcome("lost: UpstreamFailed", Spent.UNKNOWN)
"""The task is unknown, or finished without a picture: believed when it is said for a while."""

RESULTS: Final[Mapping[str, Callable[[str, Any], Any]]] = {
    "connect": lambda version, inner: f"v{version}",
    "list_dataset_files": lambda version, inner: [row["name"] for row in _find_rows(inner)],
    "list_folder": lambda version, inner: inner,
    "deploy": lambda version, inner: inner["EndpointDeploymentJobId"],
    "explain_deployment": lambda version, inner: Outcome("UpstreamFailed", Spent.UNKNOWN),
    "prepare": lambda version, inner: inner["inference"]["id"],
    "start": lambda version, inner: _read_started(inner),
    "start_in_one_step": lambda version, inner: _read_started(inner),
    "look_at_pictures": lambda version, inner: ("succeeded", inner) if inner else LOST,
    "read_parameters": lambda version, inner: _read_parameters(inner),
    "create_training": lambda version, inner: inner.get("id") or inner["job"]["id"],
}
"""What each caller gets, out of the version and the answer without its envelope; those left out get nothing."""


def _judge_record(version: str, exchange: Exchange, record: Any) -> Any:
    state = record.get("job_status") or record["status"]
    if state in ("failed", "Failed", "Fail", "Stopped", "Stopping"):
        return Outcome("UpstreamFailed", Spent.UNKNOWN)
    if version == "1.3" and record["taskType"] in ("rembg", "extra-single-image") and state == "succeed":
        return LOST  # no picture is stored for these
    if state in ("succeed", "Completed", "Complete"):
        links = record.get("img_presigned_urls")
        if links is not None or version == "1.3":
            return ("succeeded", links) if links != [] else LOST
        return ("succeeded", [])
    if re.search(r"['\"](error|detail)['\"]: ['\"]\w", str(record.get("sagemakerRaw", ""))):
        return Outcome("UpstreamFailed", Spent.UNKNOWN)
    return "unfinished"


def compare(expected: Outcome, found: Outcome, caller: str) -> str:
    """Where a report differs from what it should be; empty for nowhere."""
    if isinstance(expected.value, Outcome):
        expected = expected.value
    right: Any = expected.value
    if (expected.error, expected.spent) != (found.error, found.spent):
        return f"{found.error} {found.spent} ({found.value}) for {expected.error} {expected.spent}"
    if expected.error or right is ...:
        return ""
    value = _read_value(found.value, caller)
    if right == ("succeeded", None):  # links of v1.3 are asked for apart
        return "" if value[0] == "succeeded" else f"{value} for a success"
    return "" if value == right else f"{value!r:.300} for {right!r:.300}"


def _read_value(value: Any, caller: str) -> Any:
    if caller in LISTS:
        name, key, _ = LISTS[caller]
        return (
            [f"{value['unreadable']} unreadable"]
            if "unreadable" in value
            else [row[key] for row in value[name] if not row[key].startswith("draft-")]
        )
    if caller == "list_dataset_files":
        return [row["name"] for row in value["datasets"][0]["files"]]
    if caller == "connect":
        return value["version"]
    if caller == "read_parameters":
        return value["jobs"][0].get("parameters")
    return value


def _find_rows(inner: Any) -> list[Any]:
    if isinstance(inner, list):
        return cast("list[Any]", inner)
    return next(cast("list[Any]", value) for value in cast("dict[str, Any]", inner).values() if isinstance(value, list))


def _read_number(value: Any) -> int:
    return int(value) if str(value).strip(",").isdigit() else 0


FREE_FORM: Final = frozenset({"models", "filters", "multi_parts_tags", "create_model_params", "concepts_list"})
"""Keys below which anything may stand."""


def list_key_paths(body: Any, prefix: str = "") -> frozenset[str]:
    """The form of a body: its keys, those within as ``outer.inner``; rows of a list count as one."""
    if isinstance(body, list):
        return frozenset[str]().union(*(list_key_paths(row, prefix) for row in cast("list[Any]", body)))
    if not isinstance(body, dict):
        return frozenset()
    found: set[str] = set()
    for key, value in cast("dict[str, Any]", body).items():
        found.add(prefix + key)
        if key not in FREE_FORM:
            found |= list_key_paths(value, f"{prefix}{key}.")
    return frozenset(found)
