"""The ports of the engine: what the interpreter asks of a runtime, and what a runtime asks of performers.

The interpreter never performs an effect: it asks a `Runtime`, which answers from the journal when the step is there and
asks a `Performer` when it is not. Neither runtime nor interpreter knows what an agent is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from weft.core.clock import Clock
from weft.core.errors import WeftError
from weft.core.event import Event
from weft.core.usage import Usage
from weft.plan.nodes import Budget, Call, Child, Effect, Plan, Retry

Json = Any
NO_RETRY = Retry(attempts=1)


@dataclass(frozen=True, slots=True)
class Success:
    """A node ended with a value, as decoded from the journal."""

    value: Json


@dataclass(frozen=True, slots=True)
class Failure:
    """A node ended with an error that its parents may react to."""

    error: WeftError


@dataclass(frozen=True, slots=True)
class Suspended:
    """A node waits for something outside: each entry is JSON with at least ``kind`` and ``path``."""

    waits: tuple[Mapping[str, Json], ...]


Outcome = Success | Failure | Suspended


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRequest:
    """What a gate asks, its texts rendered. `given` are the values that its form begins with; the rest is as in the plan's `Gate`."""

    prompt: str
    show: str = ""
    choices: tuple[str, ...] = ()
    form: Mapping[str, Json] | None = None
    given: Json = None
    pattern: str | None = None
    rejections: tuple[str, ...] = ("reject", "rejected")
    on_reject: Literal["fail", "continue"] = "fail"
    assignees: tuple[str, ...] = ()
    deadline_s: float | None = None
    warn_s: float | None = None
    escalate_s: float | None = None
    escalate_to: tuple[str, ...] = ()
    default: Json = None
    facts: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Done:
    """What the body of a step returns: its JSON value, and what it consumed."""

    value: Json
    usage: Usage | None = None


class StepSuspended(Exception):  # noqa: N818 -- a signal, not an error
    """Raised through a performer when a step inside it waits for something outside; performers let it pass."""

    def __init__(self, waits: tuple[Mapping[str, Json], ...]) -> None:
        super().__init__("the step waits")
        self.waits = waits


class RunHalted(Exception):  # noqa: N818 -- a signal, not an error
    """Raised through everything when the run cannot go on here: the journal refused, or does not fit the plan.

    It is no `WeftError`, so that nobody takes it for the failure of a step.
    """

    def __init__(self, error: WeftError) -> None:
        super().__init__(error.message)
        self.error = error


class StepContext(Protocol):
    """What a performer may know and do while it performs one step.

    `path` is the step's own; `history` the paths of the earlier calls of the same conversation, oldest first.
    """

    run_id: str
    path: str
    attempt: int
    plan: Plan
    clock: Clock
    history: tuple[str, ...]

    @property
    def key(self) -> str:
        """The idempotency key of this step: stable over attempts, crashes and takeovers, new in a fork."""
        ...

    @property
    def options(self) -> Mapping[str, Json]:
        """What the run was started with besides its inputs, such as the folder for its artifacts."""
        ...

    @property
    def leaving(self) -> bool:
        """Whether the process lets go of the run at this moment, so that what goes on outside is to go on."""
        ...

    def recorded(self, path: str) -> Json:
        """The value of a step of this run that has succeeded, or None."""
        ...

    def events(self) -> list[Event]:
        """The run's journal so far, oldest first."""
        ...

    def emit(self, delta: Mapping[str, Json]) -> None:
        """Tell live viewers something that is not history, such as streamed text."""
        ...

    def note(self, kind: str, data: Mapping[str, Json]) -> None:
        """Append an event about this step without waiting for it to be durable."""
        ...

    async def ask(self, name: str, request: GateRequest) -> Json:
        """Ask a person or an outside system, once: a gate at ``{path}/{name}``. Returns its value, as `Gate` describes it.

        A time limit of the step stands still meanwhile.

        Raises:
            WeftError: the answer rejects, or nobody answered before the deadline.
            StepSuspended: everything in the run waits; the step is performed again when there is an answer.
        """
        ...

    async def step(  # noqa: PLR0913 -- a step has many sides
        self,
        name: str,
        body: Callable[[StepContext], Awaitable[Done]],
        *,
        type: str,  # noqa: A002 -- the word that events and screens use
        effect: Effect = "idempotent",
        input: Mapping[str, Json] | None = None,  # noqa: A002 -- same
        retry: Retry | None = None,
        timeout_s: float | None = None,
        spends: bool = False,
        target: str = "",
        check: Callable[[StepContext], Awaitable[Done | None]] | None = None,
    ) -> Json:
        """Perform a step inside this one, once: at ``{path}/{name}``, from the journal if it is there.

        Returns the value as decoded from the journal. `type` is ``model``, ``tool`` or ``artifact`` and `target` which one.
        `input` is shown to people and traces and must not hold secrets. With `spends`, the budget is checked before `body`
        starts. `retry` is that of the enclosing call by default. For a ``reconcile`` step that may have happened before a
        crash, `check` says what came of it, or None if it did not happen.

        Raises:
            WeftError: `body` failed for good (recorded), or a budget is reached, or `name` is used twice at once.
        """
        ...


class Performer(Protocol):
    """Performs calls of one kind.

    One that has an attribute ``derived`` that is true says that what its calls end with follows from the steps inside them,
    which are in the journal: their own end then need not be durable before the run goes on, for performing them again would
    only read those steps. One that has a method ``before``, with the arguments of `perform`, is called there before a call begins:
    the place for a gate that the effect must wait for.

    One that has an attribute ``computes`` that is true only computes: its calls do not count as steps of a budget.
    """

    async def perform(self, call: Call, scope: Mapping[str, Json], context: StepContext) -> Done:
        """Do what `call` says; raise a `WeftError` when it cannot be done."""
        ...

    async def check(self, call: Call, scope: Mapping[str, Json], context: StepContext) -> Done | None:
        """For a ``reconcile`` call that may have happened before a crash: what came of it, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Settings:
    """What enclosing blocks set for the calls inside them. `budgets` are those of the blocks with one, each with its path."""

    retry: Retry = NO_RETRY
    budgets: tuple[tuple[str, Budget], ...] = ()


@dataclass(frozen=True, slots=True)
class Undo:
    """What is to be undone in a block: its children that have succeeded, in this order, and since when, why."""

    children: tuple[str, ...] = ()
    error: WeftError | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a program asked for at a path.

    `looks` say what it is (``type``, ``target``, and ``input`` as a digest); `after` are the steps whose ends it had been handed since it
    asked before, in this order, so that a later life takes the same turns. A `loose` one belongs to a past that has changed since.
    """

    looks: Mapping[str, str]
    after: tuple[str, ...] = ()
    loose: bool = False

    def as_json(self) -> dict[str, Json]:
        """What the event says."""
        return {**self.looks, **({"after": list(self.after)} if self.after else {})}

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Asked:
        """What the event `data` is of says."""
        looks = {name: str(value) for name, value in data.items() if name != "after"}
        return cls(looks, tuple(data.get("after") or ()))


@dataclass(frozen=True, slots=True)
class Composite:
    """A composite node that is in the journal as finished.

    `exported` holds the names and values that it put into its enclosing scope, `conversations` the calls in it by
    conversation.
    """

    value: Json
    exported: Mapping[str, Json] = field(default_factory=dict)
    conversations: Mapping[str, list[str]] = field(default_factory=dict)


class Position(Protocol):
    """Where a composite stands: the position that was kept last, and all rows that were."""

    @property
    def position(self) -> Json:
        """The last position."""
        ...

    @property
    def rows(self) -> Sequence[Json]:
        """The rows, oldest first."""
        ...


class Runtime(Protocol):
    """What the interpreter may ask for. Everything else about the world is none of its business.

    `unwinding` is set where nothing new may begin, and is the error that says why.
    """

    unwinding: WeftError | None

    async def perform(
        self, path: str, call: Call, scope: Mapping[str, Json], settings: Settings, history: tuple[str, ...]
    ) -> Outcome:
        """Perform a call, or answer from the journal."""
        ...

    async def sleep(self, path: str, seconds: float) -> Outcome:
        """Wait until `seconds` after the wait was first reached."""
        ...

    async def ask(self, path: str, request: Callable[[], GateRequest]) -> Outcome:
        """Put a question, or answer from the journal; `request` is called when it was not put before."""
        ...

    async def listen(
        self, path: str, names: tuple[str, ...], seconds: float | None, accepts: Callable[[Mapping[str, Json]], bool]
    ) -> Outcome:
        """Wait for the first signal of these names that `accepts`, for at most `seconds`.

        Signals come in the order in which they were sent, those first that came before the wait. The value is
        ``{"signal": name or None, "data": …}``.
        """
        ...

    async def child(
        self, path: str, node: Child, planned: Json, inputs: Mapping[str, Json], settings: Settings
    ) -> Outcome:
        """Have a run of its own made of a plan, or answer from the journal; `planned` is the hash of one made at run time."""
        ...

    async def within(
        self, path: str, seconds: float, work: Callable[[], Awaitable[Outcome]], error: WeftError
    ) -> Outcome:
        """Do `work`, but fail with `error` once `seconds` have passed since the block at `path` was first entered.

        Which of the two came first is in the journal before this returns, and a replay sees the same winner.
        """
        ...

    def finished(self, path: str) -> Composite | Failure | None:
        """What the journal says of the composite at `path`."""
        ...

    async def finish(self, path: str, composite: Composite, *, decision: bool = False) -> Composite:
        """Record that a composite is finished. With `decision`, other ends were possible: it is durable on return."""
        ...

    async def fail(self, path: str, error: WeftError) -> None:
        """Record, durably, that a composite has failed, so that a replay sees the same failure."""
        ...

    def position(self, path: str) -> Position | None:
        """Where the composite at `path` stood when that was last kept."""
        ...

    def keep(self, path: str, position: Json, done: Sequence[str], rows: Sequence[Json] = ()) -> int:
        """Record where the composite at `path` stands, so that a later walk begins there; the bytes that it takes.

        `rows` are added to those that were kept before. `done` are the paths inside it that are over since the last time.
        Nobody asks for what happened there any more: what counts of it is in the position and the rows.
        """
        ...

    def recorded(self, path: str) -> Outcome | None:
        """How the step at `path` ended, when the journal has it."""
        ...

    def asked(self, path: str) -> Mapping[str, Asked]:
        """What the program at `path` has asked for according to the journal, by path and in this order."""
        ...

    def asks(self, path: str, asked: Asked) -> None:
        """Record that a program asks for the step at `path`."""
        ...

    def undo(self, path: str) -> Undo:
        """What is to be undone in the block at `path`."""
        ...

    def undoable(self, path: str, child: str, *, late: bool = False) -> None:
        """Record that `child` of the block at `path` has succeeded and is to be undone if the block fails.

        `late`, that is found out only now that everything is walked back.
        """
        ...

    async def undoing(self, path: str, error: WeftError) -> None:
        """Record, durably, that the block at `path` has failed with `error`, and undoes what it did before that is its end."""
        ...

    def unwound(self, error: WeftError, afresh: str | None = None) -> Runtime:
        """This runtime for a walk that begins nothing new, and fails with `error` where that would be needed.

        The composite at `afresh` is walked although the journal has its end.
        """
        ...

    def forward(self) -> Runtime:
        """The runtime on which compensations are performed."""
        ...

    def open_budget(self, path: str, budget: Budget) -> None:
        """From now on, calls with this budget among theirs are counted against it, from what the journal says on."""
        ...
