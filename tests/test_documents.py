"""What people read and what programs install from: the same facts everywhere, and every link leads somewhere."""

from __future__ import annotations

import base64
import importlib.util
import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from atelier_mcp.server import registry
from atelier_mcp.server.cli import bundle, registry_entry
from atelier_mcp.server.cli.hosts.install_links import START, build_links

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*/README.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text("utf-8"), flags=re.DOTALL)
    targets = [target for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_windows_lines_do_what_make_does() -> None:
    """In both languages: the same packages, installed in the same way."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    blocks: set[str] = set()
    for name in ("README.md", "README.zh-CN.md"):
        (block,) = re.findall(r"```sh\n(py -m venv.*?)```", (ROOT / name).read_text("utf-8"), re.DOTALL)
        blocks.add(block)
    (block,) = blocks
    lines = [line.removeprefix(".venv\\Scripts\\python -m ") for line in block.splitlines()[1:3]]
    for line in lines:
        assert line.removeprefix("pip install ") in makefile
    assert (ROOT / "requirements-demo.lock").exists()


def test_the_demo_installs_the_same_versions_as_the_tests() -> None:
    """And fewer of them, with hashes, from no place in particular."""
    locked = _read_lock("requirements.lock")
    demo = _read_lock("requirements-demo.lock")
    assert demo <= locked
    assert len({line.partition("==")[0] for line in demo}) < 0.8 * len({line.partition("==")[0] for line in locked})
    assert "://" not in (ROOT / "requirements-demo.lock").read_text("utf-8")
    assert not any(line.startswith(("pytest==", "pyright==", "moto==", "uv==")) for line in demo)


def _read_lock(name: str) -> set[str]:
    lines = (ROOT / name).read_text("utf-8").splitlines()
    return {line.split(" ")[0] for line in lines if "==" in line and not line.startswith((" ", "#"))}


def test_make_help_names_every_target() -> None:
    done = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    makefile = (ROOT / "Makefile").read_text("utf-8")
    (targets,) = re.findall(r"^\.PHONY: (help .*)$", makefile, re.MULTILINE)
    assert {line.split()[1] for line in done.stdout.splitlines()} == set(targets.split())


def test_a_python_that_is_too_old_or_missing_is_told_in_a_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    """Before an environment is made that could not be used."""
    old = tmp_path / "old-python"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.10.13\nexit 1\n')
    old.chmod(0o755)
    for python, words in {old: "and this is Python 3.10.13", tmp_path / "none": "and there is no"}.items():
        command = ["make", "-s", "demo", f"PYTHON={python}", f"VENV={tmp_path / 'env'}"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        sentence, *rest = done.stderr.splitlines()
        assert sentence.startswith("Atelier needs Python 3.11 or later")
        assert words in sentence
        assert all(re.match(r"make(\[\d+\])?: \*\*\*", line) for line in rest)
        assert not (tmp_path / "env").exists()


def test_the_registry_entry_keeps_within_its_schema() -> None:
    """``make check`` says whether it is up to date."""
    document = registry_entry.build_document()
    assert json.loads((ROOT / "server.json").read_text("utf-8"))["name"] == document["name"]
    assert len(document["description"]) <= registry_entry.MAX_DESCRIPTION_CHARS
    assert re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", document["name"])
    assert f"mcp-name: {document['name']}" in (ROOT / "README.md").read_text("utf-8")
    assert f'"{document["name"]}"' in (ROOT / "Dockerfile").read_text("utf-8")
    (package,) = document["packages"]
    secrets = {v["name"] for v in package["environmentVariables"] if v.get("isSecret")}
    assert {"MHAPI_SECRET_KEY", "MIAOHUA_PASSWORD", "ATELIER_HTTP_TOKEN"} <= secrets
    assert "ATELIER_HOME" not in secrets


def test_the_bundle_asks_for_what_each_service_needs_and_for_nothing_twice(tmp_path: Path) -> None:
    manifest = bundle.build_manifest()
    asked, env = manifest["user_config"], manifest["server"]["mcp_config"]["env"]
    assert asked["mhapi_secret_key"]["sensitive"]
    assert {name for name in asked if name.startswith("openai")} == {"openai_api_key", "openai_base_url"}
    assert not any(entry["required"] for entry in asked.values())
    assert {f"${{user_config.{name}}}" for name in asked} == set(env.values())
    with pytest.raises(FileNotFoundError, match="make bundle"):
        bundle.write_bundle(tmp_path)
    assert bundle.draw_icon(64).startswith(b"\x89PNG")


def test_one_address_stands_for_the_repository_everywhere() -> None:
    assert PROJECT["urls"]["Repository"] == registry_entry.REPOSITORY
    assert all(url.startswith(registry_entry.REPOSITORY) for url in PROJECT["urls"].values())
    others = [ROOT / name for name in ("mkdocs.yml", "Dockerfile", "pyproject.toml", "server/cli/api_page.py")]
    for page in (*PAGES, *others, *ROOT.glob(".github/**/*.yml")):
        for found in re.findall(r"https://github\.com/atelier[^/\s]*/[\w.-]+", page.read_text("utf-8")):
            assert found == registry_entry.REPOSITORY, page


def test_install_links_carry_the_line_that_starts_the_published_package() -> None:
    links = build_links()
    cursor = parse_qs(urlsplit(links["Cursor"]).query)["config"][0]
    assert json.loads(base64.b64decode(cursor)) == START
    vscode = parse_qs(urlsplit(links["VS Code"]).query)["config"][0]
    assert json.loads(vscode) == {"type": "stdio", **START}
    assert parse_qs(urlsplit(links["Goose"]).query)["arg"] == START["args"]


def test_links_in_the_long_description_are_absolute() -> None:
    """The package index shows it without the repository around it."""
    spec = importlib.util.spec_from_file_location("long_description", ROOT / ".dev" / "long_description.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text: str = module.make_links_absolute((ROOT / "README.md").read_text("utf-8"), registry_entry.REPOSITORY)
    assert re.findall(r"\]\((?!\w+:|#)[^)]*\)", text) == []
    assert f"![A lighthouse in a storm, made by make demo]({registry_entry.REPOSITORY}/raw/main/examples/" in text


def test_every_page_of_the_site_is_there_and_every_tool_has_one() -> None:
    site: Any = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
    pages = re.findall(r"[\w/-]+\.md", json.dumps(site["nav"]))
    assert [page for page in pages if not (ROOT / "docs" / page).exists()] == []
    tools = {tool.name for tool in registry.discover().definitions}
    assert tools <= {page.stem for page in (ROOT / "docs" / "tools").glob("*.md")}


def test_the_workflows_and_forms_are_yaml_with_what_they_need() -> None:
    workflow: Any = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
    matrix = workflow["jobs"]["test"]["strategy"]["matrix"]
    assert matrix["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert {entry["os"] for entry in matrix["include"]} == {"macos-latest", "windows-latest"}
    for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"):
        assert yaml.safe_load(path.read_text("utf-8"))
    minors = {classifier.rpartition(" ")[2] for classifier in PROJECT["classifiers"] if "Python :: 3." in classifier}
    assert minors == set(matrix["python"])


def test_compose_names_settings_that_there_are() -> None:
    document: Any = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
    known = {variable["name"] for variable in registry_entry.build_document()["packages"][0]["environmentVariables"]}
    assert set(document["services"]["atelier"]["environment"]) <= known
