"""What the drives in ``tests/e2e`` are measured with: the contracts as data, and a log held against them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.contract_pages import CONTRACTS, read_calls
from tests.support.wire_coverage import WireCoverage, measure_coverage

PAGES = re.findall(r"\| \[(\w+)\.md\].*\| (\d+)", (CONTRACTS / "README.md").read_text("utf-8"))
"""Each page of contracts with the number of its calls, as the list of pages says."""
WITHOUT_PARAMETERS = {
    "sd_webui": {"interrupt", "skip", "refresh_checkpoints", "refresh_loras"},
    "comfyui": {"jobs.cancel"},
}
"""By page the POST calls that take nothing."""
ADD: dict[str, Any] = {
    "upstream": "miaohua_v1b",
    "method": "POST",
    "path": "/api/v1b/dataset/add_images",
    "query": {},
    "body": {"token": "***", "dataset": 7, "images": ["https://oss.example.com/a"]},
    "status": 200,
}
EVERYTHING_ELSE = {
    call.id: "not what this is about" for call in read_calls("miaohua") if call.id != "dataset_add_images"
}


def measure(*entries: dict[str, Any], **more: str) -> WireCoverage:
    """The coverage of one call; the others of its service are excused, and ``more`` besides."""
    return measure_coverage("miaohua", entries, exceptions={**EVERYTHING_ELSE, **more})


@pytest.mark.parametrize(("page", "count"), PAGES)
def test_every_call_of_a_page_is_read(page: str, count: str) -> None:
    """As many as the list of pages says; a POST without parameters would be one whose table was not understood."""
    calls = read_calls(page)
    assert len(calls) == int(count)
    posts = {call.id for call in calls if call.method == "POST" and not call.parameters}
    assert posts == WITHOUT_PARAMETERS.get(page, set())


def test_every_page_has_a_drive() -> None:
    """A service without one would be measured by nothing."""
    drives = "".join(path.read_text("utf-8") for path in (Path(__file__).parent / "e2e").glob("test_*.py"))
    assert set(re.findall(r'check_coverage\("(\w+)"', drives)) == {page for page, _ in PAGES}


def test_parameters_of_another_call_and_those_left_out_are_read_too() -> None:
    by_id = {call.id: call.parameters for page in ("mhapi", "miaohua", "sensenova") for call in read_calls(page)}
    assert by_id["face.imggen_sync"] == by_id["face.imggen"] > {"faces[].url"}
    assert by_id["chat_completions"] >= {"messages[].role", "stream", "user_id"}
    assert by_id["cn_artist"] == {"token"}
    assert by_id["get_token"] == {"email", "password"}
    assert by_id["imgenstd.result"] == set(), "what stands in the path is seen by the call"


def test_a_call_with_all_its_parameters_leaves_nothing_to_complain_of() -> None:
    coverage = measure(ADD)
    assert coverage.complaints == []
    assert "miaohua: 1/21 calls, 4/92 parameters over the wire" in coverage.format_report()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            {"body": {"token": "***", "dataset": 7}},
            ["dataset_add_images/images: never sent", "dataset_add_images/images[]: never sent"],
        ),
        ({"body": {"token": "***", "dataset": 7, "images": []}}, []),
        ({"status": 405}, ["dataset_add_images: never sent"]),
        ({"method": "GET"}, ["dataset_add_images: never sent"]),
        ({"upstream": "mhapi"}, ["dataset_add_images: never sent"]),
        ({"path": "/api/v1b/dataset/add_images/more"}, ["dataset_add_images: never sent"]),
    ],
    ids=str,
)
def test_what_was_not_sent_or_was_refused_is_missing(change: dict[str, Any], complaint: list[str]) -> None:
    """Of a call that was never made, the call alone is named."""
    assert measure({**ADD, **change}).complaints == complaint


def test_parameters_count_wherever_they_are_sent() -> None:
    in_query = {**ADD, "query": {"dataset": "7"}, "body": {"token": "***", "images": ["x"]}}
    assert measure(in_query).complaints == []
    upload = {**ADD, "path": "/api/v1b/upload_img", "body": None, "form": ["init_img", "token"]}
    sent = measure_coverage("miaohua", [upload], exceptions={}).sent_parameters
    assert sent == {"upload_img/init_img", "upload_img/token"}


def test_a_name_with_a_word_to_fill_in_is_met_by_any_word() -> None:
    tags = {"ink.safetensors": [{"ETag": "e", "PartNumber": 1}]}
    entry = {
        **ADD,
        "upstream": "sd_aws",
        "method": "PUT",
        "path": "/prod/checkpoint",
        "body": {"multi_parts_tags": tags},
    }
    sent = measure_coverage("sd_aws", [entry], exceptions={}).sent_parameters
    assert "update_checkpoint/multi_parts_tags.<filename>[].ETag" in sent


def test_a_call_counts_where_it_is_deployed_too() -> None:
    """Some are printed with a path that nobody serves."""
    moved = {**ADD, "path": "/api/v1b/fill_dataset"}
    other = {"dataset_add_images": ("POST", "/fill_dataset")}
    for entry in (ADD, moved):
        coverage = measure_coverage("miaohua", [entry], exceptions=EVERYTHING_ELSE, other_paths=other)
        assert coverage.complaints == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("dataset_add_images/dataset", "sent, though it is said never to be"),
        ("dataset_add_images", "sent, though it is said never to be"),
        ("dataset_add_images/colour", "the contract has no such thing"),
        ("paint", "the contract has no such thing"),
    ],
)
def test_a_reason_that_no_longer_holds_is_complained_of(name: str, words: str) -> None:
    assert measure(ADD, **{name: "once true"}).complaints == [f"{name}: {words}"]
