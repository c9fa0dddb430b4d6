"""The versions of the middleware and what tells one from another (contract: versions, routes).

What differs in a body's form is in ``forms``; what differs in behaviour is a fact of :class:`DeployedVersion`, which
the handlers ask instead of comparing numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

VersionName: TypeAlias = Literal["1.3", "1.4", "1.5", "1.7"]
ALL_RIGHTS: Final = ("train:all", "checkpoint:all", "inference:all", "sagemaker_endpoint:all", "user:all", "role:all")
OPERATOR_ROLE: Final = "IT Operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedVersion:
    """One version of the middleware."""

    name: VersionName
    header: str | None
    """What ``x-api-version`` says; v1.4 says 1.3.0."""
    is_legacy: bool = False
    """Whether it speaks the API of 2023."""
    has_authorizer: bool = False
    """The gateway wants Authorization on some routes, and the code believes what a body says of its user."""
    has_debug: bool = False
    """Answers of the code have ``debug``, those of the gateway ``requestId``, the root answers, times have a T."""
    crashes_to_502: bool = False
    """A body the code cannot take is an HTTP 502 (contract: conventions.required_flags)."""
    other_status: int = 400
    """The status of what the code refuses without knowing why."""
    has_pages: bool = False
    """Lists of tables come in pages by key, and an endpoint that is updating serves (contract: paging.keys)."""
    has_training_bases: bool = False
    endpoint_prefixes: tuple[str, str] = ("sd", "comfy")
    """What the names of endpoints of the two service types begin with."""
    built_in_creator: str = "ESD"
    built_in_users: tuple[str, ...] = ("api",)
    built_in_roles: tuple[str, ...] = ("byoc", OPERATOR_ROLE)
    hidden_password: str = "********"  # noqa: S105 - it hides one
    most_files: int = 24
    """Files of a data set: what its table takes at once."""
    stores_notices: bool = False
    """``sagemakerRaw`` is told of successes and of the worker's own errors (contract: answered.sagemaker_raw)."""
    names_parameter_file: bool = True
    """A finished inference has ``inference_info_name``."""
    image_suffix: str = "png"


VERSIONS: Final[dict[str, DeployedVersion]] = {
    version.name: version
    for version in (
        DeployedVersion(
            name="1.3",
            header=None,
            is_legacy=True,
            has_authorizer=True,
            other_status=500,
            has_training_bases=True,
            endpoint_prefixes=("infer-endpoint", ""),
            built_in_creator="admin",
            built_in_users=("admin", "api"),
            built_in_roles=(OPERATOR_ROLE,),
            stores_notices=True,
            image_suffix="jpg",
        ),
        DeployedVersion(
            name="1.4",
            header="1.3.0",
            has_authorizer=True,
            crashes_to_502=True,
            other_status=500,
            has_training_bases=True,
            endpoint_prefixes=("esd", ""),
            built_in_creator="admin",
            built_in_users=("admin", "api"),
            built_in_roles=(OPERATOR_ROLE,),
            stores_notices=True,
        ),
        DeployedVersion(name="1.5", header="1.5.0", has_pages=True, endpoint_prefixes=("esd", "")),
        DeployedVersion(
            name="1.7",
            header="1.7.0",
            has_debug=True,
            has_pages=True,
            hidden_password="",
            most_files=500,
            names_parameter_file=False,
        ),
    )
}
