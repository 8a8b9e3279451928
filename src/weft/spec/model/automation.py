# ruff: noqa: RUF012 -- Pydantic copies mutable defaults
"""When runs start by themselves: what a file says of it. It counts once somebody makes it active, never by running the file."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from weft.spec.model.base import Name, Scalar, Section, Text, by_shape
from weft.spec.model.inputs import InputName

AutomationName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
Length = Annotated[Annotated[float, Field(ge=0), Tag("<map>")] | Annotated[Text, Tag("<text>")], by_shape()]
"""Seconds, or a text such as ``15m``."""
Ending = Literal["completed", "failed", "cancelled"]


class WrittenSchedule(Section):
    """Runs start at set times: by `cron` in a time zone, or `every` so long."""

    name: AutomationName | None = None
    cron: Text | None = None
    timezone: Text = "UTC"
    every: Length | None = None
    overlap: Literal["skip", "buffer", "allow", "cancel"] = "skip"
    catch_up: Length = "1h"
    jitter: Length = 0.0
    inputs: dict[InputName, Scalar] = {}


class FileArrival(Section):
    """A run starts when a file arrives in `folder`, which is relative to the workflow's file; `input` gets the file's path."""

    name: AutomationName | None = None
    folder: Text
    pattern: Text = "*"
    settle: Length = 2.0
    input: InputName = "path"
    inputs: dict[InputName, Scalar] = {}


class RunEnding(Section):
    """A run starts when a run of the workflow `after` ends."""

    name: AutomationName | None = None
    after: Name
    status: Annotated[
        Annotated[Ending, Tag("<one>")] | Annotated[Annotated[list[Ending], Field(min_length=1)], Tag("<list>")],
        Discriminator(lambda value: "<list>" if isinstance(value, list) else "<one>"),
    ] = "completed"
    inputs: dict[InputName, Scalar] = {}

    def statuses(self) -> tuple[Ending, ...]:
        """How that run has to end."""
        return tuple(self.status) if isinstance(self.status, list) else (self.status,)


def _occasion(value: Any) -> str:
    ends = "after" in value if isinstance(value, dict) else isinstance(value, RunEnding)
    return "<after>" if ends else "<folder>"


WrittenTrigger = Annotated[
    Annotated[FileArrival, Tag("<folder>")] | Annotated[RunEnding, Tag("<after>")], Discriminator(_occasion)
]
WrittenAutomation = WrittenSchedule | FileArrival | RunEnding


def _several(value: Any) -> str:
    return "<list>" if isinstance(value, list) else "<one>"


Schedules = Annotated[
    Annotated[WrittenSchedule, Tag("<one>")]
    | Annotated[Annotated[list[WrittenSchedule], Field(min_length=1)], Tag("<list>")],
    Discriminator(_several),
]
Triggers = Annotated[
    Annotated[WrittenTrigger, Tag("<one>")]
    | Annotated[Annotated[list[WrittenTrigger], Field(min_length=1)], Tag("<list>")],
    Discriminator(_several),
]
