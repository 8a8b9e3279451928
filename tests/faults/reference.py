"""Reference workflows for fault tests: every node kind, join policy and effect class, small enough to be killed everywhere."""

from __future__ import annotations

from weft.plan.nodes import (
    Arrow,
    Block,
    Branch,
    Budget,
    Call,
    Choose,
    Graph,
    Join,
    Loop,
    Machine,
    Map,
    Node,
    Plan,
    Retry,
    Select,
    Sequence,
    Set,
    State,
    Wait,
)
from weft.testing.scripted import Trouble

RETRY = Retry(attempts=3, wait_min=1, wait_max=4)


def call(name: str, effect: str = "idempotent", **how) -> Call:
    return Call(name=name, performer="tool", target=effect, effect=effect, **how)


def plan(*children: Node, **how) -> Plan:
    return Plan(workflow="reference", root=Sequence(name="", children=children, **how))


WORKFLOWS: dict[str, tuple[Plan, dict[str, Trouble]]] = {
    "chain": (
        plan(call("a", "pure"), call("b"), call("c", "reconcile"), call("d", "once"), call("e"), into="steps"),
        {},
    ),
    "graph": (
        plan(
            Graph(
                name="g",
                children=(call("a"), call("b", "reconcile"), call("c"), call("d", "once"), call("e", "pure")),
                deps={"c": ("a",), "d": ("b", "c"), "e": ("a",)},
                into="tasks",
            ),
            call("z"),
            value={"tasks": "tasks"},
        ),
        {"/g/a": Trouble(seconds=2), "/g/b": Trouble(seconds=1)},
    ),
    "map": (
        plan(
            Map(
                name="m",
                items="[10, 20, 30, 40]",
                body=Sequence(name="", children=(call("x"), call("y", "reconcile"))),
                key="item",
                max_parallel=2,
            )
        ),
        {"/m[10]/x": Trouble(seconds=3)},
    ),
    "loop": (
        plan(
            Loop(
                name="l",
                body=Sequence(name="", children=(call("x"), call("y", "once"))),
                until="iteration >= 2",
                max_iterations=5,
                into="rounds",
            ),
            call("z"),
        ),
        {},
    ),
    "choose": (
        plan(
            call("a"),
            Set(name="s", values={"n": "3"}),
            Choose(
                name="c",
                branches=(
                    Branch(when="n > 5", node=call("big")),
                    Branch(when="n > 2", node=call("middle", "reconcile")),
                ),
                otherwise=call("small"),
            ),
            Wait(name="w", seconds="5"),
            call("z"),
        ),
        {},
    ),
    "block": (
        plan(
            Block(
                name="b",
                body=Block(
                    name="inner", body=Graph(name="g", children=(call("a"), call("b", "reconcile"))), timeout_s=500
                ),
                timeout_s=900,
                budget=Budget(max_steps=4, max_duration_s=800),
                retry=RETRY,
            ),
            Graph(
                name="tolerant",
                children=(Block(name="late", body=call("never"), timeout_s=3), call("c")),
                join=Join(policy="best_effort"),
            ),
        ),
        {"/b/inner/g/a": Trouble(seconds=2), "/tolerant/late/never": Trouble(seconds=50)},
    ),
    "retries": (
        plan(
            Block(
                name="r",
                body=Graph(name="g", children=(call("a"), call("b", "reconcile"), call("c", "pure"))),
                retry=RETRY,
            ),
            call("z", "once"),
        ),
        {"/r/g/a": Trouble(transient=2), "/r/g/b": Trouble(transient=1), "/r/g/c": Trouble(transient=1, seconds=1)},
    ),
    "joins": (
        plan(
            Graph(name="first", children=(call("slow"), call("quick"), call("slower")), join=Join(policy="first")),
            Graph(
                name="quorum",
                children=(call("a"), call("b"), call("c")),
                join=Join(policy="quorum", quorum=2),
                into="q",
            ),
            Graph(
                name="best",
                children=(call("a"), call("bad"), call("after")),
                deps={"after": ("bad",)},
                join=Join(policy="best_effort"),
            ),
            call("z", "once"),
            into="all",
            value={"all": "all"},
        ),
        {
            "/first/slow": Trouble(seconds=20),
            "/first/quick": Trouble(seconds=1),
            "/first/slower": Trouble(seconds=30),
            "/quorum/a": Trouble(seconds=1),
            "/quorum/b": Trouble(seconds=40),
            "/quorum/c": Trouble(seconds=2),
            "/best/bad": Trouble(fatal=True),
        },
    ),
    "machine": (
        plan(
            Machine(
                name="m",
                start="a",
                states=(
                    State(name="a", body=call("x"), exits=((Arrow(to="b"),), (Arrow(to="c"),))),
                    State(name="b", body=call("x", "once"), exits=((Arrow(to="d"),),)),
                    State(name="c", body=call("x", "reconcile"), exits=((Arrow(to="d"),),)),
                    State(
                        name="d",
                        body=Set(name="n", values={"n": "(n | default(0)) + 1"}),
                        exits=((Arrow(to="a", when="n < 5"), Arrow(to="end")),),
                    ),
                    State(name="end", body=call("x"), final=True),
                ),
                into="states",
                value={"n": "n", "states": "states"},
            ),
            call("z"),
        ),
        {"/m/b[0]": Trouble(seconds=2), "/m/c[1]": Trouble(seconds=1)},
    ),
    "alternatives": (
        plan(
            Select(name="s", children=(call("bad"), Sequence(name="q", children=(call("a"), call("b", "once"))))),
            Block(name="not", body=call("never"), ends="inverted"),
            Block(name="maybe", body=Sequence(name="q", children=(call("a"), call("bad"))), ends="tolerated", into="m"),
            call("z", "once"),
            into="all",
            value={"all": "all", "m": "m"},
        ),
        {
            "/s/bad": Trouble(fatal=True),
            "/not/never": Trouble(fatal=True),
            "/maybe/q/bad": Trouble(fatal=True),
        },
    ),
    "saga": (
        plan(
            Block(
                name="t",
                body=Block(
                    name="saga",
                    body=Sequence(
                        name="steps", children=(call("a"), call("b", "once"), call("c"), call("bad")), into="steps"
                    ),
                    compensations={"a": call("u"), "b": call("u", "once"), "c": call("u", "reconcile")},
                ),
                ends="tolerated",
            ),
            call("z"),
            into="all",
            value={"all": "all"},
        ),
        {"/t/saga/steps/bad": Trouble(fatal=True), "/t/saga/$undo[c]": Trouble(seconds=1)},
    ),
}
