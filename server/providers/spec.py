"""What a provider says of itself before it is loaded: settings, operations, and where the code lies.

Every upstream is one folder with a ``spec.py`` that holds its ``SPEC``; a package of somebody else's names one under
the entry point group ``atelier_mcp.providers``. Specs are read at every start, to list the tools, so that a module
with one imports nothing heavy::

    class ToySettings(ProviderSettings):
        required_fields = ("url",)
        url: str = Field("", alias="TOY_URL", description="Toy: address")

    SPEC = ProviderSpec(
        name="toy",
        title="Toy",
        settings=ToySettings,
        operations={"generate_image": OperationSpec()},
        factory="atelier_toy.provider:create",  # create(settings: ToySettings, context: ProviderContext) -> Provider
    )
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict, create_model

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from atelier_mcp.server.providers.context import ProviderContext
    from atelier_mcp.server.providers.provider import Provider

DEFAULT_DEADLINE_S: Final = 30 * 60.0
DEFAULT_RANK: Final = 100


class ProviderSettings(BaseModel):
    """A provider's own part of the settings: each field's alias is its variable, in the environment or the TOML file.

    Every field has a default, so that a provider without any variable set is simply not configured.
    """

    # Nothing is compiled at import: a start compiles only the models of the providers that are configured.
    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    required_fields: ClassVar[tuple[str, ...]] = ()
    """What must be set for the provider to count as configured; these default to nothing."""

    alternative_fields: ClassVar[tuple[str, ...]] = ()
    """Of which any one configures the provider as well, without what is required; these default to nothing, too."""

    @classmethod
    def map_fields_by_variable(cls) -> dict[str, str]:
        """Each variable with its field, in order."""
        return {model_field.alias or name: name for name, model_field in cls.model_fields.items()}

    @classmethod
    def format_required_variables(cls) -> str:
        """The required variables as the operator writes them: ``MHAPI_ACCESS_KEY and MHAPI_SECRET_KEY``."""
        required = " and ".join(cls.model_fields[name].alias or name for name in cls.required_fields)
        return " or ".join([required, *(cls.model_fields[name].alias or name for name in cls.alternative_fields)])

    def list_missing_variables(self) -> tuple[str, ...]:
        """The required variables that are not set, where no alternative is."""
        if any(getattr(self, name) for name in self.alternative_fields):
            return ()
        fields = type(self).model_fields
        return tuple(fields[name].alias or name for name in self.required_fields if not getattr(self, name))

    def is_configured(self) -> bool:
        """True when nothing required is missing."""
        return not self.list_missing_variables()


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationSpec:
    """What others must know of the way a provider does one capability."""

    deadline_s: float = DEFAULT_DEADLINE_S
    """How long after it was asked for a job may be unfinished."""
    polls_from_start: bool = False
    """The work goes on, or its progress is heard, only while it is polled: the first poll must not wait for the usual
    time."""
    puts_visible_mark: bool = False
    """The service always writes a mark into its pictures; each caller is told once."""
    mark_hint: str = ""
    """What a caller can do about that mark, as a sentence."""
    exclusive_fields: Mapping[str, str | None] = field(default_factory=dict[str, str | None])
    """The request's fields that this provider alone understands: a request that uses one is this provider's, or that
    of another one that claims the same field. Where they mean different types, a caller is offered the fields of all,
    and what it uses of them decides.

    They are put before a model where the provider is configured, also if the request hides them. The value is the
    ``module:Class`` of the field's real type where the request states a general one; it is loaded only then.
    """

    refused_fields: frozenset[str] = frozenset()
    """The request's fields that this provider never takes. They are left out of what is put before a model where no
    configured provider takes them."""


def load_field_type(path: str) -> type[BaseModel]:
    """The class that a path of ``exclusive_fields`` names; of several, with ``|`` between them, one with all fields."""
    classes: list[type[BaseModel]] = []
    for class_path in path.split("|"):
        module, _, class_name = class_path.partition(":")
        classes.append(getattr(importlib.import_module(module), class_name))
    return classes[0] if len(classes) == 1 else create_model("AllOptions", __base__=tuple(classes))


ProviderFactory: TypeAlias = "Callable[[Any, ProviderContext], Provider]"
"""From a provider's own settings, an instance of its ``ProviderSpec.settings``, to the provider."""
SettingsProblem: TypeAlias = "tuple[str, str]"
"""What will not work with these settings, and why: ``("Toy's pictures", "cannot be coloured: set TOY_COLOUR")``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSpec:
    """One upstream: what it is called, what it needs, what it can do, where its code is."""

    name: str
    """In settings and answers: ``mhapi``."""
    title: str
    """For people: ``SenseTime MHAPI``."""
    settings: type[ProviderSettings]
    operations: Mapping[str, OperationSpec]
    """By capability, as the requests name them."""
    factory: str
    """``module:function`` of the ``ProviderFactory``, loaded when a provider is first used."""
    rank: int = DEFAULT_RANK
    """The place in the order of preference, lowest first, where ``ATELIER_PROVIDERS`` says nothing."""
    emulator: Callable[[str], Mapping[str, str]] | None = None
    """From the built-in emulator's address, without a slash at the end, to the variables that point this provider at
    it, demo credentials included. None: the emulator does not play this upstream for a server without keys."""
    check: Callable[[Mapping[str, ProviderSettings]], Sequence[SettingsProblem]] | None = None
    """Looks through the settings of all providers, by name, for what this one will miss: for ``atelier doctor``."""
    is_free: bool | Callable[[Any], bool] = False
    """Nothing that it does costs money, always or with these settings of its own: the tools that it alone serves do not
    warn of that."""
    hosts_images: bool = False
    """It takes images in and gives public links to them, for whichever service needs one."""
    is_further: bool = False
    """One more endpoint of a service that stands before it: left out of lists unless it is configured."""
    package: str = ""
    """The distribution it came with, filled in by discovery; empty for our own."""

    def is_free_with(self, settings: ProviderSettings) -> bool:
        """``is_free`` for these settings of its own."""
        return self.is_free(settings) if callable(self.is_free) else self.is_free

    def load_factory(self) -> ProviderFactory:
        """Import the factory; raises what the import raises."""
        module, _, function = self.factory.partition(":")
        return getattr(importlib.import_module(module), function)


class InstalledProvider(NamedTuple):
    """A provider that could be used, with what the operator has set for it."""

    spec: ProviderSpec
    settings: ProviderSettings


@dataclass(frozen=True, slots=True)
class BrokenProvider:
    """A configured provider of another package that could not be built; the others are served."""

    spec: ProviderSpec
    reason: str

    def __str__(self) -> str:
        """One sentence."""
        return f"{self.spec.title} could not be built: {self.reason}."
