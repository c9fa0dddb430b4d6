"""The only reader of the environment: every setting, read once at start, from variables or a TOML file.

Atelier's own settings are here; each provider brings a model of its own, whose variables stand beside ours in the
same flat namespace. A variable wins over the file. A setting that is wrong stops the program with one sentence
that names it.
"""

from __future__ import annotations

import logging
import os
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetPydanticSchema,
    PlainValidator,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_core import core_schema

from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.providers.discovery import discover_specs
from atelier_mcp.server.providers.money import Money, parse_amounts, parse_money
from atelier_mcp.server.providers.spec import InstalledProvider
from atelier_mcp.server.validation import explain_errors

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from pydantic.fields import FieldInfo

    from atelier_mcp.server.providers.spec import ProviderSpec

log: logging.Logger = logging.getLogger(__name__)

ModelT = TypeVar("ModelT", bound=BaseModel)

CONFIG_VARIABLE = "ATELIER_CONFIG"
INPUT_ROOTS_VARIABLE = "ATELIER_INPUT_ROOTS"
PRICES_VARIABLE = "ATELIER_PRICES"
MIN_PREVIEW_PX = 64
"""Smaller ones show nothing."""


def get_default_home() -> Path:
    """The user's data folder for Atelier on Linux, macOS or Windows."""
    from platformdirs import user_data_path

    try:
        home = user_data_path("atelier", appauthor=False)
    except RuntimeError:
        home = Path()
    if not home.is_absolute():  # neither HOME nor an entry for the user id
        raise ConfigurationError("This user has no home folder: set ATELIER_HOME to a folder that it may write to.")
    return home


def _accept_as_is(_source: Any, _handler: Any) -> core_schema.CoreSchema:
    return core_schema.any_schema()


def _parse_money_limit(value: Any) -> dict[str, Decimal] | None:
    """Amounts by currency, from a text or a list of texts."""
    if value is None:
        return None
    return parse_amounts(", ".join(value) if isinstance(value, tuple) else str(value))  # pyright: ignore[reportUnknownArgumentType]  # any TOML


def _parse_single_amount(value: Any) -> Money | None:
    return None if value is None else parse_money(str(value))


# A plain validator builds no schema of what it makes: a start should not pay for one.
MoneyLimit = Annotated[dict[str, Decimal] | None, PlainValidator(_parse_money_limit)]
SingleAmount = Annotated[Money | None, PlainValidator(_parse_single_amount)]


class Settings(BaseModel):
    """What the operator has decided. Each field's alias is its variable; the providers' variables are their own."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", validate_default=False)

    home: Path = Field(
        default_factory=get_default_home,
        alias="ATELIER_HOME",
        description="Where pictures and the job ledger are kept (default: the user's data folder)",
    )
    database_url: str = Field(
        "",
        alias="ATELIER_DATABASE_URL",
        description="The ledger's database: `postgresql://user:password@host/name` or `sqlite:///PATH` (default: "
        "SQLite in `ATELIER_HOME`)",
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
        ge=0,
        le=1024,
        alias="ATELIER_PREVIEW_PX",
        description="Longest side of the previews in answers, in pixels, from 64; 0 for clients that cannot show any",
    )
    resource_links: bool = Field(
        False,
        alias="ATELIER_RESOURCE_LINKS",
        description="Link each picture as an MCP resource, too; several clients lose the whole answer then",
    )
    format: Literal["jpg", "png"] = Field(
        "jpg",
        alias="ATELIER_FORMAT",
        description="File format of pictures, where a call does not say which; an edited PNG stays one",
    )
    watermark: Literal["notice", "logo"] = Field(
        "notice",
        alias="ATELIER_WATERMARK",
        description="The visible mark MHAPI puts on, where a call does not say which",
    )
    input_roots: tuple[Path, ...] | None = Field(
        None,
        alias=INPUT_ROOTS_VARIABLE,
        description="Folders local pictures may be read from, over stdio; empty for none (default: home, working and "
        "temporary folder)",
    )
    http_hosts: tuple[str, ...] = Field(
        (),
        alias="ATELIER_HTTP_HOSTS",
        description="Host names this server is reached by over HTTP, behind a proxy or in a container, comma-separated",
    )
    drain_s: float = Field(
        0,
        ge=0,
        le=60,
        alias="ATELIER_DRAIN_S",
        description="How long a server over HTTP that is told to end still takes requests, in seconds, while its "
        "balancer notices; 3 behind one",
    )
    signing_keys: SecretStr | None = Field(
        None,
        alias="ATELIER_SIGNING_KEYS",
        description="Secrets of 32 characters or more, comma-separated, by which several servers open each other's "
        "picture links and questions; the first one signs (default: a key of its own in `ATELIER_HOME`)",
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
        description="Bearer token that HTTP clients must send; beyond loopback it, `atelier token` or OAuth is needed",
    )
    oauth_issuer: str = Field(
        "",
        alias="ATELIER_OAUTH_ISSUER",
        description="OAuth authorization server whose access tokens are taken over HTTP, e.g. `https://login.example.org`",
    )
    oauth_audience: str = Field(
        "",
        alias="ATELIER_OAUTH_AUDIENCE",
        description="What such a token must be meant for, its `aud` (default: `ATELIER_PUBLIC_URL` with `/mcp`)",
    )
    oauth_keys_url: str = Field(
        "",
        alias="ATELIER_OAUTH_KEYS_URL",
        description="Where the issuer's keys are, as a JWK set (default: as its metadata say)",
    )
    oauth_tenant_claim: str = Field(
        "",
        alias="ATELIER_OAUTH_TENANT_CLAIM",
        description="Claim whose value shares jobs and pictures, e.g. `org_id` (default: each person has its own)",
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
    budget_per_principal_day: int | None = Field(
        None, ge=1, alias="ATELIER_BUDGET_PER_PRINCIPAL_DAY", description="Most pictures a day (UTC) for each caller"
    )
    money_per_job: MoneyLimit = Field(
        None,
        alias="ATELIER_MONEY_PER_JOB",
        description="Most money one job may cost, by its estimate, e.g. `0.50 USD`; of several currencies, "
        "comma-separated",
    )
    money_per_day: MoneyLimit = Field(
        None, alias="ATELIER_MONEY_PER_DAY", description="Most money a day (UTC), all services together"
    )
    money_per_account_day: MoneyLimit = Field(
        None, alias="ATELIER_MONEY_PER_ACCOUNT_DAY", description="Most money a day (UTC) for each account"
    )
    money_per_principal_day: MoneyLimit = Field(
        None, alias="ATELIER_MONEY_PER_PRINCIPAL_DAY", description="Most money a day (UTC) for each caller"
    )
    unknown_price: SingleAmount = Field(
        None,
        alias="ATELIER_MONEY_UNKNOWN_PRICE",
        description="What a job counts as whose price is not known, e.g. `0.10 USD` (default: a limit in money refuses "
        "it)",
    )
    prices: Path | None = Field(
        None,
        alias="ATELIER_PRICES",
        description="TOML file with what jobs cost, by service, account, tool and model",
    )
    confirm_above_images: int | None = Field(
        None,
        ge=0,
        alias="ATELIER_CONFIRM_ABOVE_PICTURES",
        description="A job of more pictures than this is made when the person in front has agreed",
    )
    confirm_above_money: MoneyLimit = Field(
        None,
        alias="ATELIER_CONFIRM_ABOVE_MONEY",
        description="The same for a job that costs more than this, e.g. `0.20 USD`, or whose price is not known",
    )
    max_jobs_per_principal: int | None = Field(
        None,
        ge=1,
        alias="ATELIER_MAX_JOBS_PER_PRINCIPAL",
        description="Most jobs of each caller that are unfinished at once",
    )
    audit_log: Path | None = Field(
        None,
        alias="ATELIER_AUDIT_LOG",
        description="File for a JSON line per spend (default: over HTTP `audit.jsonl` in `ATELIER_HOME`, else none)",
    )
    keep_days: int | None = Field(
        None,
        ge=1,
        le=36_500,
        alias="ATELIER_KEEP_DAYS",
        description="Days after which pictures, finished jobs and the emulator's files are deleted (default: never)",
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
    installed_providers: Annotated[tuple[InstalledProvider, ...], GetPydanticSchema(_accept_as_is)] = Field(
        (), exclude=True, repr=False
    )
    """Every provider there is, in its own order of preference, with its own part of the settings."""

    @field_validator("toolsets", "providers", "input_roots", "http_hosts", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        # Folders are often written the way PATH is.
        separator = os.pathsep if os.pathsep in value and "," not in value else ","
        return tuple(part.strip() for part in value.split(separator) if part.strip())

    @field_validator("preview_px")
    @classmethod
    def _check_preview_px(cls, value: int) -> int:
        if 0 < value < MIN_PREVIEW_PX:
            raise ValueError(f"{value} given; at least {MIN_PREVIEW_PX} is allowed, or 0 for none")
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _uppercase(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @field_validator("home", "emulator_access_log", "audit_log", "prices", mode="after")
    @classmethod
    def _expand(cls, value: Path | None) -> Path | None:
        try:
            return value and value.expanduser().absolute()
        except (OSError, RuntimeError) as err:  # no working folder, or no home folder
            raise ValueError(f"{value} given; name a folder by its full path") from err

    @field_validator("input_roots", mode="after")
    @classmethod
    def _expand_all(cls, value: tuple[Path, ...] | None) -> tuple[Path, ...] | None:
        return value and tuple(folder for one in value if (folder := cls._expand(one)) is not None)

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, value: str) -> str:
        if value and "://" not in value:
            raise ValueError(
                "write sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME"
            )  # not what was given: addresses of databases hold passwords
        return value


def iterate_fields(specs: Iterable[ProviderSpec]) -> Iterator[tuple[str, FieldInfo]]:
    """Every variable that can be set, with what it means: ours first, then those of the providers."""
    yield from ((field.alias, field) for field in Settings.model_fields.values() if field.alias)
    for spec in specs:
        for variable, name in spec.settings.map_fields_by_variable().items():
            yield variable, spec.settings.model_fields[name]


def load_settings(environ: Mapping[str, str] | None = None, *, specs: Sequence[ProviderSpec] | None = None) -> Settings:
    """Read the environment and, under it, the TOML file that ``ATELIER_CONFIG`` names.

    ``specs`` are the providers there are, by default all that are installed. Raises ``ConfigurationError`` with one
    sentence naming the variable that is wrong.
    """
    environ = os.environ if environ is None else environ
    specs = discover_specs() if specs is None else specs
    variables = {variable for variable, _ in iterate_fields(specs)}
    values = {
        **_read_config_file(environ.get(CONFIG_VARIABLE, ""), variables),
        # A variable that is set to nothing counts as not set, and leaves the file's value in force.
        # But for one: without a word of folders, none is meant, and not the usual ones.
        **{k: v for k, v in environ.items() if k in variables and (v.strip() or k == INPUT_ROOTS_VARIABLE)},
    }
    _refuse_unknown(environ, variables)
    for variable in sorted(values):
        if variable.endswith("_URL"):
            _check_address(variable, str(values[variable]).strip())
    _check_prices(values.get(PRICES_VARIABLE), specs)
    own_variables = {field.alias for field in Settings.model_fields.values()}
    settings = _validate(Settings, {k: v for k, v in values.items() if k in own_variables})
    installed = [p for spec in specs if (p := _read_provider(spec, values)) is not None]
    return settings.model_copy(update={"installed_providers": tuple(installed)})


def _check_address(variable: str, address: str) -> None:
    """Raise ``ConfigurationError`` for what is no address; it may hold a password, and is not repeated."""
    try:
        parts = urlsplit(address)
        is_usable = parts.port is None or parts.port > 0
    except ValueError:  # a bracket that is not closed, a port above 65535
        is_usable = False
    else:
        needs_host = parts.scheme in ("http", "https", "s3")
        is_usable = is_usable and not (needs_host and (not parts.hostname or any(c.isspace() for c in address)))
    if not is_usable:
        raise ConfigurationError(f"{variable} is no address: write it like https://host/path.")


def _check_prices(path: Any, specs: Iterable[ProviderSpec]) -> None:
    """Raise ``ConfigurationError`` for a file of prices that cannot be used: found late, a limit would not hold."""
    if not path:
        return
    from atelier_mcp.server.providers.price_file import read_price_file

    try:
        read_price_file(Path(str(path)).expanduser(), providers={spec.name for spec in specs})
    except (ValueError, RuntimeError) as err:
        raise ConfigurationError(f"{PRICES_VARIABLE}: {err}.") from err


def _read_provider(spec: ProviderSpec, values: Mapping[str, Any]) -> InstalledProvider | None:
    """The provider with its own part of the settings; None, with a warning, where another package's model is broken."""
    own_values = {name: values[name] for name in spec.settings.map_fields_by_variable() if name in values}
    try:
        # Without a value there is nothing to validate, and the model need not be compiled.
        settings = _validate(spec.settings, own_values) if own_values else spec.settings.model_construct()
    except ConfigurationError:
        raise
    except Exception as err:
        if not spec.package:
            raise
        log.warning("provider %s of %s is left out: its settings cannot be read: %s", spec.name, spec.package, err)
        return None
    return InstalledProvider(spec, settings)


def _validate(model: type[ModelT], values: Mapping[str, Any]) -> ModelT:
    try:
        return model.model_validate(values)
    except ValidationError as err:
        # From None: the library's own words repeat what was given, and a traceback would show them.
        message = explain_errors(err, hidden=_list_secrets(model))[0]
        raise ConfigurationError(message, hint="Correct it and start again.") from None


def _list_secrets(model: type[BaseModel]) -> set[str]:
    """The variables whose values are keys."""
    return {field.alias or name for name, field in model.model_fields.items() if "SecretStr" in str(field.annotation)}


def _read_config_file(path: str, variables: Collection[str]) -> dict[str, Any]:
    if not path:
        return {}
    import tomllib

    try:
        values = tomllib.loads(Path(path).expanduser().read_text("utf-8"))
    except OSError as err:
        raise ConfigurationError(f"{CONFIG_VARIABLE}: {path} cannot be read: {err.strerror or err}.") from err
    except tomllib.TOMLDecodeError as err:
        raise ConfigurationError(f"{CONFIG_VARIABLE}: {path} is not TOML: {err}.") from err
    unknown = sorted(values.keys() - set(variables))
    if unknown:
        raise ConfigurationError(f"{path}: {unknown[0]} is not a setting; settings are named as in the README's table.")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  # validated below


def _refuse_unknown(environ: Mapping[str, str], variables: Collection[str]) -> None:
    """A misspelt ATELIER_ variable is an error: silently ignored, a budget would not hold."""
    for name in environ:
        if name.startswith("ATELIER_") and name not in variables and name != CONFIG_VARIABLE:
            # Only when a name is wrong: a start should not pay for it.
            import difflib

            near = difflib.get_close_matches(name, sorted(variables), n=1, cutoff=0.85)  # all begin alike
            suggestion = f"; did you mean {near[0]}?" if near else "."
            raise ConfigurationError(f"{name} is not a setting{suggestion}")
