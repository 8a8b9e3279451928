import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.core.errors import MismatchError, UnsupportedError
from weft.plan.codec import from_json, plan_hash, to_json
from weft.plan.nodes import (
    Arrow,
    Block,
    Branch,
    Budget,
    Call,
    Child,
    Choose,
    Gate,
    Graph,
    Join,
    Loop,
    Machine,
    Map,
    Plan,
    Retry,
    Select,
    Sequence,
    Set,
    Signal,
    State,
    Wait,
)

names = st.text(st.characters(codec="utf-8"), max_size=8)
numbers = st.integers(1, 1000)
seconds = st.floats(0.001, 1e6)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
values = st.none() | st.dictionaries(names, names, max_size=3)
retries = st.none() | st.builds(
    Retry,
    attempts=numbers,
    backoff=st.sampled_from(["exponential", "constant", "jittered"]),
    wait_min=seconds,
    wait_max=seconds,
)
joins = st.builds(Join, policy=st.sampled_from(["all", "quorum", "best_effort", "first"]), quorum=st.none() | numbers)
budgets = st.none() | st.builds(
    Budget,
    max_tokens=st.none() | numbers,
    max_cost=st.none() | st.just("0.5"),
    max_steps=st.none() | numbers,
    max_duration_s=st.none() | seconds,
)
leaves = (
    st.builds(
        Call,
        name=names,
        performer=names,
        target=names,
        input=st.dictionaries(names, json_values, max_size=3),
        effect=st.sampled_from(["pure", "idempotent", "reconcile", "once"]),
        retry=retries,
        timeout_s=st.none() | seconds,
        conversation=st.none() | names,
    )
    | st.builds(Set, name=names, values=st.dictionaries(names, names, max_size=3))
    | st.builds(
        Wait,
        name=names,
        seconds=st.none() | names,
        signals=st.lists(st.builds(Signal, name=names, when=st.none() | names), max_size=2).map(tuple),
    )
    | st.builds(
        Gate,
        name=names,
        prompt=names,
        choices=st.lists(names, max_size=2).map(tuple),
        form=st.none() | st.dictionaries(names, json_values, max_size=2),
        on_reject=st.sampled_from(["fail", "continue"]),
        assignees=st.lists(names, max_size=2).map(tuple),
        deadline_s=st.none() | seconds,
        escalate_to=st.lists(names, max_size=2).map(tuple),
        default=json_values,
        into=st.none() | names,
    )
    | st.builds(
        Child,
        name=names,
        plan=st.none() | names,
        planned=st.none() | names,
        inputs=st.dictionaries(names, names, max_size=2),
        budget=budgets,
        on_cancel=st.sampled_from(["cancel", "abandon"]),
    )
)


def composites(inner):
    children = st.lists(inner, max_size=3).map(tuple)
    deps = st.dictionaries(names, st.lists(names, max_size=3).map(tuple), max_size=3)
    branches = st.lists(st.builds(Branch, when=names, node=inner), max_size=3).map(tuple)
    limit = st.none() | numbers
    exports = st.lists(names, max_size=2).map(tuple)
    arrows = st.lists(st.builds(Arrow, to=names, when=names), max_size=2).map(tuple)
    states = st.builds(
        State,
        name=names,
        body=st.none() | inner,
        exits=st.lists(arrows, max_size=2).map(tuple),
        final=st.booleans(),
    )
    return (
        st.builds(Sequence, name=names, children=children, into=st.none() | names, value=values, exports=exports)
        | st.builds(Select, name=names, children=children, into=st.none() | names)
        | st.builds(
            Machine,
            name=names,
            start=names,
            states=st.lists(states, max_size=2).map(tuple),
            into=st.none() | names,
            max_visits=numbers,
            max_parallel=limit,
            value=values,
        )
        | st.builds(Graph, name=names, children=children, deps=deps, join=joins, max_parallel=limit, value=values)
        | st.builds(Choose, name=names, branches=branches, otherwise=st.none() | inner, required=st.none() | names)
        | st.builds(Loop, name=names, body=inner, until=names, max_iterations=numbers, into=st.none() | names)
        | st.builds(Map, name=names, items=names, body=inner, item=names, key=st.none() | names, join=joins)
        | st.builds(
            Block,
            name=names,
            body=inner,
            retry=retries,
            budget=budgets,
            timeout_s=st.none() | seconds,
            ends=st.sampled_from(["plain", "inverted", "tolerated"]),
            into=st.none() | names,
            compensations=st.dictionaries(names, inner, max_size=2),
        )
    )


roots = st.recursive(leaves, composites, max_leaves=8)
definitions = st.dictionaries(names, json_values, max_size=3)
children = st.builds(Plan, workflow=names, root=leaves, definitions=definitions)
plans = st.builds(
    Plan,
    workflow=names,
    root=roots,
    definitions=definitions,
    children=st.dictionaries(names, children, max_size=2),
)
CALL = Call(name="a", performer="agent", target="b")


def shuffled(value, rng):
    if isinstance(value, dict):
        keys = list(value)
        rng.shuffle(keys)
        return {key: shuffled(value[key], rng) for key in keys}
    return [shuffled(each, rng) for each in value] if isinstance(value, list) else value


@given(plans)
def test_a_plan_survives_the_way_through_json(plan):
    assert from_json(json.loads(json.dumps(to_json(plan)))) == plan


@given(plans, st.integers())
def test_the_hash_does_not_depend_on_the_order_of_keys(plan, seed):
    assert plan_hash(from_json(shuffled(to_json(plan), random.Random(seed)))) == plan_hash(plan)


@given(plans, plans)
def test_different_plans_have_different_hashes(one, other):
    same = json.dumps(to_json(one), sort_keys=True) == json.dumps(to_json(other), sort_keys=True)
    assert (plan_hash(one) == plan_hash(other)) == same


def test_defaults_are_left_out_so_that_new_fields_change_no_hash():
    assert to_json(Plan(workflow="w", root=CALL))["root"] == {
        "kind": "call",
        "name": "a",
        "performer": "agent",
        "target": "b",
    }


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"format": None},
        {"root": {"kind": "teleport", "name": "x"}},
        {"root": {"kind": "call", "name": "a", "performer": "p", "target": "t", "colour": 1}},
        {"root": {"kind": "block", "name": "", "body": {"kind": "portal", "name": "g"}}},
    ],
)
def test_what_a_newer_version_wrote_is_refused_not_guessed(change):
    with pytest.raises(UnsupportedError) as caught:
        from_json(to_json(Plan(workflow="w", root=CALL)) | change)
    assert caught.value.fix


@pytest.mark.parametrize(
    "change", [{"root": None}, {"root": {"kind": "call"}}, {"root": {"kind": "sequence", "name": "", "children": 5}}]
)
def test_a_damaged_plan_is_a_mismatch(change):
    with pytest.raises(MismatchError):
        from_json(to_json(Plan(workflow="w", root=CALL)) | change)
