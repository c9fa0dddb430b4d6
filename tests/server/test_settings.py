"""Settings: read once, refused in one sentence that names the variable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.providers import selection
from atelier_mcp.server.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path


def get_refusal(**environ: str) -> str:
    """The sentence for a wrong environment."""
    with pytest.raises(ConfigurationError) as error_info:
        selection.find_configured_providers(load_settings(environ))
    return error_info.value.message


def test_an_empty_environment_is_complete() -> None:
    """Atelier starts without a single setting."""
    settings = load_settings({})
    assert settings.wait_s == 45
    assert selection.find_configured_providers(settings) == ()
    assert settings.home.is_absolute()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ATELIER_WAIT_S", "60"),
        ("ATELIER_PREVIEW_PX", "many"),
        ("ATELIER_LOG_LEVEL", "loud"),
        ("ATELIER_BUDGET_PER_DAY", "0"),
    ],
)
def test_a_wrong_value_is_named(variable: str, value: str) -> None:
    """Which variable, what it holds, what is allowed."""
    sentence = get_refusal(**{variable: value})
    assert sentence.startswith(f"{variable}: ")
    assert value.lower() in sentence.lower()


def test_a_misspelt_variable_is_not_ignored() -> None:
    """A budget that is silently not read would not hold."""
    assert get_refusal(ATELIER_BUDGET_PER_DAYS="5") == (
        "ATELIER_BUDGET_PER_DAYS is not a setting; did you mean ATELIER_BUDGET_PER_DAY?"
    )


def test_half_a_set_of_credentials_names_the_other_half() -> None:
    """Nobody wonders why the emulator answers."""
    assert get_refusal(MHAPI_ACCESS_KEY="ak").endswith("MHAPI_SECRET_KEY is missing.")


def test_a_preferred_service_without_credentials_is_refused() -> None:
    """Preference does not make it usable."""
    assert "needs MHAPI_ACCESS_KEY and MHAPI_SECRET_KEY" in get_refusal(ATELIER_PROVIDERS="mhapi")


def test_secrets_do_not_show() -> None:
    """Neither in a repr nor in a dump."""
    settings = load_settings(
        {"MHAPI_ACCESS_KEY": "ak", "MHAPI_SECRET_KEY": "very-secret", "ATELIER_HTTP_TOKEN": "tok-secret"}
    )
    assert "very-secret" not in repr(settings)
    assert "tok-secret" not in settings.model_dump_json()


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    """A file holds what is the same every day; a variable what is different today."""
    file = tmp_path / "atelier.toml"
    file.write_text('ATELIER_WAIT_S = 20\nATELIER_PREVIEW_PX = 256\nATELIER_TOOLSETS = ["create", "jobs"]\n')
    settings = load_settings({"ATELIER_CONFIG": str(file), "ATELIER_WAIT_S": "10"})
    assert (settings.wait_s, settings.preview_px, settings.toolsets) == (10, 256, ("create", "jobs"))


def test_a_file_with_an_unknown_setting_is_refused(tmp_path: Path) -> None:
    """The same strictness as for variables."""
    file = tmp_path / "atelier.toml"
    file.write_text("wait = 20\n")
    assert "wait is not a setting" in get_refusal(ATELIER_CONFIG=str(file))
