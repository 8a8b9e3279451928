"""Behaviour trees do what py_trees does with the same tree, and what their page says."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import py_trees
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from py_trees.common import Status

from tests.examples import examples
from tests.patterns.flows import run, tool
from weft.testing.simulation import simulate

RELAXED = settings(max_examples=examples(120), deadline=None, suppress_health_check=list(HealthCheck))


@dataclass(frozen=True)
class Race:
    """What the nodes of one oracle share: the board, the log of what starts and of when it is over, the tick. `around` are the parallels around a node,
    each as the ticks at which its children ended.
    """

    board: dict = field(default_factory=lambda: {"n": 0})
    log: list = field(default_factory=list)
    over: list = field(default_factory=list)
    clock: list = field(default_factory=lambda: [0])
    around: tuple = ()


class Leaf(py_trees.behaviour.Behaviour):
    """Runs for some ticks, then ends as scripted for its n-th time."""

    def __init__(self, args: dict, race: Race) -> None:
        super().__init__(args["as"])
        self.ticks, self.fails, self.race, self.turn, self.left = args["takes"], args["fails"], race, -1, 0

    def initialise(self) -> None:
        self.turn += 1
        self.left = self.ticks
        self.race.log.append((self.name, self.race.clock[0], self.race.around))

    def update(self) -> Status:
        if self.left:
            self.left -= 1
            return Status.RUNNING
        self.race.over.append((self.race.clock[0], self.race.around))
        fails = self.fails[min(self.turn, len(self.fails) - 1)]
        return Status.FAILURE if fails else Status.SUCCESS


class Counter(py_trees.behaviour.Behaviour):
    """Adds one to the board's number, or succeeds when it is at least `least`."""

    def __init__(self, board: dict, least: int | None = None) -> None:
        super().__init__("counter")
        self.board, self.least = board, least

    def update(self) -> Status:
        if self.least is None:
            self.board["n"] += 1
            return Status.SUCCESS
        return Status.SUCCESS if self.board["n"] >= self.least else Status.FAILURE


class Ended(py_trees.decorators.Decorator):
    """Notes at which tick a child of a parallel ended, so that ties can be left out."""

    def __init__(self, child, race: Race) -> None:
        super().__init__(name="ended", child=child)
        self.race = race

    def update(self) -> Status:
        if self.decorated.status in (Status.SUCCESS, Status.FAILURE):
            self.race.around[-1].append(self.race.clock[0])
        return self.decorated.status


@st.composite
def trees(draw: st.DrawFn, depth: int = 3, *, side_by_side: bool = False) -> dict:
    """A tree in the language of workflows; leaves are named later."""
    kinds = ["leaf"] * 3 + ([] if side_by_side else ["condition", "count"])
    if depth:
        kinds += ["sequence", "selector", "parallel", "invert", "repeat", "retry", "succeed", "fail"] * 2
    kind = draw(st.sampled_from(kinds))
    inner = trees(depth - 1, side_by_side=side_by_side)
    if kind == "leaf":
        return tool(
            "?",
            takes=draw(st.integers(int(side_by_side), 40)),
            fails=draw(st.lists(st.booleans(), min_size=1, max_size=3)),
        )
    if kind == "count":
        return {"set": {"n": "n + 1"}}
    if kind == "condition":
        return {"condition": f"n >= {draw(st.integers(0, 2))}"}
    if kind in ("sequence", "selector"):
        return {kind: draw(st.lists(inner, min_size=1, max_size=3))}
    if kind == "parallel":
        children = draw(st.lists(trees(depth - 1, side_by_side=True), min_size=1, max_size=3))
        return {kind: children, "success_threshold": draw(st.sampled_from([1, len(children)]))}
    if kind == "repeat":
        return {kind: draw(inner), "times": draw(st.integers(1, 3))}
    if kind == "retry":
        return {kind: draw(inner), "attempts": draw(st.integers(1, 3))}
    return {kind: draw(inner)}


def named(tree, count: list[int]):
    """`tree` with a name of its own for each leaf."""
    if isinstance(tree, list):
        return [named(part, count) for part in tree]
    if "tool" in tree:
        count[0] += 1
        return tool(f"leaf{count[0]}", **{k: v for k, v in tree["args"].items() if k != "as"})
    kind = next(iter(tree))
    return tree if kind in ("set", "condition") else {**tree, kind: named(tree[kind], count)}


def oracle(tree: dict) -> tuple[bool, int, list[str]]:
    """How py_trees ends the tree, the number on its board, and what starts."""
    race = Race()
    root = grown(tree, race)
    while True:
        root.tick_once()
        race.clock[0] += 1
        if root.status != Status.RUNNING:
            break
        assert race.clock[0] < 20_000
    # In one tick py_trees counts everything together, where an engine sees one thing after the other: ties are left out.
    ends = {id(each): each for _name, _tick, around in race.log for each in around}.values()
    assume(all(len(set(each)) == len(each) for each in ends))
    assume(all(tick not in each for _name, tick, around in race.log for each in around))
    for each in ends:
        leaves = [tick for tick, around in race.over if any(one is each for one in around)]
        assume(all(leaves.count(tick) <= 1 for tick in each))
    return root.status == Status.SUCCESS, race.board["n"], [name for name, _tick, _around in race.log]


def grown(tree: dict, race: Race) -> py_trees.behaviour.Behaviour:
    kind = next(iter(tree))
    if kind == "tool":
        return Leaf(tree["args"], race)
    if kind == "set":
        return Counter(race.board)
    if kind == "condition":
        return Counter(race.board, int(tree[kind].split()[-1]))
    if kind in ("sequence", "selector"):
        cls = py_trees.composites.Sequence if kind == "sequence" else py_trees.composites.Selector
        return cls(kind, memory=True, children=[grown(part, race) for part in tree[kind]])
    if kind == "parallel":
        inside = replace(race, around=(*race.around, []))
        children = [Ended(grown(part, inside), inside) for part in tree[kind]]
        every = tree["success_threshold"] == len(children)
        policy = py_trees.common.ParallelPolicy
        chosen = policy.SuccessOnAll(synchronise=True) if every else policy.SuccessOnOne()
        return py_trees.composites.Parallel(kind, policy=chosen, children=children)
    child = grown(tree[kind], race)
    decorators = py_trees.decorators
    if kind == "invert":
        return decorators.Inverter(kind, child)
    if kind == "repeat":
        return decorators.Repeat(kind, child, num_success=tree["times"])
    if kind == "retry":
        return decorators.Retry(kind, child, num_failures=tree["attempts"])
    return (decorators.FailureIsSuccess if kind == "succeed" else decorators.SuccessIsFailure)(kind, child)


@RELAXED
@given(trees(), st.integers(0, 2**16))
@pytest.mark.slow
def test_a_tree_ends_as_in_py_trees_and_starts_the_same_leaves(tree, seed):
    tree = named(tree, [0])
    ok, number, started = oracle(tree)
    root = {"selector": [{"sequence": [tree, {"set": {"ended": "'success'"}}]}, {"set": {"ended": "'failure'"}}]}

    async def main():
        config = {"context": {"n": 0, "ended": "nowhere"}, "root": root}
        return await run("behavior_tree", config)

    result, doer = simulate(main, seed=seed)
    assert result.status == "completed", result.error
    assert result.outputs["value"]["ended"] == ("success" if ok else "failure")
    assert result.outputs["value"]["n"] == number
    assert sorted(doer.asked) == sorted(started)
