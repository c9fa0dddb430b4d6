"""Every recorded answer of four versions of the middleware, and what the provider makes of it: result, fault, price.

The count of stories, exchanges and differences is printed with ``-s``; every exchange that no request of ours leads to
stands in ``NEVER_SENT`` with a reason, and a reason that no exchange needs any more fails.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import Spent
from tests.support.recordings import SD_AWS_VERSIONS, load_exchanges
from tests.support.sd_aws_provider_callers import CALLERS, find_caller
from tests.support.sd_aws_provider_replay import Replayer, realize
from tests.support.sd_aws_provider_verdicts import compare, judge, list_key_paths

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.clock import AutoAdvanceClock
    from tests.support.recordings import Exchange


@dataclass(frozen=True)
class NeverSent:
    """Calls that the provider does not make, and why."""

    calls: str
    """A pattern for verb and path."""
    reason: str
    versions: tuple[str, ...] = SD_AWS_VERSIONS
    body: str = ""
    """A pattern within the body; empty for any."""
    query: str = ""
    """A key of the query; empty for any."""
    no_query: bool = False

    def covers(self, version: str, exchange: Exchange) -> bool:
        call = f"{exchange.request['method']} {realize(exchange.request['path'])}"
        return (
            version in self.versions
            and re.fullmatch(self.calls, call) is not None
            and re.search(self.body, str(exchange.request["body"])) is not None
            and (not self.query or self.query in (exchange.request["query"] or {}))
            and not (self.no_query and exchange.request["query"])
        )


NEVER_SENT: Final = (
    NeverSent(r"\w+ /(users?|roles?)(/.*)?", "users and roles are the operator's"),
    NeverSent(r"DELETE /(checkpoints|inferences|datasets|trainings|models)", "endpoints alone are deleted"),
    NeverSent(r"POST /datasets/[^/]+/crop", "pictures are cropped before they are sent"),
    NeverSent(r"(GET /|GET /inference|GET /inferencesX|PATCH .*)", "probes of the recorder"),
    NeverSent(r"GET /inference/list-endpoint-deployment-jobs|GET /cats/data", "printed, and never deployed"),
    NeverSent(r"GET /inference/test-connection", "asked only where there is no /ping", ("1.4", "1.5", "1.7")),
    NeverSent(r"POST /inference/query-inference-jobs|GET /inferences", "the other list shows all", ("1.3",)),
    NeverSent(r"POST /inferences", "one step: a lost answer would leave no id", body="payload_string"),
    NeverSent(r"PUT /checkpoints/[^/]+", "names stay as they are", body="'name'"),
    NeverSent(r"PUT /checkpoint", "names stay as they are", ("1.3",), body="'name'"),
    NeverSent(r"PUT /trainings/[^/]+/stop", "it writes a word and stops nothing", ("1.4",)),
    NeverSent(r"GET /trainings/[^/]+", "its single record cannot be read", ("1.4",)),
    NeverSent(r"PUT /inference/v2/[^/]+/run", "the path printed for a training", ("1.3",), body="train_type"),
    NeverSent(r"GET /endpoints", "alone, a deployment's row has types in it", query="endpointDeploymentJobId"),
    NeverSent(r"GET https://storage.*/image[^/]*", "pictures are fetched by the image pipeline"),
    NeverSent(r"GET https://storage.*/dataset/.*", "files of a data set are not read back"),
    NeverSent(r"POST /trainings", "the file of settings is always uploaded", ("1.4",), body=r"'filenames': \[\]"),
    NeverSent(r"GET /inference/get-(inf|end).*-job.*", "no look without an id", ("1.3",), no_query=True),
)  # fmt: skip
REFUSED_HERE: Final = {
    "checkpoints from links 3": "v1.3 refuses a link to a file that is no model; so do we, before it is asked",
    "checkpoints from links 5": "v1.4 and later drop such a link without a word; we refuse it",
    "endpoint refused and other forms 7": "a name of 25 characters, where 20 are taken",
    "endpoint refused 9": "a name of 25 characters, where 20 are taken",
    "data set refused 9": "25 files in v1.3, where 24 are taken",
    "data set refused 14": "25 files in v1.4 and v1.5, where 24 are taken",
}
"""Exchanges whose answer needs not be asked for, by story and step."""


FORMS: Final = (
    "deploy", "delete_endpoints", "add_checkpoint", "change_checkpoint", "prepare", "start",
    "create_dataset", "finish_dataset", "create_base", "finish_base", "create_training",
    "start_training",
)  # fmt: skip
"""Calls of which it is compared what is sent: no key may be one that the version never took,
and none may be missing that was in everything it took."""
FREE_PARAMS: Final = ("params.creator", "params.message", "params.description", "params.config_params.")
"""Remarks of the caller's, and settings of trainers that take any."""


def _describe_form(body: object) -> frozenset[str]:
    is_lora = isinstance(body, dict) and "lora_train_type" in body
    return frozenset(path for path in list_key_paths(body) if is_lora or not path.startswith(FREE_PARAMS))


@dataclass
class Count:
    """What one version came to."""

    stories: set[str] = field(default_factory=set[str])
    replayed: int = 0
    refused_here: set[str] = field(default_factory=set[str])
    never_sent: set[NeverSent] = field(default_factory=set[NeverSent])
    never_sent_count: int = 0
    differences: list[str] = field(default_factory=list[str])
    forms_taken: dict[str, set[frozenset[str]]] = field(default_factory=dict[str, "set[frozenset[str]]"])
    """By version and call, the forms of the bodies that the service took."""
    forms_sent: dict[str, set[frozenset[str]]] = field(default_factory=dict[str, "set[frozenset[str]]"])
    """And of those that the provider sent."""

    def list_strange_forms(self) -> list[str]:
        """What was sent with a key that was never taken, or without one that was always there."""
        found: list[str] = []
        for key, taken in self.forms_taken.items():
            known = {path for form in taken for path in form}
            needed = {path for path in known if all(path in form for form in taken)}
            found += [
                f"{key}: {form - known} {needed - form}" for form in self.forms_sent[key] if not needed <= form <= known
            ]
        return found


async def count_version(version: str, clock: AutoAdvanceClock, folder: Path) -> Count:
    """Replay a version's recording."""
    count = Count()
    replayer = Replayer(version, clock, folder)
    for exchange in load_exchanges("sd_aws", version):
        count.stories.add(exchange.story)
        reasons = {rule for rule in NEVER_SENT if rule.covers(version, exchange)}
        if reasons:
            count.never_sent |= reasons
            count.never_sent_count += 1
            continue
        caller = find_caller(exchange)
        assert caller is not None, f"nothing leads to {exchange.name}, and no reason is given"
        found = await replayer.replay(exchange, CALLERS[caller], is_probe=caller == "connect")
        if not found.was_sent and exchange.name in REFUSED_HERE:
            assert (found.error, found.spent) == ("InvalidRequest", Spent.NOTHING)
            count.refused_here.add(exchange.name)
            continue
        count.replayed += 1
        if caller in FORMS and not judge(version, exchange, caller).error:
            key = f"v{version} {caller}"
            count.forms_taken.setdefault(key, set()).add(_describe_form(exchange.request["body"]))
            count.forms_sent.setdefault(key, set()).add(_describe_form(found.sent_body))
        difference = "the service was not asked" if not found.was_sent else ""
        difference = difference or compare(judge(version, exchange, caller), found, caller)
        if difference:
            count.differences.append(f"v{version} {exchange.name}: {difference}")
    await replayer.close()
    return count


async def test_every_recorded_answer_is_taken_for_what_it_is(clock: AutoAdvanceClock, tmp_path: Path) -> None:
    counts: list[Count] = []
    for version in SD_AWS_VERSIONS:
        (tmp_path / version).mkdir()
        count = await count_version(version, clock, tmp_path / version)
        counts.append(count)
        print(  # noqa: T201  # the count is for people
            f"v{version}: {len(count.stories)} stories, {count.replayed} exchanges replayed,"
            f" {len(count.refused_here)} refused here, {count.never_sent_count} never sent,"
            f" {len(count.differences)} differences"
        )
    differences = [difference for count in counts for difference in count.differences]
    assert not differences, "\n".join(differences)
    strange = [text for count in counts for text in count.list_strange_forms()]
    assert strange == [], "keys that the version never took, or that all it took had"
    unused = [rule.reason for rule in NEVER_SENT if not any(rule in count.never_sent for count in counts)]
    assert unused == [], "reasons that no exchange needs any more"
    assert set[str]().union(*(count.refused_here for count in counts)) == set(REFUSED_HERE)
    total = sum(count.replayed + len(count.refused_here) + count.never_sent_count for count in counts)
    assert total == sum(len(load_exchanges("sd_aws", version)) for version in SD_AWS_VERSIONS)
