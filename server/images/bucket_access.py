"""Which S3-compatible bucket, who may use it, and what its refusals mean."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, urlsplit

from atelier_mcp.server.errors import AtelierError, ConfigurationError, StorageUnavailable

if TYPE_CHECKING:
    from obstore.store import S3Store

CONNECT_TIMEOUT_S: Final = 3
REQUEST_TIMEOUT_S: Final = 30
"""For one picture on a slow line."""
RETRIES: Final = 2
RETRY_TIMEOUT_S: Final = 10
"""The library's own three minutes would hold up whoever waits."""
_CODE: Final = re.compile(r"<Code>(\w+)</Code>")
_WRONG_KEYS: Final = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "AuthorizationHeaderMalformed"}
)


@dataclass(frozen=True, slots=True)
class BucketAccess:
    """Where the bucket is and who may use it. ``url`` is ``s3://bucket`` or ``s3://bucket/folder``."""

    url: str
    access_key_id: str = field(default="", repr=False)
    secret_access_key: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)
    region: str = "us-east-1"
    endpoint: str = ""
    """The address of a service other than Amazon's: ``https://s3.example.org``."""
    public_endpoint: str = ""
    """Where that service is reached from outside, if it is."""
    variable: str = "ATELIER_BUCKET_URL"
    """The setting that ``url`` comes from, for errors."""

    @property
    def name(self) -> str:
        """The bucket's own name."""
        return split_bucket_url(self.url, self.variable).netloc

    @property
    def folder(self) -> str:
        """The folder in the bucket, without slashes around it; empty for the bucket itself."""
        return split_bucket_url(self.url, self.variable).path.strip("/")


def split_bucket_url(url: str, variable: str) -> SplitResult:
    """Raises ``ConfigurationError`` that repeats nothing of the address: keys may stand in it."""
    try:
        parts = urlsplit(url)
    except ValueError as err:
        raise ConfigurationError(f"{variable} is not of the form s3://bucket/folder.") from err
    if "@" in parts.netloc:
        raise ConfigurationError(
            f"{variable} has keys in it.",
            hint="Write s3://bucket/folder, and the keys into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        )
    if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment or "//" in parts.path:
        raise ConfigurationError(f"{variable} is not of the form s3://bucket/folder.")
    return parts


def open_bucket(access: BucketAccess, *, endpoint: str | None = None) -> S3Store:
    """The library's client of the bucket, by another ``endpoint`` where one is given. No request is made.

    Raises ``ConfigurationError`` where the library is not installed, or takes the settings for impossible.
    """
    try:
        from obstore.exceptions import BaseError
        from obstore.store import S3Store
    except ImportError as err:
        raise ConfigurationError(
            f"{access.variable} is set, but buckets are not installed.", hint='Install "atelier-mcp[bucket]".'
        ) from err
    try:
        return S3Store(access.name, **_build_options(access, access.endpoint if endpoint is None else endpoint))
    except (BaseError, ValueError) as err:
        raise ConfigurationError(
            f"{access.variable}: the bucket's endpoint, region or keys are not of a form that can be used."
        ) from err


def _build_options(access: BucketAccess, endpoint: str) -> dict[str, Any]:
    # What is not set is left to the library's own defaults.
    options: dict[str, Any] = {
        name: value for name, value in (("region", access.region), ("endpoint", endpoint)) if value
    }
    if access.secret_access_key:
        credential = {
            "access_key_id": access.access_key_id,
            "secret_access_key": access.secret_access_key,
            "token": access.session_token or None,
            "expires_at": None,
        }
        # And not as options, beside which the library takes AWS_SESSION_TOKEN from the environment.
        options["credential_provider"] = lambda: credential
    client_options: dict[str, Any] = {
        "timeout": f"{REQUEST_TIMEOUT_S}s",
        "connect_timeout": f"{CONNECT_TIMEOUT_S}s",
        # A bucket on a machine of one's own often has no certificate; the library refuses plain http unless told.
        "allow_http": endpoint.startswith("http://"),
    }
    options["client_options"] = client_options
    options["retry_config"] = {"max_retries": RETRIES, "retry_timeout": timedelta(seconds=RETRY_TIMEOUT_S)}
    return options


def find_error_code(err: Exception) -> str:
    """The service's own code for what went wrong, ``NoSuchBucket``; empty where it gave none."""
    found = _CODE.search(str(err))
    return found[1] if found else ""


def explain_bucket_error(err: Exception, access: BucketAccess, *, action: str) -> AtelierError:
    """What an error of the library means for whoever runs the server, without a word of its text: keys may be in it.

    ``action`` is what was tried: ``stored``, ``read``, ``listed``, ``deleted``.
    """
    bucket, code = f"the bucket {access.name} of {access.variable}", find_error_code(err)
    where = "its endpoint and its region"
    if code == "NoSuchBucket":
        return ConfigurationError(f"There is no {bucket[4:]}.", hint=f"Make it, or check {access.variable}, {where}.")
    if code == "RequestTimeTooSkewed":
        return ConfigurationError(
            f"The clock of this machine is too far off for {bucket}.", hint="Let it be set by NTP."
        )
    if code in _WRONG_KEYS:
        return ConfigurationError(
            f"The keys for {bucket} are not accepted.",
            hint="Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, with temporary keys, AWS_SESSION_TOKEN, or "
            "ATELIER_STORE_ACCESS_KEY_ID and ATELIER_STORE_SECRET_ACCESS_KEY where those are set.",
        )
    if type(err).__name__ in ("PermissionDeniedError", "UnauthenticatedError"):
        return ConfigurationError(
            f"The keys for {bucket} lack a right: nothing is {action} with them.",
            hint="They need s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket.",
        )
    said = f" ({code})" if code else ""
    return StorageUnavailable(
        f"{bucket[0].upper()}{bucket[1:]} does not answer as it should{said}: nothing is {action} at the moment.",
        hint="Check whether its service is reachable (AWS_ENDPOINT_URL or ATELIER_STORE_ENDPOINT_URL, and the region); "
        "atelier doctor tries it.",
    )
