"""Which provider does a request, where several may: the first whose plan refuses nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import pytest

from atelier_mcp.server.errors import InvalidRequest, ProviderUnavailable
from atelier_mcp.server.jobs.submitter import prepare
from atelier_mcp.server.providers.base import Plan
from atelier_mcp.server.requests.create import GenerateImage
from tests.jobs.doubles import FakeImagePipeline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.pipeline import ImagePipeline
    from atelier_mcp.server.providers.provider import Provider

REQUEST = GenerateImage.model_validate({"prompt": "a kite"})


@dataclass
class PlanningOperation:
    """Answers every plan alike."""

    outcome: Plan | Exception
    plan_count: int = 0

    async def plan(self, request: GenerateImage, headers: Mapping[str, Any]) -> Plan:  # the protocol's signature
        """The outcome."""
        self.plan_count += 1
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@dataclass
class PlanningProvider:
    """A provider as far as a plan needs one."""

    name: str
    outcome: Plan | Exception = field(default_factory=lambda: Plan(REQUEST, notes=("chosen",)))
    account: str = "somebody"
    is_emulated: bool = False

    def __post_init__(self) -> None:
        self.operation = PlanningOperation(self.outcome)
        self.operations = {"generate_image": self.operation}


async def choose(
    *providers: PlanningProvider, others: tuple[PlanningProvider, ...] = ()
) -> tuple[str, tuple[str, ...]]:
    """Who does it, and what is said."""
    submission = await prepare(
        REQUEST,
        providers=cast("tuple[Provider, ...]", providers),
        others=cast("tuple[Provider, ...]", others),
        pipeline=cast("ImagePipeline", FakeImagePipeline()),
        now=datetime(2026, 11, 20, tzinfo=UTC),
    )
    return submission.provider.name, submission.notes


async def test_the_preferred_one_does_it_and_no_other_is_asked() -> None:
    other = PlanningProvider("other")
    assert await choose(PlanningProvider("first"), other) == ("first", ("chosen",))
    assert other.operation.plan_count == 0


async def test_who_cannot_is_passed_over_and_the_reason_is_said_first() -> None:
    refusing = PlanningProvider("first", InvalidRequest("images: at least 10."))
    assert await choose(refusing, PlanningProvider("other")) == (
        "other",
        ("At other, since first cannot: images: at least 10.", "chosen"),
    )


async def test_who_lists_a_name_comes_before_who_took_it_unchecked() -> None:
    unchecked = PlanningProvider("first", Plan(REQUEST, has_unchecked_ids=True))
    assert (await choose(unchecked, PlanningProvider("other")))[0] == "other"
    assert (await choose(unchecked, PlanningProvider("other", InvalidRequest("no"))))[0] == "first"
    assert (await choose(unchecked))[0] == "first"


async def test_where_none_can_each_reason_is_said_once() -> None:
    with pytest.raises(InvalidRequest) as caught:
        await choose(
            PlanningProvider("first", InvalidRequest("seed: at most 9.", hint="See there.")),
            PlanningProvider("other", InvalidRequest("prompt: too long.", hint="See there.")),
        )
    assert "first: seed: at most 9.\nother: prompt: too long." in str(caught.value)
    assert str(caught.value).count("See there.") == 1
    with pytest.raises(InvalidRequest) as caught:
        await choose(*(PlanningProvider(name, InvalidRequest("the same.")) for name in ("first", "other")))
    assert caught.value.message == "the same."


async def test_a_service_that_is_down_is_no_reason_to_pay_another() -> None:
    """What time can mend is said as it is."""
    with pytest.raises(ProviderUnavailable):
        await choose(PlanningProvider("first", ProviderUnavailable("down")), PlanningProvider("other"))


async def test_a_refusal_of_the_one_that_was_wanted_names_those_that_could() -> None:
    wanted = PlanningProvider("wanted", InvalidRequest("No endpoint is in service.", hint="Deploy one."))
    unsure = PlanningProvider("unsure", Plan(REQUEST, has_unchecked_ids=True))
    down = PlanningProvider("down", ProviderUnavailable("down"))
    others = (wanted, PlanningProvider("able"), unsure, down, PlanningProvider("no", InvalidRequest("no")))
    with pytest.raises(InvalidRequest) as caught:
        await choose(wanted, others=others)
    assert caught.value.hint == "Deploy one. Or leave provider out: able can do it."
    assert wanted.operation.plan_count == 1


async def test_a_refusal_names_nobody_where_nobody_could() -> None:
    wanted = PlanningProvider("wanted", InvalidRequest("seed: at most 9."))
    with pytest.raises(InvalidRequest) as caught:
        await choose(wanted, others=(wanted, PlanningProvider("no", InvalidRequest("no"))))
    assert not caught.value.hint
