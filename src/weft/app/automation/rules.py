"""The rules of schedules and triggers: what they may say, and when a schedule is due. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from weft.core.errors import InputError
from weft.spec.model.automation import FileArrival, WrittenAutomation, WrittenSchedule
from weft.spec.recurrence import LONGEST_S, seconds, ticks, zone

Overlap = Literal["skip", "buffer", "allow", "cancel"]
_PROMPT_S = 60.0
"""A start that is late by less was not missed: workers are busy, restarted, replaced."""
MAX_MISSED = 1_000
"""Missed times that one look at a schedule makes up for at most; the next look goes on from there."""


class Rule(BaseModel):
    """What every rule is."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Schedule(Rule):
    """When runs start: by `cron` in the zone `tz`, or `every` so many seconds since `since` (microseconds).

    `overlap` says what happens when the run before has not ended: nothing is started (``skip``), one run waits for its end
    (``buffer``), both run (``allow``), or the one before is cancelled. Times that were missed for longer than `catch_up_s` are
    skipped. Each start is put off by up to `jitter_s`, always the same for the same time.
    """

    cron: str | None = None
    tz: str = "UTC"
    every: Annotated[float, Field(ge=1, le=LONGEST_S)] | None = None
    since: int = 0
    overlap: Overlap = "skip"
    catch_up_s: Annotated[float, Field(ge=0, le=LONGEST_S)] = 3_600.0
    jitter_s: Annotated[float, Field(ge=0, le=86_400)] = 0.0


class FileTrigger(Rule):
    """A file arrives: one that fits `pattern` in `folder` and has not changed for `settle_s`. Each content starts one run."""

    folder: str
    pattern: str = "*"
    settle_s: Annotated[float, Field(ge=0, le=3_600)] = 2.0
    variable: str = "path"


class RunTrigger(Rule):
    """A run of `workflow` ends in one of `statuses`. The new run's inputs get its id, status and response."""

    workflow: str
    statuses: tuple[Literal["completed", "failed", "cancelled"], ...] = ("completed",)
    since: int = 0


class HookTrigger(Rule):
    """The service is sent a signed message: each message starts one run, whose input `variable` gets its body, as text.

    `scheme` is the form of the signature; another `version` of the secret makes the one before worthless.
    """

    scheme: Literal["standard", "github"] = "standard"
    variable: str = "body"
    version: Annotated[int, Field(ge=1, le=1_000_000)] = 1


_Made = TypeVar("_Made", bound=Rule)
RULES: dict[str, type[Rule]] = {
    "schedule": Schedule,
    "file": FileTrigger,
    "run": RunTrigger,
    "webhook": HookTrigger,
}
"""The rule of each kind of automation."""


def made(kind: type[_Made], **fields: Any) -> _Made:
    """A rule of this kind, from what a person gave.

    Raises:
        InputError: a value is out of its bounds.
    """
    try:
        return kind(**fields)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).removesuffix("_s").replace("_", "-")
        raise InputError(
            f"--{name} cannot be {str(first['input'])[:40]}: {first['msg'].lower()}", fix="choose another value"
        ) from error


def check(schedule: Schedule) -> Schedule:
    """`schedule`, if it can ever be due.

    Raises:
        InputError: the cron expression, the zone or the combination is wrong.
    """
    if (schedule.cron is None) == (schedule.every is None):
        raise InputError("a schedule has either a cron expression or a length", fix="give --cron or --every")
    zone(schedule.tz)
    next(times(schedule, 0))
    return schedule


def times(schedule: Schedule, after: int) -> Iterator[int]:
    """The nominal times of a schedule after `after`, in microseconds.

    Raises:
        InputError: the cron expression cannot be read, or is never due.
    """
    if schedule.every is not None:
        step = round(schedule.every * 1_000_000)
        due = schedule.since + max(1, (after - schedule.since) // step + 1) * step
        while True:
            yield due
            due += step
    yield from ticks(str(schedule.cron), schedule.tz, after)


def shifted(schedule: Schedule, name: str, nominal: int) -> int:
    """When the run for the time `nominal` starts: later by the jitter that belongs to it."""
    if not schedule.jitter_s:
        return nominal
    share = random.Random(f"{name}\n{nominal}").random()  # noqa: S311 -- the same on every machine, on purpose
    return nominal + round(share * schedule.jitter_s * 1_000_000)


def due(schedule: Schedule, name: str, next_at: int, now: int) -> tuple[list[tuple[int, bool]], int]:
    """What is due at `now` of the times from `next_at` on, and the first time that is not.

    Each entry is a nominal time, and whether it is recent enough to be made up for. Of those that are not, the first stands for
    all: a stop of a year is told in one line.
    """
    window = round(max(schedule.catch_up_s, _PROMPT_S) * 1_000_000)
    horizon = now - window - round(schedule.jitter_s * 1_000_000)
    found: list[tuple[int, bool]] = []
    if next_at < horizon:
        found.append((next_at, False))
        next_at = max(next_at + 1, horizon)
    for nominal in times(schedule, next_at - 1):
        start = shifted(schedule, name, nominal)
        if start > now or len(found) == MAX_MISSED:
            return found, nominal
        found.append((nominal, now - start <= window))
    raise AssertionError("a schedule has no end")


def written(one: WrittenAutomation, folder: Path) -> Rule:
    """The rule that a file says; `folder` is that of the file.

    Raises:
        InputError: a value is out of its bounds.
    """
    if isinstance(one, WrittenSchedule):
        return made(
            Schedule,
            cron=one.cron,
            every=None if one.every is None else _length(one.every),
            tz=one.timezone,
            overlap=one.overlap,
            catch_up_s=_length(one.catch_up),
            jitter_s=_length(one.jitter),
        )
    if isinstance(one, FileArrival):
        where = str(folder / one.folder)
        return made(FileTrigger, folder=where, pattern=one.pattern, settle_s=_length(one.settle), variable=one.input)
    return RunTrigger(workflow=one.after, statuses=one.statuses())


def _length(value: float | str) -> float:
    return seconds(value) if isinstance(value, str) else value


def describe(rule: Rule) -> str:
    """A rule in a few words."""
    if isinstance(rule, Schedule):
        when = f"every {rule.every:,g} s" if rule.every else f"{rule.cron} ({rule.tz})"
        return f"{when}, overlap {rule.overlap}"
    if isinstance(rule, FileTrigger):
        return f"a file {rule.pattern} arrives in {rule.folder}"
    assert isinstance(rule, RunTrigger)
    return f"a run of {rule.workflow} is {' or '.join(rule.statuses)}"


def read(kind: str, data: Any) -> Rule:
    """The rule that was stored."""
    return RULES[kind].model_validate(data)
