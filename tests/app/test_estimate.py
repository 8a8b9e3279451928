"""Estimates say what follows from the plan and nothing else."""

import pytest

from weft.app.estimate import Bounds, counts, estimate
from weft.plan.compile import compile_workflow
from weft.plan.nodes import Branch, Call, Child, Choose, Gate, Graph, Join, Loop, Map, Plan, Select, Sequence, Set
from weft.spec.load import load_text

A, B = (Call(name=name, performer="agent", target=name) for name in "ab")


def of(node, children=None):
    plan = Plan(workflow="w", root=node, definitions={"agents": {"a": {}, "b": {}}}, children=children or {})
    return {key: (bounds.low, bounds.high) for key, bounds in counts(node, plan).items()}


@pytest.mark.parametrize(
    ("node", "found"),
    [
        (Sequence(name="s", children=(A, B, A)), {("agent", "a"): (2, 2), ("agent", "b"): (1, 1)}),
        (Graph(name="g", children=(A, B)), {("agent", "a"): (1, 1), ("agent", "b"): (1, 1)}),
        (
            Graph(name="g", children=(A, B), join=Join(policy="first")),
            {("agent", "a"): (0, 1), ("agent", "b"): (0, 1)},
        ),
        (Choose(name="c", branches=(Branch(when="x", node=A),)), {("agent", "a"): (0, 1)}),
        (
            Choose(name="c", branches=(Branch(when="x", node=A),), otherwise=Sequence(name="s", children=(A, A))),
            {("agent", "a"): (1, 2)},
        ),
        (Select(name="s", children=(A, A)), {("agent", "a"): (1, 2)}),
        (Loop(name="l", body=A, until="x", max_iterations=5), {("agent", "a"): (1, 5)}),
        (Map(name="m", items="xs", body=A), {("agent", "a"): (0, None)}),
        (
            Loop(name="l", body=Map(name="m", items="xs", body=A), until="x", max_iterations=3),
            {("agent", "a"): (0, None)},
        ),
        (
            Sequence(name="s", children=(Set(name="v", values={}), Gate(name="ok", prompt="?"))),
            {("gate", "ok"): (1, 1)},
        ),
    ],
)
def test_what_a_node_does(node, found):
    assert of(node) == found


def test_a_child_is_counted_and_one_made_at_run_time_is_open():
    inner = Plan(workflow="inner", root=A, definitions={"agents": {"a": {}}})
    assert of(Child(name="c", plan="inner"), {"inner": inner}) == {
        ("run", "inner"): (1, 1),
        ("agent", "inner/a"): (1, 1),
    }
    made = of(Child(name="c", planned="x"))
    assert made["agent", "a"] == (0, None)


def test_bounds_add_up():
    assert Bounds(1, 2) + Bounds(1, None) == Bounds(2, None)
    assert Bounds(0, 0).times(3, None) == Bounds(0, 0)
    assert Bounds(1, 3) | Bounds(0, 9) == Bounds(0, 9)


def test_output_is_bounded_where_every_agent_has_a_limit():
    text = """
version: 1
name: two
runtime: {provider: openai, model_id: gpt-4o-mini, max_tokens: 200}
agents: {a: {prompt: p, tools: []}, b: {prompt: p, tools: [calculator]}}
pattern: {type: chain, config: {steps: [{agent: a, input: x}, {agent: b, input: y}]}}
"""
    found = estimate(compile_workflow(load_text(text, "two.yaml")))
    (model,) = found["models"]
    assert model["requests"] == {"low": 2, "high": 51}
    assert model["output_tokens_at_most"] == 51 * 200
    assert (model["input_usd_per_million"], found["unpriced"]) == ("0.15", [])
    other = estimate(compile_workflow(load_text(text.replace("gpt-4o-mini", "nobody-knows-1"), "two.yaml")))
    assert other["unpriced"] == ["openai/nobody-knows-1"]
    assert other["models"][0]["output_usd_per_million"] is None
