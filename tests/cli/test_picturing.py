"""`weft show RUN --format …`: the plan of a run, painted with what became of it."""

import re
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, steps

EXAMPLES = [
    "behavior-tree",
    "blackboard",
    "chain",
    "consensus",
    "debate",
    "evaluator-optimizer",
    "gossip",
    "graph",
    "handoff",
    "map",
    "orchestrator-workers",
    "parallel",
    "routing",
    "saga",
    "state-machine",
    "vote",
    "workflow",
]
WAITING = """\
version: 1
name: release
runtime: {provider: offline, model_id: extract}
agents: {nobody: {prompt: unused}}
tools: {python: [{callable: 'napping:nap', id: nap}]}
pattern:
  type: chain
  config:
    steps:
      - {tool: nap, id: before, args: {name: before, seconds: 0}}
      - {id: ask, type: hitl, prompt: "Release it?"}
      - {tool: nap, id: after, args: {name: after, seconds: 0}}
"""


@pytest.fixture
def example(weft, tmp_path):
    """Runs an example without a model and says how it is named."""
    shutil.copytree(ROOT / "examples", weft.folder / "examples")

    def run(name):
        more = ("--var", "text=The ferry was late. The lorry waited.") if name == "parallel" else ()
        done = weft("run", f"examples/{name}.yaml", "--offline", "--json", "--out", f"out-{Path(name).name}", *more)
        assert done.code == 0, done.err
        return done.json["run_id"]

    return run


def looks(chart):
    """The class of each box of a Mermaid chart, by the label of the box."""
    labels = {key: label.split("<br/>")[0] for key, label in re.findall(r'\b([gn]\d+)\["(.*?)"\]', chart)}
    painted = {}
    for keys, look in re.findall(r"^    class ([gn\d,]+) (\w+);$", chart, re.MULTILINE):
        painted |= {labels[key]: look for key in keys.split(",")}
    return painted


def lines(weft, run, *more):
    said = weft("show", run, "--format", "tree", *more)
    assert said.code == 0, said.err
    return [re.sub(r"^[│├└─ ]+", "", line) for line in said.out.splitlines()]


def test_a_failure_is_painted_and_what_came_after_it_is_not_taken(weft):
    weft.write("flow.yaml", steps(("one", 0), ("two", -1), ("three", 0)))
    run = weft("run", "flow.yaml", "--json").json["run_id"]
    chart = weft("show", run, "--format", "mermaid").out
    assert looks(chart) == {"one: tool nap": "done", "two: tool fail": "failed", "three: tool nap": "skipped"}
    assert re.findall(r"n\d (-\S*>) n\d", chart) == ["-->", "-.->"]
    top, one, two, three = lines(weft, run)
    assert [line[0] for line in (top, one, two, three)] == ["✗", "✓", "✗", "·"]
    assert re.search(r"  [\d.]+ m?s$", one)
    assert three == "· three: tool nap"


def test_a_run_that_waits_paints_the_gate_and_leaves_what_is_ahead_blank(weft):
    weft.write("flow.yaml", WAITING)
    run = weft("run", "flow.yaml", "--json").json["run_id"]
    assert [line.split("  ")[0] for line in lines(weft, run)] == [
        "◆ release",
        "✓ before: tool nap",
        "◆ ask: gate for anybody",
        "after: tool nap",
    ]
    assert weft("approve", run).code == 0
    assert [line[0] for line in lines(weft, run)] == ["✓"] * 4


def test_what_was_begun_and_never_ended_is_told_from_what_was_not_taken(weft):
    weft.write("flow.yaml", WAITING)
    run = weft("run", "flow.yaml", "--json").json["run_id"]
    assert weft("cancel", run).code == 0
    assert [line[0] for line in lines(weft, run)] == ["○", "✓", "○", "·"]


def test_a_run_is_painted_as_it_was(weft):
    weft.write("flow.yaml", steps(("one", 0), ("two", 0)))
    run = weft("run", "flow.yaml", "--json").json["run_id"]
    events = weft("events", run, "--json").json
    at = next(each["seq"] for each in events if each["kind"] == "step.started" and each["path"] == "/two")
    then = [line[0] for line in lines(weft, run, "--at", str(at))]
    assert then == ["●", "✓", "●"]


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_every_pattern_is_painted_whole(weft, example, name):
    run = example(name)
    plain = weft("plan", f"examples/{name}.yaml", "--offline", "--format", "mermaid").out
    chart = weft("show", run, "--format", "mermaid").out
    bare = re.sub(r"<br/>.*?(?=\"\])", "", chart)
    assert shape(bare) == shape(plain)
    called = {step["path"] for step in walk(weft("show", run, "--json").json["steps"]) if step.get("type") == "agent"}
    painted = [label for label, look in looks(chart).items() if look in {"done", "failed"}]
    assert painted
    assert not called or any(": agent " in label or label.startswith("agent ") for label in painted)
    assert "running" not in looks(chart).values()


def shape(chart):
    """The lines of a chart without what is painted; the names that a step sets are in no order."""
    kept = [line.replace("-.->", "-->") for line in chart.splitlines() if not line.startswith("    class")]
    return [
        re.sub(r"(?<=set ).*(?=\"\])", lambda names: ", ".join(sorted(names[0].split(", "))), line) for line in kept
    ]


def walk(found):
    for step in found:
        yield step
        yield from walk(step.get("steps", []))


@pytest.mark.slow
def test_visits_rounds_and_items_are_counted(weft, example):
    text = "\n".join(lines(weft, example("graph")))
    assert re.search(r"✓ note → .*  2 visits, ", text)
    assert re.search(r"✓ read → fees, dates  1 visit, ", text)
    text = "\n".join(lines(weft, example("orchestrator-workers")))
    assert re.search(r"✓ round: until .*  2 rounds, ", text)
    assert re.search(r"✓ worker: for each of subtasks  3 items, ", text)
    assert "· fresh: agent worker" in text


def test_of_a_choice_the_arm_that_was_taken_is_painted(weft, example):
    chart = looks(weft("show", example("routing"), "--format", "mermaid").out)
    arms = {label: look for label, look in chart.items() if label.startswith("when ")}
    assert sorted(arms.values()) == ["done", "skipped", "skipped"]


def test_arms_with_the_same_step_claim_nothing_of_themselves(weft, example):
    found = [line for line in lines(weft, example("handoff")) if "desk" in line and line.startswith("when ")]
    assert len(found) == 2
    assert all("here or in another of this name" in line for line in found)


def test_what_undoes_a_step_is_painted(weft, example):
    found = lines(weft, example("saga"))
    assert any(line.startswith("✓ undo announce") for line in found)
    assert any(line.startswith("✗ plan: tool head") for line in found)


def test_child_runs_are_named(weft, example):
    run = example("sub-workflow/parts")
    children = [each["run_id"] for each in weft("runs", "list", "--children", "--json").json["runs"]]
    text = weft("show", run, "--format", "mermaid").out
    assert len(children) == 3
    assert all(child in text for child in children if child != run)


def test_the_other_forms_hold_the_same(weft):
    weft.write("flow.yaml", steps(("one", 0), ("two", -1)))
    run = weft("run", "flow.yaml", "--json").json["run_id"]
    graph = weft("show", run, "--format", "dot").out
    assert re.search(r'n1 \[label="two: tool fail.*", class=failed, style="filled"', graph)
    said = weft("show", run, "--format", "mermaid", "--json").json
    assert (said["run_id"], said["format"]) == (run, "mermaid")
    assert said["picture"] == weft("show", run, "--format", "mermaid").out
    assert weft("show", run, "--format", "poster").code == 2
