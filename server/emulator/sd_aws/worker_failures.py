"""How a job fails at the worker or at the platform, and where each version tells of it.

A fault of the emulator gives the reason as one text: ``null`` for a worker that answers null, ``ClientError: ...`` or
``ModelError: ...`` for an invocation the platform reports as failed, ``detail: ...`` for a service that answers with an
error, anything else for an error of the worker's own, ``OutOfMemoryError: CUDA out of memory.`` for example.
(contract: answered.real_time, answered.sagemaker_raw)
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.versions import DeployedVersion

FailureKind: TypeAlias = Literal["null", "platform", "detail", "own"]
NULL: Final = "null"
NAMED: Final = re.compile(r"([A-Za-z_]\w*): (.*)", re.DOTALL)


class InferenceFailed(Exception):
    """The worker cannot work with what it was given; the text says why."""


@dataclass(frozen=True, slots=True)
class WorkerFailure:
    """A failure: its kind, the name of its error where it has one, and its text."""

    kind: FailureKind
    error: str
    text: str

    def format_async(self) -> str:
        """What ``sagemakerRaw`` is of an Async job in versions that keep it; the platform's notice is not here."""
        return NULL if self.kind == NULL else json.dumps(self._build_document())

    def format_real_time(self, version: DeployedVersion, endpoint: str, begun_at: str) -> str:
        """What the call of a Real-time job is refused with; empty where v1.4 says nothing."""
        match self.kind:
            case "null":
                return "argument of type 'NoneType' is not iterable"
            case "platform":
                return f"An error occurred ({self.error}) when calling the InvokeEndpoint operation: {self.text}"
            case "detail":
                return json.dumps({"status_code": 500, "detail": self.text})
            case "own":
                return self._format_own(version, endpoint, begun_at) if version.keeps_real_time_errors else ""

    def _format_own(self, version: DeployedVersion, endpoint: str, begun_at: str) -> str:
        more = {"start_time": begun_at, "endpoint_name": endpoint, "endpoint_instance_id": "i-0"}
        # str() of a dict: a Python literal in single quotes, which no JSON parser reads
        # (contract: answered.sagemaker_raw).
        return str({**self._build_document(), **(more if version.has_service_types else {})})

    @property
    def is_kept(self) -> bool:
        """Whether v1.5 and later keep the text of a Real-time job's failure."""
        return self.kind in ("own", "detail")

    def _build_document(self) -> dict[str, Any]:
        return {"error": self.error, "detail": "", "body": "", "errors": self.text}


def parse_failure(reason: str) -> WorkerFailure:
    """The failure a task's reason stands for."""
    if reason == NULL:
        return WorkerFailure("null", "", "")
    named = NAMED.fullmatch(reason)
    error, text = (named[1], named[2]) if named else ("RuntimeError", reason)
    if error == "detail":
        return WorkerFailure("detail", "", text)
    return WorkerFailure("platform" if error in ("ClientError", "ModelError") else "own", error, text)


def build_notice(
    *, inference_id: str, endpoint: str, output: str, input_id: str, moment: str, failure: WorkerFailure | None
) -> dict[str, Any]:
    """The platform's notice about an Async job, of which ``sagemakerRaw`` is the Python literal."""
    place = f"s3://sagemaker-us-east-1-123456789012/async-endpoint-inputs/{endpoint}/{input_id}"
    result: dict[str, Any] = {"responseParameters": {"contentType": "application/json", "outputLocation": output}}
    if failure is not None:
        result = {"failureReason": f"{failure.error}: {failure.text}"}
    return {
        "awsRegion": "us-east-1",
        "eventTime": moment,
        "receivedTime": moment,
        "invocationStatus": "Completed" if failure is None else "Failed",
        **result,
        "requestParameters": {"endpointName": endpoint, "inputLocation": place},
        "inferenceId": inference_id,
        "eventVersion": "1.0",
        "eventSource": "aws:sagemaker",
        "eventName": "InferenceResult",
    }
