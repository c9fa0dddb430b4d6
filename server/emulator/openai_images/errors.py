"""What the images API says when it refuses (contract: errors, error_envelope)."""

from __future__ import annotations

from typing import Any, Final

SENSITIVE_WORDS: Final = ("zorgblat", "forbiddenberry")
"""Made up, so that nobody's real words are refused and every refusal can be tried."""
CATEGORIES: Final = ("violence",)
_TYPES: Final = {401: "invalid_request_error", 429: "requests", 500: "server_error", 503: "server_error"}
_CODES: Final = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded", 503: "slow_down"}


class OpenaiImagesError(Exception):
    """A request that is answered with an error; ``retry_after_s`` becomes a header."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | int | None = None,
        param: str | None = None,
        kind: str | None = "invalid_request_error",
        details: dict[str, Any] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        """Hold the parts of the envelope."""
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s
        self.document: dict[str, Any] = {"message": message, "type": kind, "param": param, "code": code}
        if details is not None:
            self.document["moderation_details"] = details

    @property
    def body(self) -> dict[str, Any]:
        """The envelope."""
        return {"error": self.document}


def build_error_body(status: int) -> dict[str, Any]:
    """What is said with an HTTP status when nothing else is."""
    kind = _TYPES.get(status, "invalid_request_error")
    return {"error": {"message": f"HTTP {status}", "type": kind, "param": None, "code": _CODES.get(status)}}


def invalid_value(param: str, message: str) -> OpenaiImagesError:
    """A field with a wrong value."""
    return OpenaiImagesError(400, message, code="invalid_value", param=param)


def missing_parameter(param: str) -> OpenaiImagesError:
    """A field that must be there."""
    return OpenaiImagesError(
        400, f"Missing required parameter: '{param}'.", code="missing_required_parameter", param=param
    )


def unknown_parameter(param: str) -> OpenaiImagesError:
    """A field that the model does not have."""
    return OpenaiImagesError(400, f"Unknown parameter: '{param}'.", code="unknown_parameter", param=param)


def model_not_found(model: str) -> OpenaiImagesError:
    """A model that is unknown, retired or not permitted."""
    message = f"The model '{model}' does not exist or you do not have access to it."
    return OpenaiImagesError(404, message, code="model_not_found")


def moderation_blocked(stage: str) -> OpenaiImagesError:
    """Blocked, told in both ways that were seen (contract: errors.moderation_shape)."""
    words = ", ".join(CATEGORIES)
    return OpenaiImagesError(
        400,
        f"Your request was rejected by the safety system. safety_violations=[{words}].",
        code="moderation_blocked",
        kind="image_generation_user_error",
        details={"moderation_stage": stage, "categories": list(CATEGORIES)},
    )


def drawing_failed() -> OpenaiImagesError:
    """A fault while drawing."""
    return OpenaiImagesError(
        500, "The image could not be generated.", code="image_generation_failed", kind="image_generation_server_error"
    )


def is_sensitive(text: str) -> bool:
    """Whether a text has one of the sensitive words."""
    return any(word in text.lower() for word in SENSITIVE_WORDS)
