"""An upstream is one folder, or one package of somebody else's: nothing outside of it names it."""

from __future__ import annotations

import ast
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server import providers
from atelier_mcp.server.clock import SystemClock
from atelier_mcp.server.emulator import accounts
from atelier_mcp.server.emulator.upstreams import find_upstreams
from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.provider_factory import ProviderBuilder
from atelier_mcp.server.providers import selection
from atelier_mcp.server.providers.discovery import discover_own_specs, discover_specs
from atelier_mcp.server.providers.miaohua.auth import MiaohuaTokenCache
from atelier_mcp.server.providers.operation_index import OperationIndex
from atelier_mcp.server.providers.spec import OperationSpec, ProviderSettings, ProviderSpec
from atelier_mcp.server.requests.chat import ChatWithImage
from atelier_mcp.server.settings import load_settings
from atelier_mcp.server.testing import provider_calls
from tests.support.provider_packages import TOY_FILE, install_package, install_toy

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVER = Path(__file__).parents[2] / "server"
OWN_SPECS = {spec.name: spec for spec in discover_own_specs()}
DRAW = ChatWithImage.model_validate({"messages": [{"role": "user", "content": "Draw a kite"}]})


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path, into which a test installs packages."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    yield folder
    sys.modules.pop("atelier_toy", None)


def install_broken_toy(site: Path, sound: str, broken: str) -> None:
    """Install the toy provider with one place of it made wrong."""
    text = TOY_FILE.read_text("utf-8")
    assert sound in text
    install_package(site, "atelier-toy", "toy = atelier_toy:SPEC")
    (site / "atelier_toy.py").write_text(text.replace(sound, broken), "utf-8")


def build_providers(environ: dict[str, str], home: Path) -> ProviderBuilder:
    """The builder of what these variables configure."""
    installed = selection.find_configured_providers(load_settings(environ))
    return ProviderBuilder(installed, clock=SystemClock(), home=home, is_emulated=False)


def build_environ(*names: str) -> dict[str, str]:
    """Credentials of some of our own providers, at an address that nothing answers at."""
    environ: dict[str, str] = {}
    for spec in (OWN_SPECS[name] for name in names):
        if spec.emulator is not None:
            environ |= spec.emulator("http://127.0.0.1:9")
        else:
            fields = spec.settings.model_fields
            environ |= {str(fields[name].alias): "key" for name in spec.settings.required_fields}
            environ |= {str(fields[name].alias): "http://127.0.0.1:9" for name in ("base_url", "url") if name in fields}
    return environ


def test_a_folder_is_all_that_an_upstream_adds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file of the server is touched: discovery, settings, capabilities and deadlines follow from the folder."""
    folder = tmp_path / "toy"
    folder.mkdir()
    (folder / "__init__.py").touch()
    shutil.copy(TOY_FILE, folder / "spec.py")
    monkeypatch.setattr(providers, "__path__", [*providers.__path__, str(tmp_path)])
    settings = load_settings({"TOY_COLOUR": "teal", "TOY_SIDE_PX": "32"})
    (toy,) = selection.find_usable_providers(settings)
    assert toy.spec.name == "toy"
    assert OperationIndex([toy.spec]).find("toy", "generate_image").deadline_s == 60
    sys.modules.pop("atelier_mcp.server.providers.toy.spec")


@pytest.mark.parametrize("name", OWN_SPECS)
def test_nothing_in_the_server_names_an_upstream_but_its_own_folders(name: str) -> None:
    """Imports, identifiers and texts that a program reads.

    SenseNova knows of the account it is paid from; its U1 is one of the servers that speak OpenAI's dialect.
    """
    friends = {"miaohua": ("sensenova",), "sensenova": ("openai_images",)}.get(name, ())
    own_folders = [SERVER / layer / folder for layer in ("providers", "emulator") for folder in (name, *friends)]
    wrong = [
        f"{path.relative_to(SERVER)}:{line}: {text}"
        for path in SERVER.rglob("*.py")
        if not any(path.is_relative_to(folder) for folder in own_folders)
        if not path.is_relative_to(SERVER / "emulator")  # held to the same by a test of its own
        for line, text in find_mentions(path, name)
    ]
    assert not wrong, "\n".join(wrong)


def find_mentions(path: Path, name: str) -> Iterator[tuple[int, str]]:
    """Where a file names an upstream other than in words for people."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.ImportFrom(module=str(text)) | ast.Name(id=text) | ast.Attribute(attr=text):
                is_mention = name in text.lower()
            case ast.FunctionDef(name=text) | ast.AsyncFunctionDef(name=text) | ast.ClassDef(name=text):
                is_mention = name in text.lower()
            case ast.Constant(value=str(text)):
                is_mention = text == name or text.startswith((f"{name.upper()}_", f"{name}_", f"{name}:"))
            case _:
                continue
        if is_mention:
            yield getattr(node, "lineno", 0), text


def test_a_package_of_somebody_elses_is_found_by_its_entry_point(site: Path) -> None:
    install_toy(site)
    toy = {spec.name: spec for spec in discover_specs()}["toy"]
    assert (toy.title, toy.package) == ("Toy", "atelier-toy 1.0")
    assert discover_specs()[-1] is not toy
    assert discover_specs()[-1].name == "toy", "ours are preferred where the operator says nothing"


@pytest.mark.parametrize(
    ("entry_point", "reason"),
    [
        ("toy = atelier_nowhere:SPEC", "ModuleNotFoundError: No module named 'atelier_nowhere'"),
        ("toy = atelier_broken:SPEC", "ZeroDivisionError"),
        ("toy = os:path", "it is no ProviderSpec"),
    ],
)
def test_a_broken_package_is_left_out_with_one_warning_that_names_it(
    entry_point: str, reason: str, site: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (site / "atelier_broken.py").write_text("1 / 0\n")
    install_package(site, "atelier-broken", entry_point)
    assert [spec.name for spec in discover_specs()] == list(OWN_SPECS)
    (message,) = caplog.messages
    assert message.startswith("provider toy of atelier-broken 1.0 is left out: ")
    assert reason in message


@pytest.mark.parametrize(
    ("sound", "broken", "reason"),
    [
        ('Field("", alias="TOY_COLOUR"', 'Field(alias="TOY_COLOUR"', "the field colour of ToySettings has no default"),
        ('required_fields = ("colour",)', 'required_fields = ("color",)', "required_fields of ToySettings names color"),
        (
            "required_fields = (",
            'alternative_fields = ("key",)\n    required_fields = (',
            "alternative_fields of ToySettings",
        ),
        (
            'Field("", alias="TOY_COLOUR"',
            'Field("teal", alias="TOY_COLOUR"',
            "required_fields of ToySettings names colour, which has a default",
        ),
        ('{"generate_image": Op', '{"generate_picture": Op', "its operation 'generate_picture' is no capability"),
        (
            "OperationSpec(deadline_s=60, polls_from_start=True)",
            "60",
            "its operation generate_image is no OperationSpec",
        ),
        ("settings=ToySettings", "settings=ToyProvider", "its settings are no class of ProviderSettings"),
        ('name="toy"', 'name="../toy"', "its name '../toy' is not made of small letters"),
        ('factory="atelier_toy:create"', 'factory="atelier_toy.create"', "is not written as module:function"),
    ],
)
@pytest.mark.parametrize("environ", [{}, {"TOY_COLOUR": "teal"}], ids=["unset", "set"])
def test_a_spec_that_cannot_work_is_left_out_whatever_is_set(
    sound: str, broken: str, reason: str, environ: dict[str, str], site: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Said at the start, of the package and the part of its spec; the others are there."""
    install_broken_toy(site, sound, broken)
    settings = load_settings({**build_environ("mhapi"), **environ})
    assert [p.spec.name for p in selection.find_configured_providers(settings)] == ["mhapi"]
    (message,) = caplog.messages
    assert message.startswith("provider toy of atelier-toy 1.0 is left out: ")
    assert reason in message


def test_a_name_twice_is_ours_and_that_is_said(site: Path, caplog: pytest.LogCaptureFixture) -> None:
    (site / "atelier_second.py").write_text(TOY_FILE.read_text().replace('name="toy"', 'name="mhapi"'))
    install_package(site, "atelier-second", "mhapi = atelier_second:SPEC")
    assert discover_specs() == discover_own_specs()
    assert caplog.messages == ["provider mhapi of atelier-second 1.0 is left out: Atelier has one of that name"]


def test_settings_that_cannot_be_read_leave_their_package_out(caplog: pytest.LogCaptureFixture) -> None:
    class BrokenSettings(ProviderSettings):
        @classmethod
        def model_validate(cls, obj: Any, **_: Any) -> Any:
            raise RuntimeError("the model does not compile")

        colour: str = ""

    spec = ProviderSpec(
        name="toy", title="Toy", settings=BrokenSettings, operations={}, factory="toy:create", package="atelier-toy 1.0"
    )
    settings = load_settings({"colour": "teal"}, specs=[*OWN_SPECS.values(), spec])
    assert [p.spec.name for p in settings.installed_providers] == list(OWN_SPECS)
    assert "provider toy of atelier-toy 1.0 is left out: its settings cannot be read" in caplog.text


def test_a_wrong_value_of_another_packages_setting_is_named_as_any_other(site: Path) -> None:
    install_toy(site)
    with pytest.raises(ConfigurationError, match="TOY_SIDE_PX: '4' given; at least 16 is allowed"):
        load_settings({"TOY_COLOUR": "teal", "TOY_SIDE_PX": "4"})


def test_a_provider_that_cannot_be_built_does_not_take_the_others_with_it(
    site: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    install_broken_toy(site, 'factory="atelier_toy:create"', 'factory="atelier_toy:missing"')
    builder = build_providers({**build_environ("mhapi"), "TOY_COLOUR": "teal"}, tmp_path)
    assert builder.names == ("mhapi", "toy")
    assert builder.find("mhapi") is not None
    assert builder.find("toy") is None
    (message,) = caplog.messages
    assert message.startswith("provider toy of atelier-toy 1.0 is left out: Toy could not be built: AttributeError: ")


@pytest.mark.parametrize(
    ("sound", "broken", "reason"),
    [
        ('    name = "toy"', '    name = "paint"', "its spec is named 'toy', its provider 'paint'"),
        (
            'operations={"generate_image"',
            'operations={"erase_object": OperationSpec(), "generate_image"',
            "its spec announces erase_object, which its provider does not serve",
        ),
        (
            "model_kinds: tuple[str, ...] = ()",
            'model_kinds: tuple[str, ...] = ("checkpoint",)',
            "its provider serves list_models, which its spec does not announce",
        ),
        ("    return ToyProvider(", "    raise ValueError(", "ValueError: "),
    ],
)
def test_a_provider_that_is_not_what_its_spec_announces_is_left_out(
    sound: str, broken: str, reason: str, site: Path, tmp_path: Path
) -> None:
    install_broken_toy(site, sound, broken)
    builder = build_providers({"TOY_COLOUR": "teal"}, tmp_path)
    assert builder.find("toy") is None
    (problem,) = builder.broken
    assert str(problem).startswith(f"Toy could not be built: {reason}")


@pytest.mark.parametrize("name", OWN_SPECS)
def test_a_spec_says_of_its_provider_what_the_provider_says(name: str, tmp_path: Path) -> None:
    """Name and operations; ``list_models`` is told by the kinds of models there are."""
    provider = build_providers(build_environ(name), tmp_path).find(name)
    assert provider is not None
    assert (provider.name, provider.is_local, provider.is_emulated) == (name, True, False)
    listing = {"list_models"} if provider.model_kinds else set[str]()
    assert provider.operations.keys() | listing == OWN_SPECS[name].operations.keys()


def test_the_demo_credentials_are_those_the_emulator_lets_in() -> None:
    """Neither side imports the other; here they meet."""
    environ = build_environ(*OWN_SPECS)
    registry = accounts.AccountRegistry(known for upstream in find_upstreams().values() for known in upstream.accounts)
    mhapi, miaohua = registry.find(environ["MHAPI_ACCESS_KEY"]), registry.find(environ["MIAOHUA_EMAIL"])
    assert mhapi is not None
    assert mhapi.secret_key == environ["MHAPI_SECRET_KEY"]
    assert miaohua is not None
    assert miaohua.secret_key == environ["MIAOHUA_PASSWORD"]
    assert registry.find_by_secret(environ["SENSENOVA_API_KEY"]) == accounts.DEMO_API_KEY_ACCOUNT
    assert environ["SD_AWS_API_KEY"] == accounts.DEMO_API_KEY


async def test_sensenova_pays_with_the_miaohua_accounts_token_unless_it_has_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where SenseNova is preferred, so that it is built first."""
    environ = {**build_environ("sensenova", "miaohua"), "ATELIER_PROVIDERS": "sensenova,miaohua"}
    pinned: list[str] = []

    async def lend_token(*, rejected_token: str = "") -> str:
        pinned.append(rejected_token)
        return "lent"

    monkeypatch.setattr(MiaohuaTokenCache, "get_token", staticmethod(lend_token))
    for token, count in (("its own", 0), ("", 1)):
        sensenova = build_providers({**environ, "SENSENOVA_MIAOHUA_TOKEN": token}, tmp_path).find("sensenova")
        assert sensenova is not None
        await provider_calls.plan(sensenova, DRAW)
        assert len(pinned) == count


def test_a_job_of_a_provider_that_is_gone_has_the_usual_deadline() -> None:
    assert OperationIndex().find("gone", "generate_image") == OperationSpec()
    assert OperationSpec().deadline_s == 1_800


def test_training_has_a_day_and_an_upload_a_week() -> None:
    index = OperationIndex(discover_own_specs())
    assert index.find("mhapi", "train_lora").deadline_s == 86_400
    assert index.find("mhapi", "generate_image").deadline_s == 1_800
    assert index.find("sd_aws", "aws_add_checkpoint") == OperationSpec(deadline_s=604_800, polls_from_start=True)


def test_a_field_that_two_claim_is_offered_with_all_that_the_configured_ones_mean_by_it() -> None:
    def claim(name: str) -> ProviderSpec:
        operation = OperationSpec(exclusive_fields={"advanced": f"{name}:Options"})
        operations = {"generate_image": operation}
        return ProviderSpec(
            name=name, title=name, settings=ProviderSettings, operations=operations, factory=f"{name}:create"
        )

    index = OperationIndex([claim("first"), claim("second")])
    assert [owner.name for owner in index.find_field_owners("generate_image")["advanced"]] == ["first", "second"]
    assert index.find_exclusive_fields("generate_image", ["first", "second"]) == {
        "advanced": "first:Options|second:Options"
    }
    assert index.find_exclusive_fields("generate_image", ["second"]) == {"advanced": "second:Options"}
