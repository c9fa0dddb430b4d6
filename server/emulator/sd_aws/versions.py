"""The versions of the middleware and what tells one from another (contract: versions, routes).

What differs in a body's form is in ``forms``; what differs in behaviour is a fact of :class:`DeployedVersion`, which
the handlers ask instead of comparing numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

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
    """Answers of the code have ``debug``, those of the gateway ``requestId``."""
    crashes_to_502: bool = False
    """A body or a query the code cannot take is an HTTP 502 (contract: conventions.required_flags)."""
    other_status: int = 400
    """The status of what the code refuses without knowing why."""
    names_events: bool = False
    """What is wrong with a body's keys is told with the name the code has for it."""
    time_separator: str = " "
    has_pages: bool = False
    """Lists of tables come in pages by key (contract: paging.keys)."""
    drops_key_of_nothing: bool = False
    """Empty data sets and trainings come without ``last_evaluated_key``."""
    has_instance_range: bool = False
    """Endpoints have a least and a greatest number of machines (contract: answered.instance_numbers)."""
    has_service_types: bool = False
    """Endpoints and checkpoints may be ComfyUI's, and the worker tells where it ran."""
    serves_while_updating: bool = False
    has_one_step: bool = False
    """An inference may bring its parameters along."""
    fills_unset: bool = False
    """What is not known yet is empty, not null, and nothing says that something is not applicable."""
    keeps_real_time_errors: bool = False
    """The error of a Real-time job is told and kept (contract: answered.real_time)."""
    endpoint_key: str = "endpoint_name"
    """What a parameter file calls the endpoint (contract: names.parameters)."""
    has_folder_prefix: bool = False
    batch_failure: str = ""
    """What stands before the table's own words where it refuses the files of a data set."""
    keeps_refused_rows: bool = False
    """A data set whose files were refused and a training whose start was are there all the same."""
    has_kohya: bool = False
    """Trainings are kohya's and start at once."""
    has_flat_trainings: bool = False
    """Their settings are flat, and their checkpoint is made at their end."""
    deletes_base_with_training: bool = False
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


OLD_AUTHORIZER: Final[dict[str, Any]] = {
    "has_authorizer": True,
    "other_status": 500,
    "built_in_creator": "admin",
    "built_in_users": ("admin", "api"),
    "built_in_roles": (OPERATOR_ROLE,),
    "stores_notices": True,
    "endpoint_key": "endpont_name",
    "batch_failure": "batch put failed: ",
}
"""What v1.3 and v1.4 share."""
KOHYA: Final[dict[str, Any]] = {
    "names_events": True,
    "has_pages": True,
    "has_instance_range": True,
    "serves_while_updating": True,
    "has_one_step": True,
    "keeps_real_time_errors": True,
    "has_folder_prefix": True,
    "has_kohya": True,
}
"""What v1.5 and v1.7 share."""
VERSIONS: Final[dict[str, DeployedVersion]] = {
    version.name: version
    for version in (
        DeployedVersion(
            name="1.3",
            header=None,
            is_legacy=True,
            endpoint_prefixes=("infer-endpoint", ""),
            image_suffix="jpg",
            **OLD_AUTHORIZER,
        ),
        DeployedVersion(
            name="1.4", header="1.3.0", crashes_to_502=True, endpoint_prefixes=("esd", ""), **OLD_AUTHORIZER
        ),
        DeployedVersion(
            name="1.5",
            header="1.5.0",
            endpoint_prefixes=("esd", ""),
            drops_key_of_nothing=True,
            batch_failure="batch put failed: ",
            deletes_base_with_training=True,
            **KOHYA,
        ),
        DeployedVersion(
            name="1.7",
            header="1.7.0",
            has_debug=True,
            time_separator="T",
            has_service_types=True,
            fills_unset=True,
            keeps_refused_rows=True,
            has_flat_trainings=True,
            hidden_password="",
            most_files=500,
            names_parameter_file=False,
            **KOHYA,
        ),
    )
}
