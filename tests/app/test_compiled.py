"""Workflow files are loaded and compiled once, and again as soon as anything that they are made of has changed."""

from __future__ import annotations

import pytest

from weft.app.compiled import CompiledFiles
from weft.app.documents import Kept, prepare
from weft.app.service import ModelChoice
from weft.core.errors import SpecError
from weft.plan.codec import plan_hash

CHOICE = ModelChoice(offline=True)
OUTER = """\
version: 1
name: outer
runtime: {provider: offline, model_id: extract}
agents: {writer: {prompt: Write.}}
skills: [{id: care, path: care}]
pattern: {type: chain, config: {steps: [{workflow: inner.yaml}, {agent: writer, input: Go.}]}}
"""
INNER = """\
version: 1
name: inner
runtime: {provider: offline, model_id: extract}
agents: {reader: {prompt: Read.}}
pattern: {type: chain, config: {steps: [{agent: reader, input: Go.}]}}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "outer.yaml").write_text(OUTER)
    (tmp_path / "inner.yaml").write_text(INNER)
    (tmp_path / "care").mkdir()
    (tmp_path / "care" / "SKILL.md").write_text("Take care.")
    return tmp_path


def made(folder, kept, agent="", **variables):
    prepared = prepare(
        folder / "outer.yaml", variables, CHOICE, session="", at="", agent=agent, kept=Kept(compiled=kept)
    )
    return prepared.plan


def test_what_has_not_changed_is_compiled_once_for_each_agent_and_model(folder):
    kept = CompiledFiles()
    first = made(folder, kept)
    assert made(folder, kept) is first
    assert made(folder, kept, agent="writer", message="Hello") is not first
    other = prepare(folder / "outer.yaml", {}, ModelChoice(), session="", at="", kept=Kept(compiled=kept))
    assert other.plan is not first


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("outer.yaml", OUTER.replace("prompt: Write.", "prompt: Write!")),
        ("inner.yaml", INNER.replace("prompt: Read.", "prompt: Read!")),
        ("care/SKILL.md", "Take more care."),
        ("care/more.md", "And then some."),
    ],
)
def test_a_change_of_any_part_is_seen(folder, name, text):
    kept = CompiledFiles()
    first = made(folder, kept)
    (folder / name).write_text(text)
    assert plan_hash(made(folder, kept)) != plan_hash(first)


def test_what_is_wrong_is_not_kept(folder):
    kept = CompiledFiles()
    made(folder, kept)
    (folder / "inner.yaml").write_text("version: [")
    for _ in range(2):
        with pytest.raises(SpecError):
            made(folder, kept)
    (folder / "inner.yaml").write_text(INNER)
    made(folder, kept)
