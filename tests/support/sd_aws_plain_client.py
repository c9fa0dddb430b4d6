"""A client of the middleware on AWS as anybody would write it after the recorded stories: ``urllib`` and nothing else.

One class per version that speaks otherwise; each method is what a user wants done, from the first call to the last.
"""

from __future__ import annotations

import json
import time
from typing import Any, Final, cast
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

BOUND_S: Final = 60.0
PAUSE_S: Final = 0.05
BASE_NAME: Final = "own-base.safetensors"


class PlainClient:
    """v1.7."""

    async_prefix = "sd-async-"

    def __init__(self, url: str, key: str, user: str = "api") -> None:
        """Call the deployment at ``url``, its stage included."""
        self._url, self._key, self._user = url, key, user
        self._opener = build_opener(ProxyHandler({}))  # a proxy of the environment does not know the loopback

    def call(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """The JSON a call is answered with; raises AssertionError for a refusal."""
        url = f"{self._url}{path}" + (f"?{urlencode(query)}" if query else "")
        status, text = self._send(method, url, None if body is None else json.dumps(body).encode(), self._headers)
        document: Any = json.loads(text) if text else {}
        assert status < 400, (method, path, status, text)
        return document

    def put(self, link: str, data: bytes) -> str:
        """The ETag of what was put to a signed link."""
        with self._opener.open(Request(link, data=data, method="PUT"), timeout=BOUND_S) as response:
            return response.headers["ETag"]

    def fetch(self, link: str) -> bytes:
        """What is behind a signed link."""
        with self._opener.open(link, timeout=BOUND_S) as response:
            return response.read()

    def identify(self) -> str:
        """What the deployment says it is."""
        status, text = self._send("GET", f"{self._url}/ping", None, {"x-api-key": self._key})
        assert (status, json.loads(text)["message"]) == (200, "pong")
        return self._version

    def deploy(self) -> str:
        """The name of a new endpoint that is in service."""
        body = {
            "endpoint_type": "Async", "instance_type": "ml.g5.2xlarge", "initial_instance_count": 1,
            "autoscaling_enabled": False, "assign_to_roles": ["IT Operator"], "creator": "api", "endpoint_name": "mine",
        }  # fmt: skip
        name = self.call("POST", "/endpoints", body)["data"]["endpoint_name"]
        assert name == f"{self.async_prefix}mine"
        self._wait(lambda: self._get_endpoint_state(name), "InService")
        return name

    def upload_checkpoint(self, data: bytes) -> None:
        """A checkpoint in two parts, Active at the end."""
        body = {
            "checkpoint_type": "Stable-diffusion", "filenames": [{"filename": BASE_NAME, "parts_number": 2}],
            "params": {"creator": "api"},
        }  # fmt: skip
        made = self.call("POST", "/checkpoints", body)["data"]
        done = {"status": "Active", "multi_parts_tags": {BASE_NAME: self._put_parts(made, data)}}
        self.call("PUT", f"/checkpoints/{made['checkpoint']['id']}", done)

    def list_checkpoints(self, kind: str) -> list[str]:
        """The names of all Active checkpoints of a kind."""
        names: list[str] = []
        page = 1
        while True:
            data = self.call("GET", "/checkpoints", types=kind, status="Active", page=str(page), per_page="5")["data"]
            names += [name for row in data["checkpoints"] for name in row["name"]]
            if page * data["per_page"] >= data["total"]:
                return names
            page += 1

    def generate(self, parameters: dict[str, Any]) -> list[bytes]:
        """The pictures of a job in three steps."""
        prepared = self.call("POST", "/inferences", self._build_inference())["data"]["inference"]
        self.put(prepared["api_params_s3_upload_url"], json.dumps(parameters).encode())
        started = self.call("PUT", f"/inferences/{prepared['id']}/start")["data"]["inference"]
        assert started["status"] == "inprogress"
        path = f"/inferences/{prepared['id']}"
        self._wait(lambda: self.call("GET", path)["data"]["status"], "succeed")
        data = self.call("GET", path)["data"]
        (dump,) = data["output_presigned_urls"]
        assert json.loads(self.fetch(dump))["parameters"] == parameters
        return [self.fetch(link) for link in data["img_presigned_urls"]]

    def make_dataset(self, name: str, files: dict[str, bytes]) -> list[str]:
        """The names of the files of a new data set that is enabled."""
        content: list[Any] = [{"filename": n, "name": n, "type": "image", "params": {}} for n in files]
        body: dict[str, Any] = {
            "dataset_name": name,
            "content": content,
            "creator": "api",
            "params": {"description": "mine"},
        }
        links = self._create_dataset({**body, **self._dataset_extras})
        for filename, data in files.items():
            self.put(links[filename], data)
        return [row["name"] for row in self._enable_dataset(name)]

    def train(self, dataset: str, output: str) -> None:
        """A training, over and well."""
        options = {"training_instance_type": "ml.g5.2xlarge", "model": BASE_NAME, "dataset": dataset}
        params = {"training_params": {**options, "fm_type": "sd_1_5"}, "config_params": self._build_config(output)}
        training = self.call("POST", "/trainings", {"lora_train_type": "kohya", "params": params})["data"]["id"]
        self._wait(lambda: self.call("GET", f"/trainings/{training}")["data"]["job_status"], "Completed")

    _version = "1.7"
    _dataset_extras: dict[str, str] = {"prefix": "10_mine"}  # noqa: RUF012 - a constant of each class

    @property
    def _headers(self) -> dict[str, str]:
        return {"x-api-key": self._key, "username": self._user, "content-type": "application/json"}

    def _send(self, method: str, url: str, data: bytes | None, headers: dict[str, str]) -> tuple[int, str]:
        try:
            request = Request(url, data=data, method=method, headers=headers)
            with self._opener.open(request, timeout=BOUND_S) as response:
                return response.status, response.read().decode()
        except HTTPError as err:
            return err.code, err.read().decode()

    def _wait(self, get_word: Any, wanted: str) -> None:
        deadline = time.monotonic() + BOUND_S
        while (word := get_word()) != wanted:
            assert time.monotonic() < deadline, word
            assert not str(word).lower().startswith("fail"), word
            time.sleep(PAUSE_S)

    def _list_endpoints(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        query: dict[str, str] = {}
        while True:
            data = self.call("GET", "/endpoints", **query)["data"]
            rows += data["endpoints"]
            if not data.get("last_evaluated_key"):
                return rows
            query = {"exclusive_start_key": data["last_evaluated_key"]}

    def _get_endpoint_state(self, name: str) -> str:
        return next(row["endpoint_status"] for row in self._list_endpoints() if row["endpoint_name"] == name)

    def _put_parts(self, made: dict[str, Any], data: bytes) -> list[dict[str, Any]]:
        middle = len(data) // 2
        links = made["s3PresignUrl"][BASE_NAME]
        parts = enumerate(zip(links, (data[:middle], data[middle:]), strict=True), start=1)
        return [{"ETag": self.put(link, part), "PartNumber": number} for number, (link, part) in parts]

    def _build_inference(self) -> dict[str, Any]:
        return {"task_type": "txt2img", "inference_type": "Async", "models": {"Stable-diffusion": [BASE_NAME]}}

    def _create_dataset(self, body: dict[str, Any]) -> dict[str, str]:
        return self.call("POST", "/datasets", body)["data"]["s3PresignUrl"]

    def _enable_dataset(self, name: str) -> list[dict[str, Any]]:
        self.call("PUT", f"/datasets/{name}", {"status": "Enabled"})
        return self.call("GET", f"/datasets/{name}")["data"]["data"]

    def _build_config(self, output: str) -> dict[str, Any]:
        return {"output_name": output, "save_every_n_epochs": 1, "max_train_epochs": 2}


class PlainClient15(PlainClient):
    """v1.5."""

    async_prefix = "esd-async-"
    _version = "1.5"

    def _build_config(self, output: str) -> dict[str, Any]:
        saving = {"output_name": output, "save_every_n_epochs": 1}
        return {"saving_arguments": saving, "training_arguments": {"max_train_epochs": 2}}


class PlainClient14(PlainClient15):
    """v1.4, which knows its user by Authorization."""

    _version = "1.4"
    _dataset_extras: dict[str, str] = {}  # noqa: RUF012 - a constant of each class

    def train(self, dataset: str, output: str) -> None:
        """A training of a base made of a checkpoint."""
        listed = self.call("GET", "/checkpoints", types="Stable-diffusion", per_page="50")["data"]["checkpoints"]
        checkpoint = next(row["id"] for row in listed if row["name"] == [BASE_NAME])
        base = self.call("POST", "/models", self._build_base(output, checkpoint))["data"]["job"]["id"]
        self.call("PUT", f"/models/{base}", {"status": "Creating", "multi_parts_tags": {}})
        self._wait(lambda: self.call("GET", "/models")["data"]["models"][0]["status"], "Complete")
        body: dict[str, Any] = {**self._build_training(base, dataset), "filenames": []}
        training = self.call("POST", "/trainings", body)["data"]["job"]["id"]
        self.call("PUT", f"/trainings/{training}/start")
        self._wait(lambda: self.call("GET", "/trainings")["data"]["trainJobs"][0]["status"], "Completed")

    @property
    def _headers(self) -> dict[str, str]:
        user = self._user.encode().hex().upper()
        return {"x-api-key": self._key, "Authorization": f"Bearer {user}", "content-type": "application/json"}

    def _build_inference(self) -> dict[str, Any]:
        return {**super()._build_inference(), "filters": {}, "user_id": self._user}

    def _build_base(self, name: str, checkpoint: str) -> dict[str, Any]:
        params = {"create_model_params": {"new_model_name": name}}
        base: dict[str, Any] = {"model_type": "Stable-diffusion", "name": name, "filenames": [], "params": params}
        return {**base, "creator": self._user, "checkpoint_id": checkpoint}

    def _build_training(self, base: str, dataset: str) -> dict[str, Any]:
        bucket = self.call("GET", "/datasets")
        rows = bucket.get("datasets") or bucket["data"]["datasets"]
        place = next(row["s3"] for row in rows if row["datasetName"] == dataset)
        options = {"data_tar_list": [place], "class_data_tar_list": [""], "training_instance_type": "ml.g5.2xlarge"}
        params = {"training_params": options, "config_params": {"num_train_epochs": 1, "use_lora": True}}
        return {"train_type": "Stable-diffusion", "model_id": base, "creator": self._user, "params": params}


class PlainClient13(PlainClient14):
    """v1.3, the API of 2023, whose failures are HTTP 200."""

    _version = "1.3"

    def call(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """The JSON a call is answered with; raises AssertionError for a refusal, whatever its HTTP status."""
        document: Any = super().call(method, path, body, **query)
        told = cast("dict[str, Any]", document) if isinstance(document, dict) else {}
        failed = "errorMessage" in told or int(told.get("statusCode", 200)) >= 400
        assert not failed, document
        return cast("Any", document)

    def identify(self) -> str:
        """What the deployment says it is."""
        assert self._send("GET", f"{self._url}/ping", None, {"x-api-key": self._key})[0] == 403
        assert self.call("GET", "/inference/test-connection") == {"message": "Success"}
        return self._version

    def deploy(self) -> str:
        """The name of a new endpoint that is in service."""
        body = {
            "instance_type": "ml.g4dn.xlarge", "initial_instance_count": "1", "autoscaling_enabled": False,
            "assign_to_roles": ["IT Operator"], "creator": "api", "endpoint_name": "mine",
        }  # fmt: skip
        name = self.call("POST", "/endpoints", body)["data"]["endpoint_name"]
        assert name == "infer-endpoint-mine"
        self._wait(lambda: self._get_endpoint_state(name), "InService")
        return name

    def upload_checkpoint(self, data: bytes) -> None:
        """A checkpoint in two parts, Active at the end."""
        body = {
            "checkpoint_type": "Stable-diffusion", "filenames": [{"filename": BASE_NAME, "parts_number": 2}],
            "params": {"creator": "api"},
        }  # fmt: skip
        made = self.call("POST", "/checkpoint", body)
        tags = {BASE_NAME: self._put_parts(made, data)}
        done = {"checkpoint_id": made["checkpoint"]["id"], "status": "Active", "multi_parts_tags": tags}
        self.call("PUT", "/checkpoint", done)

    def list_checkpoints(self, kind: str) -> list[str]:
        """The names of all Active checkpoints of a kind."""
        rows = self.call("GET", "/checkpoints", types=kind, status="Active")["checkpoints"]
        return [name for row in rows for name in row["name"]]

    def generate(self, parameters: dict[str, Any]) -> list[bytes]:
        """The pictures of a job in three steps."""
        models = {"Stable-diffusion": [BASE_NAME]}
        body: dict[str, Any] = {"task_type": "txt2img", "models": models, "filters": {}, "user_id": self._user}
        prepared = self.call("POST", "/inference/v2", body)["inference"]
        self.put(prepared["api_params_s3_upload_url"], json.dumps(parameters).encode())
        assert self.call("PUT", f"/inference/v2/{prepared['id']}/run")["inference"]["status"] == "inprogress"
        job = {"jobID": prepared["id"]}
        self._wait(lambda: self.call("GET", "/inference/get-inference-job", **job)["status"], "succeed")
        (dump,) = self.call("GET", "/inference/get-inference-job-param-output", **job)
        assert json.loads(self.fetch(dump))["parameters"] == parameters
        return [self.fetch(link) for link in self.call("GET", "/inference/get-inference-job-image-output", **job)]

    def train(self, dataset: str, output: str) -> None:
        """A training of a base made of a checkpoint."""
        listed = self.call("GET", "/checkpoints", types="Stable-diffusion")["checkpoints"]
        checkpoint = next(row["id"] for row in listed if row["name"] == [BASE_NAME])
        base = self.call("POST", "/model", self._build_base(output, checkpoint))["job"]["id"]
        self.call("PUT", "/model", {"model_id": base, "status": "Creating", "multi_parts_tags": {}})
        self._wait(lambda: self.call("GET", "/models")["models"][0]["status"], "Complete")
        training = self.call("POST", "/train", self._build_training(base, dataset))["job"]["id"]
        self.call("PUT", "/train", {"train_job_id": training, "status": "Training"})
        self._wait(lambda: self.call("GET", "/trains")["trainJobs"][0]["status"], "Complete")

    def _list_endpoints(self) -> list[dict[str, Any]]:
        return self.call("GET", "/endpoints")["endpoints"]

    def _create_dataset(self, body: dict[str, Any]) -> dict[str, str]:
        return self.call("POST", "/dataset", body)["s3PresignUrl"]

    def _enable_dataset(self, name: str) -> list[dict[str, Any]]:
        self.call("PUT", "/dataset", {"dataset_name": name, "status": "Enabled"})
        return self.call("GET", f"/dataset/{name}/data")["data"]


PLAIN_CLIENTS: Final[dict[str, type[PlainClient]]] = {
    "1.3": PlainClient13, "1.4": PlainClient14, "1.5": PlainClient15, "1.7": PlainClient,
}  # fmt: skip
"""The client of each version."""
