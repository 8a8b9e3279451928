"""Pictures of patterns: states with their arrows, and nothing of how a pattern keeps its place."""

from __future__ import annotations

import os
import re

import pytest

from tests.patterns.flows import compiled
from tests.patterns.reference import FLOWS
from weft.cli.render.svg import svg
from weft.core.errors import StorageError, UnsupportedError
from weft.plan.diagram import dot, mermaid, tree

PLANS = {name: compiled(kind, config) for name, (kind, config, _) in FLOWS.items()}


def test_a_machine_shows_where_each_state_leads():
    lines = tree(PLANS["machine"])
    assert "a → a (GO), b (GO[1])" in lines
    assert "end (final)" in lines
    assert "go ==" not in lines


def test_arrows_of_a_machine_are_edges_in_charts():
    states = dict(re.findall(r'(?:subgraph )?([gn]\d+)\["(a|b|end \(final\))"\]', mermaid(PLANS["machine"])))
    keys = {name: key for key, name in states.items()}
    assert f'{keys["a"]} -->|"GO[1]"| {keys["b"]}' in mermaid(PLANS["machine"])
    assert 'label="GO[1]"' in dot(PLANS["machine"])
    assert "compound=true" in dot(PLANS["machine"])


@pytest.mark.parametrize("name", PLANS)
def test_charts_are_whole(name):
    chart = mermaid(PLANS[name])
    assert chart.count("subgraph ") == len(re.findall(r"^ *end$", chart, re.MULTILINE))
    known = set(re.findall(r'([gn]\d+)\["', chart))
    used = {
        key
        for line in chart.splitlines()
        if " -->" in line
        for key in re.findall(r"\b[gn]\d+\b", re.sub(r'\|".*?"\|', "", line))
    }
    assert used <= known
    graph = dot(PLANS[name])
    assert graph.count("{") == graph.count("}")


@pytest.mark.parametrize("name", PLANS)
def test_bookkeeping_is_not_drawn(name):
    assert "clock now" not in tree(PLANS[name])
    assert not re.search(r"set (go|tree|state|fired)\b", tree(PLANS[name]))


def test_an_svg_is_what_the_program_draws_and_its_absence_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnsupportedError, match="Graphviz"):
        svg(PLANS["map"])
    program = tmp_path / "dot"
    program.write_text(f'#!/bin/sh\necho "<svg $1>"; {os.path.realpath("/bin/cat")}\n', encoding="utf-8")
    program.chmod(0o755)
    assert svg(PLANS["map"]) == f"<svg -Tsvg>\n{dot(PLANS['map'])}"
    program.write_text("#!/bin/sh\necho 'no memory' >&2; exit 1\n", encoding="utf-8")
    with pytest.raises(StorageError, match="no memory"):
        svg(PLANS["map"])
