"""`weft validate` finds ways that lead nowhere, limits that cannot hold, and files that run each other in a ring."""

from __future__ import annotations

import pytest

from tests.patterns.flows import HEAD, flow
from weft.core.errors import SpecError
from weft.plan.compile import compile_workflow
from weft.spec.load import check, check_text, load

END = {"end": {"final": True}}
A = {"tool": "do"}


def found(kind, config):
    report = check_text(flow(kind, config), "flow.yaml")
    return [(problem.rule, problem.place.pointer.removeprefix("/pattern/config")) for problem in report.problems]


def machine(states, **rest):
    return found("state_machine", {"initial": "a", "states": states, **rest})


@pytest.mark.parametrize(
    ("states", "problems"),
    [
        ({"a": {"always": "end"}, **END}, []),
        (
            {"a": {"always": "edn"}, **END},
            [("unknown-state", "/states/a/always"), ("unreachable-state", "/states/end")],
        ),
        (
            {"a": {"on": {"E": [{"to": "b"}, {"to": "end"}]}}, **END},
            [("never-taken", "/states/a/on/E/0"), ("unknown-state", "/states/a/on/E/0/to")],
        ),
        ({"a": {"entry": A, "always": "end"}, "b": {"on": {"E": "end"}}, **END}, [("unreachable-state", "/states/b")]),
        ({"a": {"on": {"E": "b"}}, "b": {"on": {"E": "a"}}}, [("no-final", "/states/a")]),
        ({"a": {"on": {"E": "b"}}, "b": {"on": {"E": {"do": A}}}, **END}, None),
        ({"a": {"on": {"E": {"guard": "true"}, "F": "end"}}, **END}, [("missing-key", "/states/a/on/E")]),
        ({"a": {"always": "end"}, "end": {"final": True, "exit": A}}, [("final-state", "/states/end")]),
        ({"a": {"on": {"E": "end"}, "defer": ["E"]}, **END}, [("wrong-value", "/states/a/defer/0")]),
        ({"a": {"always": {"to": "end", "guard": "nn >"}}, **END}, [("template", "/states/a/always/guard")]),
    ],
)
def test_machines(states, problems):
    if problems is None:
        assert ("dead-end", "/states/b") in machine(states)
    else:
        assert machine(states) == problems


def test_a_state_that_is_not_there_is_guessed():
    text = flow("state_machine", {"initial": "draaft", "states": {"draft": {"final": True}}})
    (problem,) = check_text(text, "flow.yaml").problems
    assert problem.fix == "did you mean 'draft'?"


@pytest.mark.parametrize(
    ("root", "problems"),
    [
        ({"repeat": A}, [("missing-key", "/root")]),
        ({"parallel": [A, A], "success_threshold": 3}, [("join", "/root/success_threshold")]),
        ({"sequence": [{"id": "x", **A}, {"id": "x", **A}]}, [("duplicate-id", "/root/sequence/1/id")]),
        ({"sequence": [{"set": {"tree": 1}}, {"condition": "a ="}]}, None),
        ({"sequnce": [A]}, None),
    ],
)
def test_trees(root, problems):
    got = found("behavior_tree", {"root": root})
    if problems is None:
        assert got
        assert {rule for rule, _ in got} <= {
            "reserved-name",
            "template",
            "unknown-key",
            "missing-key",
            "undeclared-name",
        }
    else:
        assert got == problems


@pytest.mark.parametrize(
    ("step", "rule", "pointer"),
    [
        ({"wait": {}}, "missing-key", "/steps/0/wait"),
        ({"wait": {"seconds": 1, "until": "x"}}, "wrong-value", "/steps/0/wait/until"),
        ({"wait": {"seconds": -1}}, "wrong-value", "/steps/0/wait/seconds"),
        ({"set": {"go": 1}}, "reserved-name", "/steps/0/set/go"),
        ({"set": {"a-b": 1}}, "wrong-value", "/steps/0/set/a-b"),
        ({"choose": [{"else": A}, {"when": "true", "then": A}]}, "wrong-value", "/steps/0/choose/0"),
        ({"choose": [{"when": "1 +", "then": A}]}, "template", "/steps/0/choose/0/when"),
        (
            {"map": {"items": "[1]", "do": A, "join": {"policy": "all", "quorum": 2}}},
            "join",
            "/steps/0/map/join/quorum",
        ),
        ({"first_of": [[{"id": "x", **A}, {"id": "x", **A}]]}, "duplicate-id", "/steps/0/first_of/0/1/id"),
        ({"pattern": {"type": "chainn", "config": {}}}, "wrong-value", "/steps/0/pattern/type"),
        ({"choose": [{"when": "true", "then": {"tool": "dou"}}]}, "unknown-tool", "/steps/0/choose/0/then/tool"),
        ({"first_of": [{"agent": "nobody"}]}, "unknown-agent", "/steps/0/first_of/0/agent"),
    ],
)
def test_steps(step, rule, pointer):
    assert (rule, pointer) in found("chain", {"steps": [step]})


def test_a_file_of_version_0_is_told_which_keys_are_newer():
    text = flow("chain", {"steps": [{"wait": {"seconds": 1}}]}, HEAD.replace("version: 1", "version: 0"))
    assert {problem.rule for problem in check_text(text, "flow.yaml").warnings} == {"newer-key"}


def test_a_saga_in_which_nothing_can_be_undone_is_noticed():
    assert found("saga", {"steps": [{"do": A}]}) == [("saga", "/steps")]


def write(folder, name, steps, inputs=""):
    (folder / name).write_text(flow("chain", {"steps": steps}, HEAD + inputs), encoding="utf-8")
    return folder / name


def test_an_included_workflow_is_checked_and_compiled_with_the_one_that_names_it(tmp_path):
    write(tmp_path, "child.yaml", [A], "inputs: {required: {topic: string}, optional: {size: integer}}\n")
    parent = write(
        tmp_path, "parent.yaml", [{"workflow": "child.yaml", "inputs": {"topic": "about {{ name }}", "size": 3}}]
    )
    plan = compile_workflow(load(parent))
    assert plan.children["child.yaml"].workflow == "flow"
    step = plan.root.body.children[0]
    assert step.inputs["size"] == "3"
    assert step.inputs["topic"].startswith('"about " ~ ')


@pytest.mark.parametrize(
    ("inputs", "rule"),
    [
        ({}, "missing-input"),
        ({"topic": 1, "tpoic": 2}, "undeclared-name"),
        ({"topic": "{% if 1 %}x{% endif %}"}, "template"),
    ],
)
def test_inputs_of_an_included_workflow_are_checked(tmp_path, inputs, rule):
    write(tmp_path, "child.yaml", [A], "inputs: {required: {topic: string}}\n")
    parent = write(tmp_path, "parent.yaml", [{"workflow": "child.yaml", "inputs": inputs}])
    assert rule in {problem.rule for problem in check(parent).problems}


def test_workflows_that_run_each_other_in_a_ring_are_refused(tmp_path):
    write(tmp_path, "b.yaml", [{"workflow": "a.yaml"}])
    report = check(write(tmp_path, "a.yaml", [{"workflow": "b.yaml"}]))
    assert "the workflows run each other without end: a.yaml → b.yaml → a.yaml" in [p.message for p in report.errors]


def test_a_nesting_without_end_is_refused(tmp_path):
    for place in range(12):
        write(tmp_path, f"w{place}.yaml", [{"workflow": f"w{place + 1}.yaml"}])
    write(tmp_path, "w12.yaml", [A])
    assert "too-deep" in {problem.rule for problem in check(tmp_path / "w0.yaml").errors}


@pytest.mark.parametrize("path", ["../outside.yaml", "/etc/passwd", "missing.yaml", "https://x.example/a.yaml"])
def test_only_files_of_the_project_can_be_run(tmp_path, path):
    (tmp_path / "outside.yaml").write_text("x", encoding="utf-8")
    (tmp_path / "in").mkdir()
    report = check(write(tmp_path / "in", "a.yaml", [{"workflow": path}]))
    assert {problem.rule for problem in report.errors} == {"reference"}


def test_problems_of_an_included_file_are_told_with_its_own_place(tmp_path):
    write(tmp_path, "child.yaml", [{"tool": "nothing"}])
    report = check(write(tmp_path, "parent.yaml", [{"workflow": "child.yaml"}]))
    assert ("unknown-tool", True) in [(p.rule, str(p.place.file).endswith("child.yaml")) for p in report.errors]
    with pytest.raises(SpecError):
        load(tmp_path / "parent.yaml")
