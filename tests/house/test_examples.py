"""The examples explain themselves and hang together."""

import re
from pathlib import Path

import pytest
import yaml

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FILES = sorted(EXAMPLES.rglob("*.yaml"))
DOCUMENT = re.compile(r"(?<![\w/])(?:[\w-]+/)+[\w-]+\.md")


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def example(request) -> Path:
    return request.param


def test_the_examples_show_each_pattern_and_the_main_job():
    kinds = {yaml.safe_load(path.read_text(encoding="utf-8"))["pattern"]["type"] for path in FILES}
    old = {"chain", "workflow", "parallel", "routing", "evaluator_optimizer", "orchestrator_workers", "graph"}
    assert old <= kinds
    assert EXAMPLES / "research" / "research.yaml" in FILES


def test_an_example_opens_with_what_it_shows_and_how_to_run_it(example, root):
    text = example.read_text(encoding="utf-8")
    header = text[: text.index("\nversion:")]
    assert all(line.startswith("#") for line in header.splitlines())
    assert "What it shows" in header
    assert f"weft run {example.relative_to(root)} --offline" in header


def test_an_example_runs_from_its_own_folder_on_documents_that_are_there(example):
    workflow = yaml.safe_load(example.read_text(encoding="utf-8"))
    named = {path for path in DOCUMENT.findall(yaml.safe_dump(workflow, width=10_000)) if not path.startswith("out/")}
    assert [path for path in sorted(named) if not (example.parent / path).is_file()] == []


def test_every_document_of_the_archive_is_read():
    research = (EXAMPLES / "research" / "research.yaml").read_text(encoding="utf-8")
    documents = [path.name for path in (EXAMPLES / "research" / "archive").glob("*.md")]
    assert len(documents) >= 14
    assert [name for name in documents if name not in research] == []


def test_the_demo_runs_the_example_and_names_the_files_that_it_writes(root):
    demo = (root / "scripts" / "demo").read_text(encoding="utf-8")
    artifacts = yaml.safe_load((EXAMPLES / "research" / "research.yaml").read_text(encoding="utf-8"))["outputs"][
        "artifacts"
    ]
    assert "weft run examples/research/research.yaml --offline" in demo
    assert [entry["path"] for entry in artifacts if f"$folder/{entry['path']}" not in demo] == []
