"""Turns: what a caller asks for becomes a run, and the same asked again under the same key becomes the same run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from weft.app.service import AS_WRITTEN, ModelChoice, RunRequest
from weft.app.serving.inputs import Message, variables
from weft.app.serving.library import Published
from weft.core.canonical import digest
from weft.core.errors import ConflictError, InputError
from weft.core.ids import uuid7
from weft.core.owner import LOCAL, Owner
from weft.plan.nodes import Plan
from weft.store.runs import Run

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A plan that stands in no file, made for what is asked; a turn's inputs are all that it is given."""

    name: str
    plan: Plan
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Somebody asks something that is served.

    `messages` is the conversation, the latest last; `inputs` are values by name, which go over what the messages say. `session`
    is the conversation that it belongs to, and `after` the run of the turn that it follows there. Under the same `key` (with `scope`,
    where keys are made) the same is done once: for `key_s` seconds a repeat is led to the run of the first. What is said `about` it
    stands in the run's options. `tools` are the client's, see `RunRequest`.
    """

    target: Published | Made
    messages: tuple[Message, ...] = ()
    inputs: Mapping[str, Any] = field(default_factory=dict)
    session: str = ""
    owner: Owner = LOCAL
    choice: ModelChoice = AS_WRITTEN
    key: str = ""
    scope: str = "runs"
    key_s: float = DAY_S
    queued: bool = False
    tools: tuple[Mapping[str, Any], ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)
    after: str | None = None

    @property
    def asked(self) -> str:
        """The latest message."""
        return self.messages[-1].content if self.messages else ""

    def digest(self) -> str:
        """The hash of what is asked, whoever asks it.

        Raises:
            InputError: an input has no form in JSON.
        """
        asked: list[Any] = [self.target.name, self.target.version, [one.as_json() for one in self.messages]]
        asked += [dict(self.inputs), *self.tools]
        try:
            return digest([*asked, self.session])
        except (TypeError, ValueError, RecursionError) as error:
            raise InputError(f"the inputs cannot be kept as JSON: {error}", fix="send JSON values") from error


@dataclass(frozen=True, slots=True)
class Begun:
    """The run that a turn has become; `first` is false where it was there before. `run` is how it began, where that is known."""

    run_id: str
    first: bool
    run: Run | None = None


def request_of(turn: Turn, run_id: str, home: Path) -> RunRequest:
    """What the run of a turn is started with. Its artifacts have a folder of their own below `home`.

    Raises:
        InputError: it is not clear what the message is for, or there is none.
    """
    target = turn.target
    if isinstance(target, Made):
        return RunRequest(
            file=home / "served" / target.name,
            plan=target.plan,
            variables=turn.inputs,
            out=home.joinpath("artifacts", run_id),
            choice=turn.choice,
            session=turn.session or run_id,
            queued=turn.queued,
            run_id=run_id,
            about=turn.about,
            owner=turn.owner,
            turn=_told(replace(turn, inputs={})) if turn.messages else None,
        )
    return RunRequest(
        file=target.file,
        variables=variables(target.workflow, turn.messages, turn.inputs, agent=bool(target.agent)),
        out=home.joinpath("artifacts", run_id),
        choice=turn.choice,
        session=turn.session or run_id,
        queued=turn.queued,
        agent=target.agent,
        run_id=run_id,
        tools=turn.tools,
        about=turn.about,
        owner=turn.owner,
        turn=_told(turn) if turn.messages else None,
    )


def _told(turn: Turn) -> dict[str, Any]:
    """What a run remembers of its turn: enough to read the conversation, and to ask the same again."""
    facts = {"asked": turn.asked, "after": turn.after, "inputs": dict(turn.inputs)}
    return {name: value for name, value in facts.items() if value}


def new_run_id() -> str:
    """An id for a run that is yet to be made."""
    return uuid7()


def differs(turn: Turn) -> ConflictError:
    """The refusal of a key that was used for something else."""
    return ConflictError(
        f"the key {turn.key!r} was used for another request", fix="use a new key for each thing that is asked"
    )
