"""What the middleware answers, read liberally: both generations, bare or wrapped, both spellings, arrays or objects."""

from __future__ import annotations

from typing import Annotated, Any, cast

from pydantic import AliasChoices, BeforeValidator, Field

from atelier_mcp.server.providers.wire import Text, WireModel

DONE_STATES = frozenset({"succeed", "succeeded", "success", "completed", "complete"})
FAILED_STATES = frozenset({"failed", "failure", "fail", "error", "stopped"})
IN_SERVICE = "InService"


def _parse_names(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value] if value else []
    return [str(item) for item in cast("list[Any]", value) if item] if isinstance(value, list) else []


Names = Annotated[list[str], BeforeValidator(_parse_names)]
"""File names; null is none, a bare one is a list of one."""


class SdAwsInferenceBody(WireModel):
    """One inference; only id and state are always there (contract: list_inference_jobs.record_gaps)."""

    id: Text = Field("", validation_alias=AliasChoices("InferenceJobId", "inference_id", "id"))
    status: Text = ""
    task_type: Text = Field("", validation_alias=AliasChoices("taskType", "type"))
    started: Text = Field("", validation_alias=AliasChoices("startTime", "createTime"))
    completed: Text = Field("", validation_alias="completeTime")
    pictures: Names = Field(default_factory=list[str], validation_alias="img_presigned_urls")
    parameters: Names = Field(default_factory=list[str], validation_alias="output_presigned_urls")
    raw: Text = Field("", validation_alias="sagemakerRaw")
    params: dict[str, Any] | None = None

    @property
    def is_done(self) -> bool:
        """Whether it has succeeded (contract: get_inference_job.status_words)."""
        return self.status.lower() in DONE_STATES

    @property
    def has_failed(self) -> bool:
        """Whether it has failed."""
        return self.status.lower() in FAILED_STATES


class SdAwsPreparedBody(WireModel):
    """An inference that waits for its parameters."""

    id: Text = ""
    upload_url: Text = Field("", validation_alias="api_params_s3_upload_url")


class SdAwsEndpointBody(WireModel):
    """One deployment; an early failure has no name."""

    job_id: Text = Field("", validation_alias=AliasChoices("EndpointDeploymentJobId", "endpoint_deployment_job_id"))
    name: Text = Field("", validation_alias="endpoint_name")
    state: Text = Field("", validation_alias="endpoint_status")
    job_state: Text = Field("", validation_alias="status")
    started: Text = Field("", validation_alias="startTime")
    ended: Text = Field("", validation_alias="endTime")
    error: Text = ""
    kind: Text = Field("", validation_alias="endpoint_type")
    machine: Text = Field("", validation_alias="instance_type")
    most: Text = Field("", validation_alias="max_instance_number")
    now: Text = Field("", validation_alias="current_instance_count")
    autoscaling: bool | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it can be used (contract: list_endpoints.ready_test)."""
        return self.state == IN_SERVICE and self.job_state != "deleted"

    @property
    def has_failed(self) -> bool:
        """Whether it will never be in service."""
        return self.state in ("Failed", "Deleted", "Deleting") or self.job_state in ("failed", "deleted")


class SdAwsCheckpointBody(WireModel):
    """One entry of the deployment's files."""

    id: Text = ""
    kind: Text = Field("", validation_alias="type")
    state: Text = Field("", validation_alias="status")
    names: Names = Field(default_factory=list[str], validation_alias="name")
    location: Text = Field("", validation_alias=AliasChoices("s3Location", "s3_location"))
    params: dict[str, Any] | None = None


class SdAwsBaseBody(WireModel):
    """One training base."""

    id: Text = ""
    name: Text = Field("", validation_alias="model_name")
    state: Text = Field("", validation_alias="status")
    location: Text = Field("", validation_alias="output_s3_location")


class SdAwsDatasetBody(WireModel):
    """One data set."""

    name: Text = Field("", validation_alias=AliasChoices("datasetName", "dataset_name"))
    state: Text = Field("", validation_alias="status")
    location: Text = Field("", validation_alias="s3")


class SdAwsDatasetItemBody(WireModel):
    """One file of a data set."""

    name: Text = ""
    preview: Text = Field("", validation_alias="preview_url")
    state: Text = Field("", validation_alias="dataStatus")


class SdAwsTrainingBody(WireModel):
    """One training."""

    id: Text = ""
    name: Text = Field("", validation_alias=AliasChoices("modelName", "model_name"))
    state: Text = Field("", validation_alias=AliasChoices("job_status", "status"))
    kind: Text = Field("", validation_alias=AliasChoices("trainType", "train_type"))

    @property
    def is_done(self) -> bool:
        """Whether it has finished well."""
        return self.state.lower() in DONE_STATES

    @property
    def has_failed(self) -> bool:
        """Whether it has failed or was stopped."""
        return self.state.lower() in FAILED_STATES


def unwrap_list(document: Any, *keys: str) -> list[dict[str, Any]]:
    """The objects of a list: bare, under one of the keys, or one object where an array was meant (list shapes)."""
    inner: Any = document
    for key in keys:
        if isinstance(inner, dict) and key in inner:
            inner = cast("dict[str, Any]", inner)[key]
    if isinstance(inner, dict):
        inner = [inner] if cast("dict[str, Any]", inner).get("id") else []
    entries: list[Any] = cast("list[Any]", inner) if isinstance(inner, list) else []
    return [cast("dict[str, Any]", entry) for entry in entries if isinstance(entry, dict)]


def unwrap_object(document: Any, *keys: str) -> dict[str, Any]:
    """The object under the keys, one below the other; empty where there is none."""
    inner: Any = document
    for key in keys:
        inner = cast("dict[str, Any]", inner).get(key) if isinstance(inner, dict) else None
    return cast("dict[str, Any]", inner) if isinstance(inner, dict) else {}


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
    return {name: urls for name, urls in links.items() if urls and all(u.startswith("http") for u in urls)}
