"""Trainings of 2023, and the bases they start from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from atelier_mcp.server.errors import InvalidRequest, UpstreamFailed
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.sd_aws.errors import NO_SUCH_ROUTE, SdAwsRejection
from atelier_mcp.server.providers.sd_aws.legacy.calls import SUBMIT_TIMEOUT_S, add_query
from atelier_mcp.server.providers.sd_aws.legacy.datasets import LegacyDatasetCalls
from atelier_mcp.server.providers.sd_aws.training_drafts import build_concepts
from atelier_mcp.server.providers.sd_aws.wire import (
    SdAwsBaseBody,
    SdAwsTrainingBody,
    unwrap_list,
    unwrap_object,
)
from atelier_mcp.server.providers.wire import parse_models

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.providers.sd_aws.dialect import PartTag
    from atelier_mcp.server.requests.aws import CreateTraining, CreateTrainingBase

TRAIN_TYPE = "Stable-diffusion"


class LegacyTrainingCalls(LegacyDatasetCalls):
    """Training bases and trainings."""

    async def list_bases(self, states: Sequence[str] = ()) -> list[SdAwsBaseBody]:
        """The training bases; one alone may come as an object (contract: list_models.object_or_array)."""
        path = add_query("/models", types=[TRAIN_TYPE], status=states)
        return parse_models(SdAwsBaseBody, list(unwrap_list(await self._request(HttpRequest("GET", path)), "models")))

    async def begin_base(self, request: CreateTrainingBase, name: str, part_count: int) -> tuple[str, list[str]]:
        """A new base's id and a signed link per part of its file, if it has one."""
        options = {
            "new_model_name": request.name,
            "ckpt_path": name or request.checkpoint_id or "",
            "from_hub": request.hub_model is not None,
            "new_model_url": request.hub_model or "",
            "new_model_token": "",
            "extract_ema": request.extract_ema,
            "train_unfrozen": request.train_unfrozen,
            "is_512": request.is_512,
        }
        body = {
            "model_type": request.kind,
            "name": request.name,
            "filenames": [{"filename": name, "parts_number": part_count}] if name else [],
            "params": {"create_model_params": options},
            "checkpoint_id": request.checkpoint_id or "",
        }
        document = await self._request(HttpRequest("POST", "/model", body=body))
        base_id = str(unwrap_object(document, "job").get("id", ""))
        return base_id, self._get_part_links(document, name, part_count) if name else []

    async def finish_base(self, base_id: str, name: str, tags: Sequence[PartTag]) -> None:
        """Let the service make the base."""
        tagged = {name: list(tags)} if name else {}
        body = {"model_id": base_id, "status": "Creating", "multi_parts_tags": tagged}
        await self._request(HttpRequest("PUT", "/model", is_submit=True, body=body, read_timeout_s=SUBMIT_TIMEOUT_S))

    async def create_training(self, request: CreateTraining) -> str:
        """A training to be started later; two paths were deployed, a third printed (create_training.wrong_path)."""
        body = await self._build_training_body(request)
        paths = (
            ("POST", "/train"),
            ("POST", "/train-api/train"),
            ("PUT", f"/inference/v2/{quote(request.base, safe='')}/run"),
        )
        error: Exception | None = None
        for method, path in paths:
            http_request = HttpRequest(method, path, body=body)
            try:
                document = await self._middleware.send(http_request)
            except SdAwsRejection as err:
                error = err.error
                if err.fault.status not in NO_SUCH_ROUTE:
                    raise error from None
                continue
            if job_id := unwrap_object(document, "job").get("id"):
                return str(job_id)
            raise UpstreamFailed(f"{self._service} answered without a training's id.")
        raise error or AssertionError("there are paths")

    async def start_training(self, training_id: str) -> str:
        """Set it going, unless it goes already (contract: update_training.restart)."""
        known = next((training for training in await self.list_trainings() if training.id == training_id), None)
        if known is not None and (known.is_done or known.has_failed):
            raise InvalidRequest(f"Training {training_id} is over: {known.state}.", hint="Create another one.")
        if known is not None and known.state == "Training":
            return training_id
        body = {"train_job_id": training_id, "status": "Training"}
        document = await self._request(
            HttpRequest("PUT", "/train", is_submit=True, body=body, read_timeout_s=SUBMIT_TIMEOUT_S)
        )
        if not unwrap_object(document, "job"):
            reason = unwrap_object({"a": document}, "a").get("msg", "")
            raise InvalidRequest(f"{self._service} starts nothing. {self._middleware.client.quote(reason)}")
        return training_id

    async def list_trainings(self, states: Sequence[str] = ()) -> list[SdAwsTrainingBody]:
        """The trainings."""
        path = add_query("/trains", types=[TRAIN_TYPE], status=states)
        return parse_models(
            SdAwsTrainingBody, list(unwrap_list(await self._request(HttpRequest("GET", path)), "trainJobs"))
        )

    async def _build_training_body(self, request: CreateTraining) -> dict[str, Any]:
        locations = {entry.name: entry.location for entry in await self.list_datasets()}
        unknown = [name for name in (*request.datasets, *request.class_datasets) if name not in locations]
        if unknown:
            raise InvalidRequest(f"datasets: there is no {unknown[0]}.", hint="list_aws_datasets shows all.")
        data = [locations[name] for name in request.datasets]
        options = {
            "data_tar_list": data,
            "class_data_tar_list": [locations[name] for name in request.class_datasets] or [""],
            "training_instance_type": request.instance_type,
        }
        folder = f"models/dreambooth/{request.name}"
        config = {
            "concepts_list": build_concepts(request, data),
            "model_dir": folder,
            "model_name": request.name,
            "pretrained_model_name_or_path": f"{folder}/working",
            "num_train_epochs": request.epochs,
            "use_lora": request.lora,
            "revision": "",
        }
        return {
            "train_type": TRAIN_TYPE,
            "model_id": request.base,
            "params": {"training_params": options, "config_params": config},
            "creator": self._middleware.username,
        }
