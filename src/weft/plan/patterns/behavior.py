"""Behaviour tree: nodes that succeed or fail, and parents that react to it.

How a node ended is a value, ``tree`` in the scope: ``{"ok", "value", "error"}``. So what a node that failed has computed is
still there for the nodes after it, and a failure ends the run only at the root.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from weft.plan.nodes import Block, Branch, Choose, Graph, Join, Loop, Node, Sequence, Set
from weft.plan.patterns.compiler import Compiler, Slot
from weft.plan.patterns.flow import WAITED, begun, clock, present, start_of
from weft.spec.expressions import bare, literal
from weft.spec.model.base import Section, walk
from weft.spec.model.behavior import (
    BehaviorTree,
    ConditionNode,
    CooldownNode,
    FailNode,
    InvertNode,
    ParallelNode,
    RepeatNode,
    RetryNode,
    SelectorNode,
    SequenceNode,
    SucceedNode,
    TimeoutNode,
)
from weft.spec.variables import ANSWER, names_within

TREE = "tree"
ROUNDS = 10_000
"""A repetition without `times` goes on at most so often."""
_OK = f"{TREE}.ok"


def compile_tree(pattern: BehaviorTree, compiler: Compiler, name: str) -> Node:
    """The root at ``/root``, or under its `id`, and inside it each node under its `id` or its kind and place."""
    config = pattern.config
    cooling = sum(isinstance(part, CooldownNode) for _pointer, part in walk(config.root))
    names = sorted({*config.context, *names_within(config.root), ANSWER, "results"})
    growing = _Growing(compiler, (*names, *(f"cooldown_{place}" for place in range(cooling)), TREE))
    root = growing.node(config.root, getattr(config.root, "id", None) or "root")
    failed = Choose(name="end", branches=(Branch(when=_OK, node=_nothing()),), required="the behaviour tree failed")
    value = {"response": present("last_response"), **{each: present(each) for each in config.context}}
    return Sequence(name=name, children=(*start_of(config.context), root, failed), value=value, exports=growing.names)


def _nothing() -> Node:
    return Set(name="", values={})


def _status(ok: str, *, error: str = "none", value: str = "none") -> dict[str, str]:
    return {TREE: f"{{'ok': {ok}, 'value': {value}, 'error': {error}}}"}


def _refusal(message: str) -> str:
    return literal({"code": "rejected", "message": message})


@dataclass(slots=True)
class _Growing:
    """Compiles the nodes of one tree. `names` are what every node passes on to those after it."""

    compiler: Compiler
    names: tuple[str, ...]
    _cooldowns: int = field(default=0)

    def node(self, part: Section, name: str) -> Node:
        """The node for `part` at `name`."""
        grow = _KINDS.get(type(part))
        return grow(self, part, name) if grow else self._leaf(part, name)

    def children(self, parts: list[Any]) -> Iterator[tuple[str, Section]]:
        """The children of a node, each with its name."""
        return ((getattr(part, "id", None) or f"{_kind(part)}[{place}]", part) for place, part in enumerate(parts))

    def _inside(self, part: Section) -> Node:
        """The only child of a node."""
        return self.node(part, getattr(part, "id", None) or _kind(part))

    def _leaf(self, step: Section, name: str) -> Node:
        inside = self.compiler.step(step, Slot("step", prompt=begun(self.compiler.opening)))
        return Block(
            name=name,
            body=Sequence(name="do", children=(inside,), exports=self.names),
            ends="tolerated",
            into=TREE,
        )

    def condition(self, part: ConditionNode, name: str) -> Node:
        """Computes nothing but whether it holds."""
        test = f"({bare(part.condition)})"
        refusal = _refusal(f"the condition {part.condition.strip()} does not hold")
        return Set(name=name, values=_status(f"(true if {test} else false)", error=f"(none if {test} else {refusal})"))

    def in_order(self, part: SequenceNode, name: str) -> Node:
        """Goes on while children succeed."""
        return self._row(part.sequence, name, _OK)

    def until_one(self, part: SelectorNode, name: str) -> Node:
        """Goes on while children fail."""
        return self._row(part.selector, name, f"not {_OK}")

    def _row(self, parts: list[Any], name: str, on: str) -> Node:
        children: list[Node] = []
        for child, part in self.children(parts):
            if children:
                children.append(Choose(name=child, branches=(Branch(when=on, node=self.node(part, "")),)))
            else:
                children.append(self.node(part, child))
        return Sequence(name=name, children=tuple(children), exports=self.names)

    def at_once(self, part: ParallelNode, name: str) -> Node:
        """Children side by side, as a fan-out in which a failure counts as one."""
        count = len(part.parallel)
        join = Join(policy="quorum", quorum=part.success_threshold or count, failures=part.failure_threshold or 1)
        children = tuple(self._judged(child, child_name) for child_name, child in self.children(part.parallel))
        graph = Graph(name="children", children=children, join=join, into="results")
        return Block(name=name, body=graph, ends="tolerated", into=TREE)

    def _judged(self, part: Section, name: str) -> Node:
        failed = Choose(
            name="end",
            branches=(Branch(when=_OK, node=_nothing()),),
            required=f"the node {name!r} failed",
        )
        value = {"response": present("last_response"), "status": "'completed'"}
        return Sequence(name=name, children=(self.node(part, "node"), failed), value=value)

    def invert(self, part: InvertNode, name: str) -> Node:
        """The opposite."""
        error = f"({_refusal('it succeeded, which is inverted')} if {_OK} else none)"
        return self._then(part.invert, name, _status(f"not {_OK}", error=error, value=f"{TREE}.value"))

    def succeed(self, part: SucceedNode, name: str) -> Node:
        """Success, whatever came."""
        return self._then(part.succeed, name, _status("true", error=f"{TREE}.error", value=f"{TREE}.value"))

    def fail(self, part: FailNode, name: str) -> Node:
        """Failure, whatever came."""
        error = f"{TREE}.error or {_refusal('it is made to fail')}"
        return self._then(part.fail, name, _status("false", error=error, value=f"{TREE}.value"))

    def _then(self, part: Section, name: str, values: Mapping[str, str]) -> Node:
        return Sequence(name=name, children=(self._inside(part), Set(name="end", values=values)), exports=self.names)

    def repeat(self, part: RepeatNode, name: str) -> Node:
        """Rounds while the child succeeds."""
        if part.until is None:
            return self._rounds(part.repeat, name, f"not {_OK}", part.times or ROUNDS)
        test = f"({bare(part.until)})"
        rounds = self._rounds(part.repeat, "repeat", f"not {_OK} or {test}", part.times or ROUNDS)
        error = f"{TREE}.error or (none if {test} else {_refusal(f'{part.until.strip()} did not come to hold')})"
        end = _status(f"{_OK} and (true if {test} else false)", error=error, value=f"{TREE}.value")
        return Sequence(name=name, children=(rounds, Set(name="end", values=end)), exports=self.names)

    def retry(self, part: RetryNode, name: str) -> Node:
        """Rounds while the child fails."""
        return self._rounds(part.retry, name, _OK, part.attempts)

    def _rounds(self, part: Section, name: str, until: str, most: int) -> Node:
        return Loop(
            name=name,
            body=Sequence(name="", children=(self._inside(part),), exports=self.names),
            until=until,
            max_iterations=most,
            exports=(*self.names, "last_response"),
        )

    def timeout(self, part: TimeoutNode, name: str) -> Node:
        """The child within a time; what it computed is lost when it takes longer."""
        within = Block(name="within", body=self._inside(part.timeout), timeout_s=part.seconds)
        limit = Block(name="limit", body=within, ends="tolerated", into="limit")
        late = f"{TREE} if limit.ok else {{'ok': false, 'value': none, 'error': limit.error}}"
        return Sequence(name=name, children=(limit, Set(name="end", values={TREE: late})), exports=self.names)

    def cooldown(self, part: CooldownNode, name: str) -> Node:
        """The child, unless it ended too short a time ago by the run's clock."""
        ended = f"cooldown_{self._cooldowns}"
        self._cooldowns += 1
        go = Sequence(
            name="",
            children=(
                self._inside(part.cooldown),
                clock("clock"),
                Set(name="ended", values={ended: f"{WAITED}[1].at"}),
            ),
            into=WAITED,
            exports=self.names,
        )
        ready = f"{ended} is not defined or {WAITED}[0].at - {ended} >= {part.seconds!r}"
        cooling = Set(name="cooling", values=_status("false", error=_refusal("it is cooling down")))
        choice = Choose(name="ready", branches=(Branch(when=ready, node=go),), otherwise=cooling)
        return Sequence(name=name, children=(clock("clock"), choice), into=WAITED, exports=self.names)


_KINDS: Mapping[type, Callable[[Any, Any, str], Node]] = {
    ConditionNode: _Growing.condition,
    SequenceNode: _Growing.in_order,
    SelectorNode: _Growing.until_one,
    ParallelNode: _Growing.at_once,
    InvertNode: _Growing.invert,
    RepeatNode: _Growing.repeat,
    RetryNode: _Growing.retry,
    TimeoutNode: _Growing.timeout,
    CooldownNode: _Growing.cooldown,
    SucceedNode: _Growing.succeed,
    FailNode: _Growing.fail,
}
_WORDS = {
    ConditionNode: "condition",
    SequenceNode: "sequence",
    SelectorNode: "selector",
    ParallelNode: "parallel",
    InvertNode: "invert",
    RepeatNode: "repeat",
    RetryNode: "retry",
    TimeoutNode: "timeout",
    CooldownNode: "cooldown",
    SucceedNode: "succeed",
    FailNode: "fail",
}


def _kind(part: Section) -> str:
    return _WORDS.get(type(part), "action")
