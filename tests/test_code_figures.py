"""What keeps the code easy to enter, counted by ``tests.bench.code_figures``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.code_figures import CodeFigure, measure_sources, read_sources, trace_prompt

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def figures() -> dict[str, CodeFigure]:
    return {figure.key: figure for figure in measure_sources(read_sources(ROOT))}


def test_a_prompt_passes_at_most_twelve_functions_in_seven_files_on_its_way_out() -> None:
    way = trace_prompt(ROOT)
    assert len(way.frames) <= 12, "\n".join(way.lines())
    assert len({frame["file"] for frame in way.frames}) <= 7, "\n".join(way.lines())


def test_no_two_public_classes_have_one_name(figures: dict[str, CodeFigure]) -> None:
    assert figures["shared_names"].value == 0, figures["shared_names"].format_row()


def test_every_public_definition_has_a_docstring(figures: dict[str, CodeFigure]) -> None:
    assert figures["docstrings"].value == 100, figures["docstrings"].format_row()
