"""The only reader of the environment: every setting, read once at start, from variables or a TOML file.

A variable wins over the file. A setting that is wrong stops the program with one sentence that names it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.validation import explain_errors

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG_VARIABLE = "ATELIER_CONFIG"


def get_default_home() -> Path:
    """The user's data folder for Atelier on Linux, macOS or Windows."""
    from platformdirs import user_data_path

    return user_data_path("atelier", appauthor=False)


class Settings(BaseModel):
    """What the operator has decided. Each field's alias is its variable."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False)

    home: Path = Field(
        default_factory=get_default_home,
        alias="ATELIER_HOME",
        description="Where pictures and the job ledger are kept (default: the user's data folder)",
    )
    database_url: str = Field(
        "", alias="ATELIER_DATABASE_URL", description="The ledger's database (default: SQLite in `ATELIER_HOME`)"
    )
    toolsets: tuple[str, ...] = Field(
        (),
        alias="ATELIER_TOOLSETS",
        description="Toolsets to offer, comma-separated, or `all` (default: those marked yes below)",
    )
    providers: tuple[str, ...] = Field(
        (),
        alias="ATELIER_PROVIDERS",
        description="Services to use, in order of preference (default: all that have credentials)",
    )
    wait_s: float = Field(
        45, ge=0, le=50, alias="ATELIER_WAIT_S", description="How long a call waits for its pictures, in seconds"
    )
    preview_px: int = Field(
        512,
        ge=64,
        le=1024,
        alias="ATELIER_PREVIEW_PX",
        description="Longest side of the previews in answers, in pixels",
    )
    format: Literal["jpg", "png"] = Field(
        "jpg", alias="ATELIER_FORMAT", description="File format of pictures, where a call does not say which"
    )
    watermark: Literal["notice", "logo"] = Field(
        "notice",
        alias="ATELIER_WATERMARK",
        description="The visible mark MHAPI puts on, where a call does not say which",
    )
    input_roots: tuple[Path, ...] = Field(
        (),
        alias="ATELIER_INPUT_ROOTS",
        description="Folders local pictures may be read from, over stdio (default: home, working and temporary folder)",
    )
    public_url: str = Field(
        "",
        alias="ATELIER_PUBLIC_URL",
        description="Where services on the internet reach this server's pictures, e.g. `https://pictures.example.org`",
    )
    bucket_url: str = Field(
        "",
        alias="ATELIER_BUCKET_URL",
        description="S3-compatible bucket that lends local pictures to services, e.g. `s3://bucket/folder`",
    )
    aws_access_key_id: str = Field("", alias="AWS_ACCESS_KEY_ID", description="The bucket's access key")
    aws_secret_access_key: SecretStr | None = Field(
        None, alias="AWS_SECRET_ACCESS_KEY", description="The bucket's secret key"
    )
    aws_session_token: SecretStr | None = Field(
        None, alias="AWS_SESSION_TOKEN", description="The bucket's session token, with temporary keys"
    )
    aws_region: str = Field("us-east-1", alias="AWS_REGION", description="The bucket's region")
    aws_endpoint_url: str = Field(
        "", alias="AWS_ENDPOINT_URL", description="The bucket's service, where it is not Amazon's"
    )
    http_token: SecretStr | None = Field(
        None,
        alias="ATELIER_HTTP_TOKEN",
        description="Bearer token that HTTP clients must send; needed to listen beyond loopback",
    )
    budget_per_job: int | None = Field(
        None, ge=1, alias="ATELIER_BUDGET_PER_JOB", description="Most pictures one job may make"
    )
    budget_per_day: int | None = Field(
        None, ge=1, alias="ATELIER_BUDGET_PER_DAY", description="Most pictures a day (UTC), all services together"
    )
    budget_per_account_day: int | None = Field(
        None, ge=1, alias="ATELIER_BUDGET_PER_ACCOUNT_DAY", description="Most pictures a day (UTC) for each account"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "WARNING", alias="ATELIER_LOG_LEVEL", description="How much is said on stderr"
    )
    emulator_access_log: Path | None = Field(
        None,
        alias="ATELIER_EMULATOR_ACCESS_LOG",
        description="The built-in emulator writes one JSON line per request into this file",
    )
    emulator_task_s: float = Field(
        0,
        ge=0,
        le=3600,
        alias="ATELIER_EMULATOR_TASK_S",
        description="How long the built-in emulator's tasks take at least, in seconds",
    )
    mhapi_access_key: str = Field("", alias="MHAPI_ACCESS_KEY", description="MHAPI: access key")
    mhapi_secret_key: SecretStr | None = Field(None, alias="MHAPI_SECRET_KEY", description="MHAPI: secret key")
    mhapi_base_url: str = Field(
        "https://mhapi.sensetime.com", alias="MHAPI_BASE_URL", description="MHAPI: base address"
    )
    miaohua_email: str = Field("", alias="MIAOHUA_EMAIL", description="Miaohua: e-mail of the account")
    miaohua_password: SecretStr | None = Field(
        None, alias="MIAOHUA_PASSWORD", description="Miaohua: password of the account"
    )
    miaohua_base_url: str = Field(
        "https://miaohua.sensetime.com/api/v1b", alias="MIAOHUA_BASE_URL", description="Miaohua: base address"
    )
    miaohua_sensitive_limit: float | None = Field(
        None,
        ge=0,
        le=1,
        alias="MIAOHUA_SENSITIVE_LIMIT",
        description="Miaohua: how strictly finished pictures are checked, 0 to 1 (default: the service's own way)",
    )
    sensenova_api_key: SecretStr | None = Field(None, alias="SENSENOVA_API_KEY", description="SenseNova: API key")
    sensenova_miaohua_token: SecretStr | None = Field(
        None,
        alias="SENSENOVA_MIAOHUA_TOKEN",
        description="Miaohua token that pays for SenseNova's pictures (default: that of the Miaohua account)",
    )
    sensenova_fusion_url: str = Field(
        "https://sensenova.sensetime.com",
        alias="SENSENOVA_FUSION_URL",
        description="SenseNova: base address, or endpoint, for `chat_with_image`",
    )
    sensenova_chat_url: str = Field(
        "https://lm_experience.sensetime.com",
        alias="SENSENOVA_CHAT_URL",
        description="SenseNova: base address, or endpoint, for `chat`",
    )

    sd_aws_url: str = Field(
        "",
        alias="SD_AWS_URL",
        description="Stable Diffusion on AWS: address of the deployment's API, with its stage, such as `.../prod`",
    )
    sd_aws_api_key: SecretStr | None = Field(
        None, alias="SD_AWS_API_KEY", description="Stable Diffusion on AWS: API key"
    )
    sd_aws_username: str = Field("api", alias="SD_AWS_USERNAME", description="Stable Diffusion on AWS: user to act as")
    sd_aws_endpoint: str = Field(
        "",
        alias="SD_AWS_ENDPOINT",
        description="Stable Diffusion on AWS: endpoint to use (default: the first in service)",
    )

    @field_validator("toolsets", "providers", "input_roots", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        separator = os.pathsep if os.pathsep in value and "," not in value else ","
        return tuple(part.strip() for part in value.split(separator) if part.strip())

    @field_validator("log_level", mode="before")
    @classmethod
    def _uppercase(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @field_validator("home", "emulator_access_log", mode="after")
    @classmethod
    def _expand(cls, value: Path | None) -> Path | None:
        return value and value.expanduser().absolute()


VARIABLES: dict[str, str] = {str(field.alias): name for name, field in Settings.model_fields.items()}
"""Each variable and its field."""


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the environment and, under it, the TOML file that ``ATELIER_CONFIG`` names.

    Raises ``ConfigurationError`` with one sentence naming the variable that is wrong.
    """
    environ = os.environ if environ is None else environ
    raw_values = {
        **_read_config_file(environ.get(CONFIG_VARIABLE, "")),
        **{k: v for k, v in environ.items() if k in VARIABLES and v.strip()},
    }
    _refuse_unknown(environ)
    try:
        return Settings.model_validate(raw_values)
    except ValidationError as err:
        raise ConfigurationError(explain_errors(err)[0], hint="Correct it and start again.") from err


def _read_config_file(path: str) -> dict[str, Any]:
    if not path:
        return {}
    import tomllib

    try:
        values = tomllib.loads(Path(path).expanduser().read_text("utf-8"))
    except OSError as err:
        raise ConfigurationError(f"{CONFIG_VARIABLE}: {path} cannot be read: {err.strerror or err}.") from err
    except tomllib.TOMLDecodeError as err:
        raise ConfigurationError(f"{CONFIG_VARIABLE}: {path} is not TOML: {err}.") from err
    unknown = sorted(set(values) - set(VARIABLES))
    if unknown:
        raise ConfigurationError(f"{path}: {unknown[0]} is not a setting; settings are named as in the README's table.")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  # validated below


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    """A misspelt ATELIER_ variable is an error: silently ignored, a budget would not hold."""
    for name in environ:
        if name.startswith("ATELIER_") and name not in VARIABLES and name != CONFIG_VARIABLE:
            import difflib

            near = difflib.get_close_matches(name, VARIABLES, n=1)
            suggestion = f"; did you mean {near[0]}?" if near else "."
            raise ConfigurationError(f"{name} is not a setting{suggestion}")
