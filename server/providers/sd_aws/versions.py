"""Which version of the middleware is deployed, and what differs between versions (contract: versions, routes)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION_HEADER: Final = "x-api-version"
_NUMBER = re.compile(r"\s*v?(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True, order=True)
class MiddlewareVersion:
    """A version. One that was never seen is treated like the newest known one before it."""

    major: int
    minor: int

    def __str__(self) -> str:
        """As people write it: ``v1.4``."""
        return f"v{self.major}.{self.minor}"

    @property
    def generation(self) -> str:
        """The year of its API: 2023, or 2024 for the later one with resources and one envelope."""
        return "2023" if self.is_legacy else "2024"

    @property
    def is_legacy(self) -> bool:
        """Whether it is of the generation of 2023."""
        return self < V1_4

    @property
    def has_training_bases(self) -> bool:
        """Whether trainings start from a base made beforehand, and wait to be started."""
        return self < V1_5

    @property
    def pages_by_key(self) -> bool:
        """Whether lists end after ten rows and name a key for the rest (contract: paging)."""
        return self >= V1_5

    @property
    def believes_body(self) -> bool:
        """Whether the user that acts is the one named in the body, not in a header (contract: auth.acting_user)."""
        return self < V1_5

    @property
    def needs_endpoint_creator(self) -> bool:
        """Whether a deployment must name its creator in the body."""
        return self < V1_7

    @property
    def has_instance_bounds(self) -> bool:
        """Whether autoscaling has a minimum and a maximum of its own (contract: answered.instance_numbers)."""
        return self >= V1_5

    @property
    def has_service_types(self) -> bool:
        """Whether endpoints can be for something else than pictures (contract: answered.service_type)."""
        return self >= V1_7

    @property
    def serves_while_updating(self) -> bool:
        """Whether an endpoint that is being updated takes jobs that do not name it."""
        return self >= V1_5

    @property
    def has_dataset_prefix(self) -> bool:
        """Whether the files of a data set can lie in a folder below it."""
        return self >= V1_5

    @property
    def max_dataset_files(self) -> int:
        """How many files a data set takes; the table of the earlier versions takes no more in one write."""
        return 500 if self >= V1_7 else 24

    @property
    def max_endpoint_name_chars(self) -> int:
        """How long the end of an endpoint's name may be; the platform allows 63 for all of it."""
        return 40 if self >= V1_7 else 20

    @property
    def has_flat_training_settings(self) -> bool:
        """Whether the settings of a LoRA's training stand beside each other."""
        return self >= V1_7

    @property
    def answers_bad_requests_with_502(self) -> bool:
        """Whether the gateway's 502 means a wrong request, which is not to be repeated (contract: errors.502)."""
        return self == V1_4


V1_3: Final = MiddlewareVersion(1, 3)
V1_4: Final = MiddlewareVersion(1, 4)
V1_5: Final = MiddlewareVersion(1, 5)
V1_7: Final = MiddlewareVersion(1, 7)


def parse_version(headers: Mapping[str, str]) -> MiddlewareVersion | None:
    """The version that an answer's header tells; None where it tells none.

    v1.4 calls itself 1.3.0, and v1.3 sends no such header (contract: versions).
    """
    found = _NUMBER.match(headers.get(VERSION_HEADER, ""))
    return max(V1_4, MiddlewareVersion(int(found[1]), int(found[2]))) if found else None
