"""What walkers share: the walk itself, the frame that a node inherits, and the small sums over scopes and conversations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from weft.core.errors import WeftError
from weft.engine.port import Failure, Outcome, Runtime, Settings, Success
from weft.plan.nodes import Node
from weft.plan.template import evaluate

Scope = dict[str, Any]
Conversations = dict[str, tuple[str, ...]]
Told = Callable[[str, Scope], None]
"""Hears of a child that has succeeded: its name, and the scope at that moment."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What a node inherits: settings of enclosing blocks, and the calls that came before it, by conversation.

    `told` hears of the children of a sequence or graph that is the body of a block with compensations.
    """

    settings: Settings = field(default_factory=Settings)
    conversations: Conversations = field(default_factory=dict)
    told: Told | None = None

    def below(self) -> Frame:
        """The frame for children one after the other."""
        return self if self.told is None else Frame(self.settings, self.conversations)

    def fork(self) -> Frame:
        """A frame for a child whose conversations its siblings must not see."""
        return Frame(self.settings, dict(self.conversations))


class Written(Scope):
    """A scope that remembers which of its names were written since it was made from another one."""

    def __init__(self, scope: Mapping[str, Any]) -> None:
        super().__init__(scope)
        self.names: dict[str, None] = {}

    def __setitem__(self, name: str, value: Any) -> None:
        self.names[name] = None
        super().__setitem__(name, value)

    def update(self, values: Mapping[str, Any]) -> None:  # type: ignore[override]  # walkers pass mappings alone
        """Write each of `values`."""
        for name, value in values.items():
            self[name] = value

    def written(self) -> dict[str, Any]:
        """What was written, in the order in which the names were first."""
        return {name: self[name] for name in self.names}


class Walk(Protocol):
    """A walk over a plan: what a walker may ask, and how it has its children walked."""

    @property
    def runtime(self) -> Runtime:
        """Everything that is not pure."""
        ...

    async def walk(self, node: Node, path: str, scope: Scope, frame: Frame) -> Outcome:
        """Walk `node` at `path`; what it puts into its enclosing scope is in `scope` afterwards."""
        ...

    def on(self, runtime: Runtime) -> Walk:
        """The same walk on another runtime."""
        ...


def join(path: str, name: str) -> str:
    """The path of the child `name`; a nameless one adds nothing."""
    return f"{path}/{name}" if name else path


def compute(expressions: Mapping[str, str], scope: Scope) -> dict[str, Any]:
    """The values of `expressions` in `scope`."""
    return {name: evaluate(expression, scope) for name, expression in expressions.items()}


def set_response(scope: Scope, value: Any) -> None:
    """Make `value` the last response; what has none (a timer, an artifact) leaves it as it was."""
    if isinstance(value, dict):
        if "response" in value:
            scope["last_response"] = value["response"]
    elif value is not None:
        scope["last_response"] = value


def pace(size: int) -> int:
    """How many rounds or visits lie between one position in the journal and the next, the last one having `size` bytes.

    Longer positions are rarer, so that they cost the journal a bounded share of each round, and a resumed run walks a bounded
    part of its past again.
    """
    return max(8, size // 256)


def as_value(error: WeftError) -> dict[str, Any]:
    """A failure that somebody tolerates, as templates see it."""
    return {"status": "failed", "response": "", "error": error.as_json()}


def passes(error: WeftError, frame: Frame) -> bool:
    """Whether nobody at `frame` may turn this failure into something else.

    So it is when a rule denies the act, when the run is cancelled, and when a budget is used up that is not only of what is inside.
    What a tool was denied (its `cause`) is a failure of that tool, and another way may be tried.
    """
    if error.code == "budget":
        return any(path == error.ids.get("budget") for path, _ in frame.settings.budgets)
    return (error.code == "policy" and error.ids.get("cause") != "policy") or is_cut(error)


def is_cut(error: WeftError) -> bool:
    """Whether this is how a walk back ends what was not done yet."""
    return error.ids.get("unwinding") is True


def merge(before: Conversations, parts: Iterable[Conversations]) -> Conversations:
    """`before` and what each part adds to it, in order, each call once."""
    merged = dict(before)
    for part in parts:
        for talk, paths in part.items():
            have = merged.get(talk, ())
            known = frozenset(have)
            merged[talk] = have + tuple(path for path in paths if path not in known)
    return merged


def added(before: Conversations, after: Conversations) -> dict[str, list[str]]:
    """What `after` has more than `before`."""
    return {
        talk: list(paths[len(before.get(talk, ())) :])
        for talk, paths in after.items()
        if len(paths) > len(before.get(talk, ()))
    }


def extend(conversations: Conversations, more: Mapping[str, Iterable[str]]) -> None:
    """Put what `added` gave into `conversations`."""
    for talk, paths in more.items():
        conversations[talk] = (*conversations.get(talk, ()), *paths)


def recall(walk: Walk, path: str, scope: Scope, frame: Frame) -> Outcome | None:
    """How a composite that the journal holds as finished ended, with its effect on the scope restored."""
    known = walk.runtime.finished(path)
    if known is None or isinstance(known, Failure):
        return known
    scope.update(known.exported)
    extend(frame.conversations, known.conversations)
    return Success(known.value)
