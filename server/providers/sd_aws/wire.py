"""What the middleware answers, read liberally: every version, bare or wrapped, both spellings, arrays or objects."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, TypeVar, cast

from pydantic import AliasChoices, BeforeValidator, Field

from atelier_mcp.server.providers.wire import WireModel, parse_model

DONE_STATES: Final = frozenset({"succeed", "succeeded", "success", "completed", "complete"})
FAILED_STATES: Final = frozenset({"failed", "failure", "fail", "error", "stopped"})
STUCK_STATES: Final = frozenset({"stopping", "interrupted", "maxruntimeexceeded", "maxwaittimeexceeded"})
"""Of trainings: the service cannot read its own record in these, which therefore stays so for ever."""
IN_SERVICE: Final = "InService"
COMFY: Final = "comfy"


def _to_text(value: Any) -> str:
    """Anything as a text: what is unset is ``null``, or in v1.7 an empty object (contract: answered.sagemaker_raw)."""
    if isinstance(value, str):
        return value
    if value is None or value in ({}, []):
        return ""
    return json.dumps(value, ensure_ascii=False)


def _parse_names(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value] if value else []
    return [str(item) for item in cast("list[Any]", value) if item] if isinstance(value, list) else []


def _to_object(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


LooseText = Annotated[str, BeforeValidator(_to_text)]
"""A text that no value makes unreadable; what is unset is empty."""
Names = Annotated[list[str], BeforeValidator(_parse_names)]
"""File names; null is none, a bare one is a list of one."""
LooseObject = Annotated[dict[str, Any], BeforeValidator(_to_object)]
"""An object; anything else is an empty one."""


class SdAwsInferenceBody(WireModel):
    """One inference; only id and state are always there (contract: list_inference_jobs.record_gaps)."""

    id: LooseText = Field("", validation_alias=AliasChoices("InferenceJobId", "inference_id", "id"))
    status: LooseText = ""
    task_type: LooseText = Field("", validation_alias=AliasChoices("taskType", "type"))
    created: LooseText = Field("", validation_alias="createTime")
    started: LooseText = Field("", validation_alias="startTime")
    completed: LooseText = Field("", validation_alias="completeTime")
    images: Names = Field(default_factory=list[str], validation_alias="img_presigned_urls")
    parameters: Names = Field(default_factory=list[str], validation_alias="output_presigned_urls")
    raw: LooseText = Field("", validation_alias="sagemakerRaw")
    remarks: Names = Field(default_factory=list[str])
    """What the built-in emulator says of its pictures (contract: get_inference_job.remarks)."""

    @property
    def is_done(self) -> bool:
        """Whether it has succeeded (contract: get_inference_job.status_words)."""
        return self.status.lower() in DONE_STATES

    @property
    def has_failed(self) -> bool:
        """Whether its state says that it has failed."""
        return self.status.lower() in FAILED_STATES

    @property
    def is_created(self) -> bool:
        """Whether nothing is said of it but that it was made; of a Real-time one nothing else ever is until its end."""
        return self.status.lower() == "created"

    @property
    def moment(self) -> str:
        """When it was made; the versions before it was told apart say when it was started."""
        return self.created or self.started


class SdAwsPreparedBody(WireModel):
    """An inference that waits for its parameters."""

    id: LooseText = ""
    upload_url: LooseText = Field("", validation_alias="api_params_s3_upload_url")


class SdAwsEndpointBody(WireModel):
    """One deployment; an early failure has no name."""

    job_id: LooseText = Field(
        "", validation_alias=AliasChoices("EndpointDeploymentJobId", "endpoint_deployment_job_id")
    )
    name: LooseText = Field("", validation_alias="endpoint_name")
    state: LooseText = Field("", validation_alias="endpoint_status")
    job_state: LooseText = Field("", validation_alias="status")
    started: LooseText = Field("", validation_alias="startTime")
    error: LooseText = ""
    kind: LooseText = Field("", validation_alias="endpoint_type")
    service: LooseText = Field("", validation_alias="service_type")
    machine: LooseText = Field("", validation_alias="instance_type")
    most: LooseText = Field("", validation_alias="max_instance_number")

    @property
    def is_ready(self) -> bool:
        """Whether it can be used (contract: list_endpoints.ready_test)."""
        return self.state == IN_SERVICE and self.job_state != "deleted"

    @property
    def has_failed(self) -> bool:
        """Whether it will never be in service."""
        return self.state in ("Failed", "Deleted", "Deleting") or self.job_state in ("failed", "deleted")

    @property
    def is_comfy(self) -> bool:
        """Whether it runs ComfyUI, which takes no inferences of ours (contract: answered.comfy_endpoints)."""
        return self.service == COMFY or self.name.startswith(f"{COMFY}-")


class SdAwsCheckpointBody(WireModel):
    """One entry of the deployment's files."""

    id: LooseText = ""
    kind: LooseText = Field("", validation_alias="type")
    state: LooseText = Field("", validation_alias="status")
    names: Names = Field(default_factory=list[str], validation_alias="name")
    location: LooseText = Field("", validation_alias=AliasChoices("s3Location", "s3_location"))
    params: LooseObject = Field(default_factory=dict[str, Any])

    @property
    def missing_names(self) -> list[str]:
        """Files that were to be fetched and were not stored (contract: answered.checkpoints_by_link)."""
        uploads = unwrap_object(self.params, "multipart_upload")
        return [name for name, upload in uploads.items() if upload is None]


class SdAwsBaseBody(WireModel):
    """One training base."""

    id: LooseText = ""
    name: LooseText = Field("", validation_alias="model_name")
    state: LooseText = Field("", validation_alias="status")


class SdAwsDatasetBody(WireModel):
    """One data set."""

    name: LooseText = Field("", validation_alias=AliasChoices("datasetName", "dataset_name"))
    state: LooseText = Field("", validation_alias="status")
    location: LooseText = Field("", validation_alias="s3")


class SdAwsDatasetItemBody(WireModel):
    """One file of a data set."""

    name: LooseText = ""
    preview: LooseText = Field("", validation_alias="preview_url")
    state: LooseText = Field("", validation_alias="dataStatus")


class SdAwsTrainingBody(WireModel):
    """One training."""

    id: LooseText = ""
    name: LooseText = Field("", validation_alias=AliasChoices("modelName", "model_name"))
    state: LooseText = Field("", validation_alias=AliasChoices("job_status", "status"))
    params: LooseObject = Field(default_factory=dict[str, Any])

    @property
    def is_done(self) -> bool:
        """Whether it has finished well."""
        return self.state.lower() in DONE_STATES

    @property
    def has_failed(self) -> bool:
        """Whether it has failed or was stopped."""
        return self.state.lower() in FAILED_STATES | STUCK_STATES

    @property
    def reason(self) -> str:
        """Why it has failed, where that is told."""
        return str(unwrap_object(self.params, "resp").get("error_msg") or "")


RowT = TypeVar("RowT", bound=WireModel)


class SdAwsRows(list[RowT]):
    """The rows of a list that could be read; what could not is counted, so that nothing is missing in silence."""

    unreadable_count: int = 0

    def find(self, id_: str, *names: str) -> RowT | None:
        """The row with that value in one of the fields ``names``."""
        return next((row for row in self if any(getattr(row, name) == id_ for name in names)), None)


def parse_rows(row_type: type[RowT], document: Any, *keys: str) -> SdAwsRows[RowT]:
    """The rows of a list: bare, under one of the keys, or one object where an array was meant (list shapes).

    Where there is no list at all, that counts as one unreadable row.
    """
    inner: Any = document
    for key in keys:
        if isinstance(inner, dict) and key in inner:
            inner = cast("dict[str, Any]", inner)[key]
    # One training base is printed as an object (contract: list_models.object_or_array).
    if isinstance(inner, dict) and cast("dict[str, Any]", inner).get("id"):
        inner = [inner]
    # The None is that one unreadable row: an answer without a list must not pass for an empty list.
    entries: list[Any] = cast("list[Any]", inner) if isinstance(inner, list) else [None]
    rows = SdAwsRows(row for entry in entries if (row := parse_model(row_type, entry)) is not None)
    rows.unreadable_count = len(entries) - len(rows)
    return rows


def unwrap_object(document: Any, *keys: str) -> dict[str, Any]:
    """The object under the keys, one below the other; empty where there is none."""
    inner: Any = document
    for key in keys:
        inner = cast("dict[str, Any]", inner).get(key) if isinstance(inner, dict) else None
    return cast("dict[str, Any]", inner) if isinstance(inner, dict) else {}


def get_text(document: Any, key: str) -> str:
    """The text under a key of an object; empty for anything else."""
    value: Any = cast("dict[str, Any]", document).get(key) if isinstance(document, dict) else None
    return _to_text(value)


def parse_texts(document: Any) -> list[str]:
    """The texts of a bare list; none where it is null."""
    return [item for item in cast("list[Any]", document) if isinstance(item, str)] if isinstance(document, list) else []


def parse_upload_links(document: Any) -> dict[str, list[str]]:
    """Signed links by file name, from a map or an array of maps, at the top or inside (ambiguity: presign_shape)."""
    for holder in (document, unwrap_object(document, "data"), unwrap_object(document, "job")):
        found: Any = cast("dict[str, Any]", holder).get("s3PresignUrl") if isinstance(holder, dict) else None
        merged: dict[str, list[str]] = {}
        for part in cast("list[Any]", found) if isinstance(found, list) else [found]:
            merged |= _parse_links_by_name(part)
        if merged:
            return merged
    return {}


def _parse_links_by_name(part: Any) -> dict[str, list[str]]:
    if not isinstance(part, dict):
        return {}
    named = cast("dict[str, Any]", part)
    links = {name: _parse_names(value) for name, value in named.items()}
    # The printed form has upload_id, bucket and key in the map: no links, and dropped
    # (contract: create_model.presign_shape).
    return {name: urls for name, urls in links.items() if urls and all(u.startswith("http") for u in urls)}
