"""What the body of each call must be, by version: the gateway's model of it, and the keys the code takes.

(contract: routes, conventions.required_flags)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.emulator.sd_aws.body_models import BodyModel

TEXT: Final = {"type": "string"}
FILLED: Final[dict[str, Any]] = {"type": "string", "minLength": 1}
OBJECT: Final = {"type": "object"}
NAME_PATTERN: Final = "^[A-Za-z][A-Za-z0-9_-]*$"
SHORT_NAME: Final[dict[str, Any]] = {"type": "string", "minLength": 1, "maxLength": 20, "pattern": NAME_PATTERN}
KINDS: Final = ["Stable-diffusion", "embeddings", "Lora", "hypernetworks", "ControlNet", "VAE"]
ENDPOINT_TYPES: Final = ["Real-time", "Async"]
# Serverless passes the gateway and is refused by the code (contract: POST /endpoints).
OLD_ENDPOINT_TYPES: Final = ["Real-time", "Serverless", "Async"]
ROLES: Final[dict[str, Any]] = {"type": "array", "minItems": 1, "maxItems": 10}


@dataclass(frozen=True, slots=True)
class BodyForm:
    """The form of one call's body; ``event`` is what the code calls it."""

    event: str = ""
    required: tuple[str, ...] = ()
    """What the code cannot do without, in its order."""
    optional: tuple[str, ...] = ()
    model: BodyModel | None = None
    """What the gateway checks before; nothing when absent."""

    def extend(self, *names: str, model: BodyModel | None = None) -> BodyForm:
        """The same with more optional keys, and with another model where one is given."""
        return replace(self, optional=(*self.optional, *names), model=model or self.model)


def _list_of(name: str, most: int, item: Mapping[str, Any] = FILLED, *more: str) -> BodyForm:
    """The form of a call that deletes by a list."""
    properties = {name: {"type": "array", "minItems": 1, "maxItems": most, "items": item}}
    # No keys for the code: whatever else stands in such a body is not looked at.
    return BodyForm(model=_object((name, *more), properties))


def _object(required: tuple[str, ...], properties: Mapping[str, Any]) -> BodyModel:
    return {"type": "object", "required": required, "properties": properties}


def _inference_model(types: list[str]) -> BodyModel:
    properties = {
        "task_type": TEXT,
        "inference_type": {"type": "string", "enum": types},
        # Of all kinds of models the gateway checks embeddings alone.
        "models": {"type": "object", "properties": {"embeddings": {"type": "array"}}},
        "payload_string": TEXT,
        "workflow": {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]*$"},
    }
    return _object(("task_type", "inference_type", "models"), properties)


def _checkpoint_model(kinds: list[str]) -> BodyModel:
    file = {"type": "object", "properties": {"filename": FILLED, "parts_number": PARTS}}
    properties = {
        "checkpoint_type": {"type": "string", "enum": kinds},
        "filenames": {"type": "array", "minItems": 1, "items": file},
        "urls": {"type": "array", "minItems": 1, "items": FILLED},
        "params": OBJECT,
    }
    return _object(("checkpoint_type",), properties)


def _endpoint_model(types: list[str], *required: str, **properties: Any) -> BodyModel:
    checked = {
        "endpoint_type": {"type": "string", "enum": types},
        "instance_type": TEXT,
        "initial_instance_count": {"type": "number", "minimum": 1},
        "autoscaling_enabled": {"type": "boolean"},
        "assign_to_roles": ROLES,
        "creator": FILLED,
    }
    always = ("endpoint_type", "instance_type", "initial_instance_count", "autoscaling_enabled", "assign_to_roles")
    return _object((*always, *required), {**checked, **properties})


def _dataset_model(most: int, *required: str) -> BodyModel:
    content = {"type": "array", "minItems": 1, "maxItems": most}
    properties = {"dataset_name": SHORT_NAME, "content": content, "creator": FILLED, "prefix": TEXT}
    return _object(("dataset_name", "content", "creator", *required), properties)


def _training_model(config: BodyModel) -> BodyModel:
    options = _object(("training_instance_type", "model", "dataset", "fm_type"), {})
    params = _object(("training_params", "config_params"), {"training_params": options, "config_params": config})
    return _object(("lora_train_type", "params"), {"lora_train_type": FILLED, "params": params})


def _user_model(password: BodyModel, *required: str) -> BodyModel:
    properties = {"username": FILLED, "password": password, "roles": {"type": "array", "minItems": 1}}
    return _object(("username", *required), properties)


def _role_model(*required: str) -> BodyModel:
    properties = {"role_name": FILLED, "permissions": {"type": "array", "minItems": 1}}
    return _object(("role_name", "permissions", *required), properties)


PARTS: Final[dict[str, Any]] = {"type": "integer", "minimum": 1, "maximum": 100}
LEGACY_COUNT: Final[dict[str, Any]] = {
    "instance_type": FILLED, "initial_instance_count": FILLED, "autoscaling_enabled": {"type": "boolean"},
    "assign_to_roles": ROLES, "creator": FILLED, "endpoint_name": {"type": "string", "maxLength": 20},
}  # fmt: skip
LEGACY_ENDPOINT: Final = (
    "instance_type",
    "initial_instance_count",
    "autoscaling_enabled",
    "assign_to_roles",
    "creator",
)

CREATE_INFERENCE: Final = BodyForm(
    "CreateInferenceEvent",
    ("task_type", "models"),
    ("inference_type", "sagemaker_endpoint_name", "user_id", "filters", "payload_string"),
    _inference_model(OLD_ENDPOINT_TYPES),
)
CREATE_CHECKPOINT: Final = BodyForm(
    "CreateCheckPointEvent", ("checkpoint_type", "params"), ("filenames", "urls"), _checkpoint_model(KINDS)
)
CREATE_ENDPOINT: Final = BodyForm(
    "CreateEndpointEvent",
    LEGACY_ENDPOINT[:-1],
    ("endpoint_type", "creator", "endpoint_name"),
    _endpoint_model(OLD_ENDPOINT_TYPES, "creator", endpoint_name={"type": "string", "maxLength": 20}),
)
CREATE_DATASET: Final = BodyForm(
    "DatasetCreateEvent", ("dataset_name", "content", "creator", "params"), (), _dataset_model(100)
)
CREATE_TRAINING: Final = BodyForm("Event", ("lora_train_type", "params"))
CREATE_USER: Final = BodyForm(
    "UpsertUserEvent", ("username", "password"), ("roles", "creator", "initial"), _user_model(FILLED)
)
CREATE_ROLE: Final = BodyForm("UpsertRoleEvent", ("role_name", "permissions"), ("creator", "initial"), _role_model())
CREATE_BASE: Final = BodyForm(
    "CreateModelEvent",
    ("model_type", "name", "params", "creator"),
    ("filenames", "checkpoint_id"),
    _object(("model_type", "name", "filenames", "params"), {"filenames": {"type": "array"}}),
)
UPDATE_BASE: Final = BodyForm("UpdateModelEvent", ("status", "multi_parts_tags"), (), _object(("status",), {}))

FILE_ITEM: Final = BodyForm("MultipartFileReq", ("filename", "parts_number"))
DATASET_ITEM: Final = BodyForm("DataUploadEvent", ("filename", "name", "type", "params"))

COMMON: Final[Mapping[str, BodyForm]] = {
    "create_inference": CREATE_INFERENCE,
    "delete_inferences": _list_of("inference_id_list", 100),
    "create_checkpoint": CREATE_CHECKPOINT,
    "update_checkpoint": BodyForm(
        "UpdateCheckPointEvent",
        (),
        ("status", "multi_parts_tags", "name"),
        _object((), {"status": FILLED, "name": SHORT_NAME, "multi_parts_tags": OBJECT}),
    ),
    "delete_checkpoints": _list_of("checkpoint_id_list", 100),
    "create_endpoint": CREATE_ENDPOINT.extend("min_instance_number", "max_instance_number", "custom_extensions"),
    "delete_endpoints": _list_of("endpoint_name_list", 10),
    "create_dataset": CREATE_DATASET.extend("prefix"),
    "update_dataset": BodyForm(model=_object(("status",), {"status": FILLED})),
    "delete_datasets": _list_of("dataset_name_list", 10, {"type": "string", "minLength": 1, "maxLength": 20}),
    "create_training": CREATE_TRAINING.extend(
        model=_training_model(
            _object(
                ("saving_arguments", "training_arguments"),
                {
                    "saving_arguments": _object(("output_name", "save_every_n_epochs"), {"output_name": FILLED}),
                    "training_arguments": _object(("max_train_epochs",), {"max_train_epochs": {"type": "integer"}}),
                },
            )
        )
    ),
    "delete_trainings": _list_of("training_id_list", 10),
    "create_user": CREATE_USER,
    "delete_users": _list_of("user_name_list", 10),
    "create_role": CREATE_ROLE,
    "delete_roles": _list_of("role_name_list", 10),
}
FORMS: Final[Mapping[str, Mapping[str, BodyForm]]] = {
    "1.3": {
        "create_endpoint": BodyForm("", LEGACY_ENDPOINT, ("endpoint_name",), _object(LEGACY_ENDPOINT, LEGACY_COUNT)),
        "delete_endpoints": _list_of("delete_endpoint_list", 10, FILLED, "username"),
        "create_inference": BodyForm("", ("task_type", "models", "filters"), ("sagemaker_endpoint_name", "user_id")),
        "create_checkpoint": BodyForm("", ("checkpoint_type", "filenames", "params")),
        "update_checkpoint": BodyForm("", ("checkpoint_id", "status", "multi_parts_tags")),
        "fetch_checkpoint": BodyForm("", ("checkpointType", "modelUrl", "params")),
        "create_dataset": BodyForm("", ("dataset_name", "content", "params", "creator")),
        "update_dataset": BodyForm("", ("dataset_name", "status")),
        "create_training": BodyForm("", ("train_type", "model_id", "params", "creator"), ("filenames",)),
        "create_base": replace(CREATE_BASE, event="", model=None),
        "update_base": BodyForm("", ("model_id", "status", "multi_parts_tags")),
        "create_user": BodyForm("", ("username", "password"), ("creator", "roles", "initial")),
        "create_role": BodyForm("", ("role_name", "permissions", "creator"), ("initial",)),
    },
    "1.4": {
        **COMMON,
        "create_inference": replace(
            CREATE_INFERENCE,
            required=("task_type", "models", "filters"),
            optional=("inference_type", "sagemaker_endpoint_name", "user_id"),
        ),
        "create_endpoint": CREATE_ENDPOINT,
        "delete_endpoints": _list_of("endpoint_name_list", 10, FILLED, "username"),
        "create_dataset": CREATE_DATASET,
        "create_training": BodyForm(
            "",
            ("train_type", "model_id", "params", "creator"),
            ("filenames",),
            _object(("train_type", "model_id", "params", "filenames"), {"filenames": {"type": "array", "maxItems": 1}}),
        ),
        "create_base": CREATE_BASE,
        "update_base": UPDATE_BASE,
        "delete_bases": _list_of("model_id_list", 10),
        "create_user": replace(CREATE_USER, model=_user_model(FILLED, "creator")),
        "create_role": replace(CREATE_ROLE, model=_role_model("creator")),
    },
    "1.5": COMMON,
    "1.7": {
        **COMMON,
        "create_inference": CREATE_INFERENCE.extend("workflow", model=_inference_model(ENDPOINT_TYPES)),
        "create_checkpoint": CREATE_CHECKPOINT.extend(
            "source_path", "target_path", model=_checkpoint_model([*KINDS, "Comfy"])
        ),
        "create_endpoint": COMMON["create_endpoint"].extend(
            "service_type",
            "workflow_name",
            model=_endpoint_model(ENDPOINT_TYPES, service_type={"type": "string", "enum": ["sd", "comfy"]}),
        ),
        "create_dataset": CREATE_DATASET.extend("prefix", model=_dataset_model(500, "prefix")),
        "crop_dataset": BodyForm(
            model=_object(("max_resolution",), {"max_resolution": {**FILLED, "pattern": r"^[1-9]\d*x[1-9]\d*$"}})
        ),
        "delete_datasets": _list_of("dataset_name_list", 10),
        "create_training": CREATE_TRAINING.extend(
            model=_training_model(_object(("output_name",), {"output_name": FILLED}))
        ),
        "delete_trainings": _list_of("training_id_list", 10, {"type": "string", "pattern": r"^[a-f0-9\-]{36}$"}),
        "create_user": replace(CREATE_USER, model=_user_model(TEXT)),
    },
}
