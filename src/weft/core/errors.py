"""The error family of Weft.

    WeftError
    ├── SpecError           spec          the document is wrong (carries every problem found)
    ├── UnsupportedError    unsupported   the document is right, this version cannot run it
    ├── InputError          input         values given to a command or a run are wrong
    ├── TemplateError       template      a template failed while a run was using it
    ├── AuthError           auth          a credential is missing or refused
    ├── BudgetError         budget        a limit on tokens, money, time or steps is reached
    ├── PolicyError         policy        a rule denies the act
    ├── TransientError      transient     an outside fault that may pass by itself        (retried)
    │   └── RateLimitError  rate-limited  asked to wait; parks, spends no attempt         (retried)
    ├── StepTimeoutError    timeout       something took longer than it may               (retried)
    ├── ProviderError       provider      a model provider refused or answered nonsense
    ├── ToolError           tool          a tool failed in a way the agent could not mend
    ├── RejectedError       rejected      the work was done and not accepted: by a person, a score, a vote, a condition
    ├── LimitError          limit         a bound on rounds, visits, width or depth is reached
    ├── ProgramError        program       a workflow written in Python raised an exception, or did what it may not
    ├── ConflictError       conflict      somebody else holds or has already changed it
    ├── NotFoundError       not-found     there is no such thing here
    ├── StorageError        io            a file, a folder or the database refused
    ├── MismatchError       mismatch      a recorded history and the plan do not agree
    └── InternalError       internal      a defect of Weft

Cancellation is not an error. Each class has a stable ``code``; ``docs/errors.md`` has a section for each. One table,
`EXIT_CODES`, gives a command's exit status; services add their own tables for their own protocols.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something is wrong: a file position, a JSON pointer into it, a step's path, or any of them."""

    file: str | None = None
    line: int | None = None
    column: int | None = None
    pointer: str | None = None
    path: str | None = None

    def __str__(self) -> str:
        spot = self.file or ""
        if self.line is not None:
            spot += f":{self.line}" + (f":{self.column}" if self.column is not None else "")
        return "  ".join(part for part in (spot, self.pointer, self.path) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One finding about a document; `rule` is its stable short name, such as ``unknown-key``."""

    rule: str
    message: str
    fix: str = ""
    place: Place = Place()
    severity: str = "error"

    def as_json(self) -> dict[str, Any]:
        """The problem as plain data, positions flattened, absent ones left out."""
        spot = {
            name: value
            for name in ("file", "line", "column", "pointer", "path")
            if (value := getattr(self.place, name)) is not None
        }
        return {"rule": self.rule, "severity": self.severity, "message": self.message, "fix": self.fix, **spot}


class WeftError(Exception):
    """Base of every error that Weft raises on purpose.

    `message` says what happened, `fix` what to do about it, `place` where, and `ids` which run, step, tool… it concerns.
    """

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False
    final: bool = False
    """Set once retries are used up or the failure is recorded: whoever catches it must not start over."""

    def __init__(self, message: str, *, fix: str = "", place: Place | None = None, **ids: Any) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix
        self.place = place or Place()
        self.ids = {name: value for name, value in ids.items() if value is not None}

    def as_json(self) -> dict[str, Any]:
        """The error as journaled and as printed by ``--json``; `from_json` reads it back."""
        place = {k: v for k in Place.__slots__ if (v := getattr(self.place, k)) is not None}
        data: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.fix:
            data["fix"] = self.fix
        if place:
            data["place"] = place
        if self.ids:
            data["ids"] = self.ids
        return data


class SpecError(WeftError):
    """The workflow document is wrong. Use `UnsupportedError` when it is right but cannot be run here."""

    code = "spec"

    def __init__(self, message: str, *, problems: Sequence[Problem] = (), **rest: Any) -> None:
        super().__init__(message, **rest)
        self.problems = tuple(problems)

    def as_json(self) -> dict[str, Any]:
        """The error with every problem found."""
        return super().as_json() | {"problems": [p.as_json() for p in self.problems]}


class UnsupportedError(SpecError):
    """The document uses what this version of Weft does not run; every such pointer is named."""

    code = "unsupported"


class InputError(WeftError):
    """A value given on the command line, in a call or as a run's input is missing or wrong."""

    code = "input"


class TemplateError(WeftError):
    """A template could not be rendered from the values that the run has."""

    code = "template"


class AuthError(WeftError):
    """A credential is missing, expired or refused. Use `PolicyError` when it is good but not enough."""

    code = "auth"


class BudgetError(WeftError):
    """A limit on tokens, money, time or steps is reached."""

    code = "budget"


class PolicyError(WeftError):
    """A rule denies the act: an address, a path, a tool, a guard."""

    code = "policy"


class TransientError(WeftError):
    """An outside fault that may pass by itself: a reset connection, a 5xx answer."""

    code = "transient"
    retryable = True

    def __init__(self, message: str, *, retry_after: float | None = None, **rest: Any) -> None:
        super().__init__(message, **rest)
        self.retry_after = retry_after
        """Seconds that the other side asked us to wait, when it did."""


class RateLimitError(TransientError):
    """The other side asks us to slow down; the step waits and spends no attempt."""

    code = "rate-limited"


class StepTimeoutError(WeftError):
    """Something took longer than it may."""

    code = "timeout"
    retryable = True


class ProviderError(WeftError):
    """A model provider refused the request or answered what nobody can read. Use `TransientError` for 5xx."""

    code = "provider"


class ToolError(WeftError):
    """A tool failed. An agent sees it as an observation; a tool step of a plan fails with it."""

    code = "tool"


class RejectedError(WeftError):
    """The work was done and its result was not accepted: by a person, a score, a vote or a condition."""

    code = "rejected"


class LimitError(WeftError):
    """A bound on rounds, visits, width or depth is reached, which keeps a workflow from going in circles."""

    code = "limit"


class ProgramError(WeftError):
    """A workflow written in Python raised an exception, or did what such a function may not do. Use `ToolError` for a tool."""

    code = "program"


class ConflictError(WeftError):
    """Somebody else holds it, or it has already changed: a second driver, a run that has ended."""

    code = "conflict"


class NotFoundError(WeftError):
    """There is no such run, step or workflow here."""

    code = "not-found"


class StorageError(WeftError):
    """A file, a folder or the database refused: disk full, read-only, locked, exists already."""

    code = "io"


class MismatchError(WeftError):
    """A recorded history and the plan, or an event and its hash, do not agree."""

    code = "mismatch"


class InternalError(WeftError):
    """A defect of Weft itself."""

    code = "internal"


EXIT_CODES: Mapping[str, int] = {
    "spec": 3,
    "unsupported": 18,
    "input": 2,
    "template": 10,
    "auth": 13,
    "budget": 20,
    "policy": 11,
    "transient": 10,
    "rate-limited": 10,
    "timeout": 10,
    "provider": 10,
    "tool": 10,
    "rejected": 10,
    "limit": 10,
    "program": 10,
    "conflict": 17,
    "not-found": 17,
    "io": 12,
    "mismatch": 17,
    "internal": 70,
}
"""Exit status of a command that ends with an error of this code. Others: 0 done, 19 waiting for a person, 130 interrupted."""

_CLASSES: Mapping[str, type[WeftError]] = {
    cls.code: cls
    for cls in (
        SpecError,
        UnsupportedError,
        InputError,
        TemplateError,
        AuthError,
        BudgetError,
        PolicyError,
        TransientError,
        RateLimitError,
        StepTimeoutError,
        ProviderError,
        ToolError,
        RejectedError,
        LimitError,
        ProgramError,
        ConflictError,
        NotFoundError,
        StorageError,
        MismatchError,
        InternalError,
    )
}


def from_json(data: Mapping[str, Any]) -> WeftError:
    """Rebuild an error from `WeftError.as_json`; an unknown code becomes an `InternalError` that carries it."""
    code = str(data.get("code", "internal"))
    cls = _CLASSES.get(code)
    ids = dict(data.get("ids") or {})
    if cls is None:
        cls, ids = InternalError, ids | {"unknown_code": code}
    return cls(
        str(data.get("message", "")), fix=str(data.get("fix", "")), place=Place(**(data.get("place") or {})), **ids
    )
