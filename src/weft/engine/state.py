"""What the events of a run say, in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from weft.core.canonical import dumps
from weft.core.errors import Place, TemplateError, from_json
from weft.core.usage import Usage
from weft.engine.port import Asked, Composite, Failure, Success, Undo
from weft.engine.references import References
from weft.engine.retention import Kept, PathTree, named, paths_in


@dataclass(slots=True)
class OpenStep:
    """A step that has started and has no outcome. `attempt` counts from 1; `next_at` is when its next attempt is due."""

    type: str
    target: str
    effect: str
    since: int
    attempt: int = 1
    next_at: int | None = None
    error: Mapping[str, Any] | None = None


@dataclass(slots=True)
class OpenGate:
    """A question that has been put and not been answered, as the journal has it; `told` says what has been told of its time."""

    id: str
    request: Mapping[str, Any]
    told: set[str] = field(default_factory=set)


@dataclass(slots=True)
class RunState:
    """What the events of a run say.

    `outcomes` holds steps by path, `finished` composites; `open` what has begun. `settled` holds what people said of doubtful
    steps; `failed` what of the steps that must be asked about has failed; `timers` when waits are due and when time limits
    began, in microseconds since the epoch. `gates` holds open questions, `awaited` the names of the signals that are waited for;
    `life` counts from 1 and grows when the run is reopened or forked. `positions` says where loops and machines stand; what they
    left behind and nobody can ask for is no longer in memory. `undo` says what is to be undone in the blocks that have not ended,
    `undone` how often a block was undone and begun again, `cancelling` why the run is cancelled, `asked` what a program has asked for, in order. `inherited` is what a fork's past
    consumed, which is not charged to the fork; `parent` is the run above a child run, `depth` how many there are. `read` is the number of the last event that was
    read from the journal.
    """

    status: str = "queued"
    scope: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    outcomes: dict[str, Success | Failure] = field(default_factory=dict)
    finished: dict[str, Composite | Failure] = field(default_factory=dict)
    open: dict[str, OpenStep] = field(default_factory=dict)
    settled: dict[str, bool] = field(default_factory=dict)
    failed: dict[str, OpenStep] = field(default_factory=dict)
    timers: dict[str, int] = field(default_factory=dict)
    gates: dict[str, OpenGate] = field(default_factory=dict)
    awaited: dict[str, tuple[str, ...]] = field(default_factory=dict)
    life: int = 1
    calls: dict[str, str] = field(default_factory=dict)
    usage: dict[str, Usage] = field(default_factory=dict)
    warned: set[tuple[str, str]] = field(default_factory=set)
    references: References = field(default_factory=References)
    positions: dict[str, Kept] = field(default_factory=dict)
    undo: dict[str, Undo] = field(default_factory=dict)
    undone: dict[str, int] = field(default_factory=dict)
    asked: dict[str, Asked] = field(default_factory=dict)
    cancelling: str | None = None
    paths: PathTree = field(default_factory=PathTree)
    started_at: int | None = None
    waits: tuple[dict[str, Any], ...] = ()
    outputs: Any = None
    error: Mapping[str, Any] | None = None
    inherited: Usage = field(default_factory=Usage)
    parent: str | None = None
    depth: int = 0
    read: int = field(default=0, compare=False)

    def total(self) -> Usage:
        """What the whole run has consumed, its inherited past apart."""
        return sum(self.usage.values(), Usage())

    def doubts(self) -> list[str]:
        """The steps of which only a person can say whether they happened, if nobody performs them now."""
        begun = {path for path, step in self.open.items() if step.effect == "once" and step.next_at is None}
        told = {wait["path"] for wait in self.waits if wait.get("kind") == "doubt"}
        return sorted(begun | told)

    def succeed(self, path: str, data: Mapping[str, Any]) -> Success:
        """Take in a `step.completed`."""
        outcome = Success(data["value"])
        self.outcomes[path] = outcome
        self.paths.add(path)
        self.open.pop(path, None)
        if self.gates or self.awaited:
            self.close_waits(path)
        self.references.remember(path, outcome.value)
        self._account(path, data)
        return outcome

    def fail(self, path: str, data: Mapping[str, Any]) -> Failure:
        """Take in a `step.failed`."""
        error = from_json(data["error"])
        error.final = True
        outcome = Failure(error)
        self.outcomes[path] = outcome
        self.paths.add(path)
        begun = self.open.pop(path, None)
        self.close_waits(path)
        if begun is not None and begun.effect == "reconcile":
            self.failed[path] = begun
        # A call that was refused for being one too many has not begun.
        if not (error.code == "budget" and error.ids.get("limit") == "max_steps" and error.place.path == path):
            self._account(path, data)
        return outcome

    def finish(self, path: str, data: Mapping[str, Any]) -> Composite:
        """Take in a `node.completed`."""
        restore = self.references.restore
        finished = Composite(
            restore(data["value"]), restore(data.get("exported") or {}), data.get("conversations") or {}
        )
        self.finished[path] = finished
        self.paths.add(path)
        self.positions.pop(path, None)
        # What ended well has nothing to undo any more, and neither has what somebody else has put up with.
        if self.undo:
            for mark in [mark for mark in self.undo if within(mark, path)]:
                del self.undo[mark]
        if self.gates or self.awaited:
            self.close_waits(path)
        return finished

    def written(self, path: str, composite: Composite) -> bytes:
        """The payload of the `node.completed` that `finish` takes in, with what the journal has already named in it.

        Raises:
            TemplateError: it is not JSON.
        """
        name = self.references.name
        try:
            data: dict[str, Any] = {"value": name(composite.value)}
            if composite.exported:
                data["exported"] = {key: name(value) for key, value in composite.exported.items()}
            if composite.conversations:
                data["conversations"] = composite.conversations
            return dumps(data)
        except (TypeError, ValueError, RecursionError) as error:
            raise TemplateError(f"its value is not JSON: {error}", place=Place(path=path)) from error

    def kept(self, path: str, position: Any, done: Iterable[str], rows: Iterable[Any] = ()) -> bytes:
        """The payload of the `node.position` that `keep` takes in.

        Raises:
            TemplateError: it is not JSON.
        """
        name = self.references.name
        try:
            data: dict[str, Any] = {"position": name(position), "done": list(done)}
            if rows := list(rows):
                data["rows"] = name(rows)
            return dumps(data)
        except (TypeError, ValueError, RecursionError) as error:
            raise TemplateError(f"what is kept of it is not JSON: {error}", place=Place(path=path)) from error

    def gates_below(self, path: str) -> list[str]:
        """The ids of the open gates inside `path`."""
        return [gate.id for at, gate in self.gates.items() if at.startswith((f"{path}/", f"{path}["))]

    def close_waits(self, path: str) -> None:
        """Whatever waits at `path` or inside it is waited for no more."""
        inside = (f"{path}/", f"{path}[")
        for waits in (self.gates, self.awaited):
            for at in [at for at in waits if at == path or at.startswith(inside)]:
                del waits[at]

    def keep(self, path: str, data: Mapping[str, Any]) -> None:
        """Take in a `node.position`, and forget what is over and not named in it."""
        kept = self.positions.setdefault(path, Kept())
        rows = data.get("rows") or []
        kept.position = self.references.restore(data["position"])
        kept.rows.extend(self.references.restore(rows))
        kept.pinned |= paths_in(rows, path)
        names = paths_in(data["position"], path)
        over = {each for part in data["done"] for each in self.paths.take(part)}
        for each in over | kept.loose:
            self.paths.take(each)
        stays = {each for each in over | kept.loose if named(each, names)}
        for each in over | kept.loose:
            if each in stays or named(each, kept.pinned):
                self.paths.add(each)
            else:
                self._forget(each, f"{path}/$past")
        kept.loose = stays - kept.pinned

    def undoable(self, mark: str, child: str) -> None:
        """Take in a `node.undoable`."""
        before = self.undo.get(mark, Undo())
        if child not in before.children:
            self.undo[mark] = replace(before, children=(*before.children, child))

    def to_undo(self, path: str) -> bool:
        """Whether a block that has not ended, at `path` or inside it, has done something that could be undone."""
        return any(within(mark, path) and mark not in self.finished for mark in self.undo)

    def begin_again(self, mark: str) -> None:
        """What a block did was undone, so that nothing of it counts any more."""
        block = mark.removesuffix("/$saga").removesuffix("/$block")
        self.undone[block] = self.undone.get(block, 0) + 1
        for path in self.paths.take(block):
            self._forget(path, f"{block}/$past")
        for known in (self.positions, self.undo, self.open, self.failed):
            for path in [path for path in known if within(path, block)]:
                del known[path]

    def loosen(self, gone: Callable[[str], bool], *, inputs: bool) -> None:
        """What a program asked for after it had been handed something that is `gone` it may not ask for again, or with other `inputs`."""
        cut = False
        for path, asked in list(self.asked.items()):
            cut = cut or any(gone(step) for step in asked.after)
            if cut and path not in self.outcomes:
                del self.asked[path]
            elif cut:
                looks = {name: look for name, look in asked.looks.items() if not inputs or name != "input"}
                self.asked[path] = Asked(looks, loose=True)

    def key_path(self, path: str) -> str:
        """`path` for a step's key, which is another one after the step was undone."""
        times = sum(count for block, count in self.undone.items() if within(path, block))
        return f"{path}#{times}" if times else path

    def _forget(self, path: str, into: str) -> None:
        for known in (self.outcomes, self.finished, self.open, self.settled, self.failed, self.timers):
            known.pop(path, None)
        self.references.forget(path)
        if used := self.usage.pop(path, None):
            self.usage[into] = self.usage.get(into, Usage()) + used

    def _account(self, path: str, data: Mapping[str, Any]) -> None:
        if call := data.get("call"):
            self.calls[path] = call
        if usage := data.get("usage"):
            self.usage[path] = Usage.from_json(usage)


def within(path: str, above: str) -> bool:
    """Whether `path` is `above` or inside it."""
    return path.startswith(above) and path[len(above) : len(above) + 1] in {"", "/", "["}
