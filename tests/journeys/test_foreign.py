"""Files that people have had for years: what this version runs works unchanged, what it does not is refused point by point."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.journeys.conftest import Desk
from weft.testing.providers import FakeProvider, call, say

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parent / "foreign"


@dataclass(frozen=True)
class Old:
    """A file: the provider that it asks for, what it takes and leaves, how often it asks, and what the last prompt holds."""

    provider: str
    requests: int
    last: tuple[str, ...]
    files: dict[str, str] = field(default_factory=dict)
    given: tuple[str, ...] = ()


OLD = {
    "chain-research.yaml": Old(
        "bedrock",
        3,
        ("Write 2 paragraphs in a dry tone, formally.", "Points: answer 2", "1. Researcher 2. Researcher"),
        {"artifacts/chain-3-step-research-report.md": "# Harbour Logistics. Ships", "trace.json": '"parent'},
    ),
    "long-run.yaml": Old("openai", 2, ("go on",)),
    "single.json": Old("openai", 1, ("Greet Ada.",), {"greeting.txt": "answer 1"}, ("who=Ada",)),
    "workflow-diamond.yaml": Old(
        "ollama", 4, ("Cost (completed): answer",), {"verdict.md": "answer 4", "last.md": "answer 4"}
    ),
    "parallel-api.yaml": Old(
        "openai",
        4,
        ("## PRO", "## CON"),
        {"reports/decision.md": "answer 4", "reports/branches.json": '"con"'},
        ("question=Why? Because.",),
    ),
    "parallel-plain.yml": Old("anthropic", 2, ("Shall we?",), {"votes.md": "Branch alpha:"}),
    "memory.yaml": Old("openai", 3, ("What is my name?",), {"memory.md": "0 tutor: answer 1"}),
    "undeclared.yaml": Old(
        "google",
        1,
        ("about New York in English. new-york",),
        {"New_York/English.txt": "answer 1"},
        ("city=New York", "language=English"),
    ),
    "reference.yaml": Old("openai", 1, ("The harbour opened in May.",), {"verdict.txt": "answer 1"}),
    "native-tools.yaml": Old("openai", 3, ("Say goodbye.",)),
    "filters.yaml": Old("openai", 1, ("42", "the", "[1, 2]", "6", "1a, 2b", "False 20")),
    "providers.yaml": Old("openai", 2, ("answer 1",)),
}


def lay_out(desk: Desk) -> None:
    shutil.copytree(FOLDER, desk.folder, dirs_exist_ok=True)


def given(old: Old) -> list[str]:
    return [part for value in old.given for part in ("--var", value)]


def answer(request):
    """Numbered answers; one that must have a shape gets it."""
    return (
        call("final_result", {"summary": f"answer {request.number}"})
        if '"final_result"' in request.text
        else say(f"answer {request.number}")
    )


@pytest.mark.parametrize("name", OLD)
def test_an_old_file_validates_and_runs_offline_as_it_is(near_desk, name):
    lay_out(near_desk)
    valid = near_desk("validate", name)
    assert (valid.code, "error" in valid.out) == (0, False), valid.all
    said = near_desk("run", name, "--offline", *given(OLD[name]))
    assert said.code == 0, said.all
    assert said.out.strip()
    for file in OLD[name].files:
        assert near_desk.read(f"artifacts/{file}").strip()


@pytest.mark.parametrize("name", OLD)
def test_an_old_file_runs_on_its_own_provider(near_desk, name):
    old = OLD[name]
    lay_out(near_desk)
    with FakeProvider(old.provider, answer) as fake:
        flags = ["--base-url", fake.base_url] if old.provider == "ollama" else []
        near_desk.reach(fake)
        said = near_desk("run", name, *flags, *given(old))
        assert said.code == 0, said.all
        assert len(fake.requests) == old.requests
        assert [part for part in old.last if part not in fake.requests[-1].prompt] == []
        requests = list(fake.requests)
    for file, content in old.files.items():
        assert content in near_desk.read(f"artifacts/{file}")
    if name == "memory.yaml":
        assert [len(request.body["messages"]) for request in requests] == [2, 4, 6]
    if name == "chain-research.yaml":
        assert "Never answer with {{ placeholders }}." in requests[0].text
        assert "You write for beginners." in requests[2].text
    if name == "reference.yaml":
        assert (requests[0].model, requests[0].body["temperature"]) == ("gpt-4o", 0.2)
    if name == "native-tools.yaml":
        offered = [sorted(tool["function"]["name"] for tool in request.body.get("tools", ())) for request in requests]
        assert offered == [["calculator", "file_read"], ["grep"], []]
    if name == "long-run.yaml":
        assert [sorted(tool["function"]["name"] for tool in request.body["tools"]) for request in requests] == [
            ["Skill", "grep", "head"]
        ] * 2
        assert "**Outcome**: answer 1" in requests[1].body["messages"][0]["content"]
        assert near_desk.read("notes.md").count("## [") == 2
    if name == "providers.yaml":
        assert [request.model for request in requests] == ["gpt-4o", "gpt-4o-mini"]


REFUSED = {
    "long-run.yaml": {
        "/security/guardrails/deny_network",
        "/security/guardrails/pii_redaction",
        "/security/guardrails/allow_tools",
    },
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_this_version_does_not_run_is_refused_with_every_pointer_and_a_report(near_desk, name):
    lay_out(near_desk)
    for args in (["validate"], ["plan"], ["run", "--offline", "--out", "out"]):
        said = near_desk(args[0], f"refused/{name}", *args[1:])
        assert said.code == 18, said.all
        assert [pointer for pointer in REFUSED[name] if pointer not in said.all] == []
    assert "The report is in out/" in said.all
    (report,) = (near_desk.folder / "out").iterdir()
    assert report.name.endswith("-unsupported.md")
    text = report.read_text(encoding="utf-8")
    assert [pointer for pointer in REFUSED[name] if pointer not in text] == []
    as_json = near_desk("run", f"refused/{name}", "--json", "--out", "out").json
    assert {problem["pointer"] for problem in as_json["error"]["problems"]} == REFUSED[name]
    assert all(problem["fix"] for problem in as_json["error"]["problems"])
    assert near_desk("runs", "list", "--json").json["runs"] == []


def test_every_old_file_here_is_tried():
    files = {path.name for path in FOLDER.iterdir() if path.is_file()}
    assert files == set(OLD)
    assert {path.name for path in (FOLDER / "refused").iterdir()} == set(REFUSED)
