"""Chat requests as they come in: what is read of them, and what the parts of them mean to a run."""

from __future__ import annotations

import base64
import binascii
from itertools import takewhile
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from weft.app.serving.conversations import Line
from weft.app.serving.inputs import MAX_MESSAGES, MAX_TEXT, Message
from weft.core.errors import InputError, UnsupportedError

MAX_TOOLS = 128
MAX_PARTS = 256
_Name = Field(min_length=1, max_length=200)


class _Open(BaseModel):
    """Fields that are not known are ignored, as OpenAI's clients may send any."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)


class Url(_Open):
    """Where a picture is."""

    url: str = ""


class Part(_Open):
    """A part of a message."""

    type: str
    text: str = Field(default="", max_length=MAX_TEXT)
    image_url: Url | str | None = None


class Function(_Open):
    """The function that a call is of."""

    name: str = _Name
    arguments: str = Field(default="", max_length=MAX_TEXT)


class ToolCall(_Open):
    """A call that an assistant has asked for."""

    id: str = _Name
    function: Function


class ChatMessage(_Open):
    """A message of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Part] | None = None
    tool_calls: list[ToolCall] | None = Field(default=None, max_length=MAX_TOOLS)
    tool_call_id: str = ""

    @property
    def text(self) -> str:
        """Its text."""
        if isinstance(self.content, str) or self.content is None:
            return self.content or ""
        return "".join(part.text for part in self.content)

    @property
    def calls(self) -> tuple[str, ...]:
        """The ids of the calls that it makes or answers."""
        if self.role == "tool":
            return (self.tool_call_id,)
        return tuple(one.id for one in self.tool_calls or ())

    def entry(self) -> dict[str, Any]:
        """It as `weft.agents.transcript` reads it.

        Raises:
            UnsupportedError: it has a part that is neither text nor a picture.
        """
        role = "system" if self.role == "developer" else self.role
        parts: Any = self.content if not isinstance(self.content, list) else [part_of(one) for one in self.content]
        entry: dict[str, Any] = {"role": role, "content": parts or ""}
        if self.tool_calls:
            calls = [(one.id, one.function.name, one.function.arguments) for one in self.tool_calls]
            entry["calls"] = [{"id": id_, "name": name, "arguments": said} for id_, name, said in calls]
        return entry | ({"call_id": self.tool_call_id} if role == "tool" else {})


class FunctionSpec(_Open):
    """A function that the client offers."""

    name: str = Field(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")
    description: str | None = Field(default=None, max_length=20_000)
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ToolSpec(_Open):
    """A tool that the client offers."""

    type: str = "function"
    function: FunctionSpec | None = None


class StreamOptions(_Open):
    """What else is streamed."""

    include_usage: bool = False


class Extension(_Open):
    """What Weft takes beyond OpenAI's fields, under ``weft``."""

    session: str = Field(default="", max_length=200, description="The conversation; over `X-Session-ID`.")
    inputs: dict[str, Any] = Field(default_factory=dict, description="Inputs by name, over what the messages say.")
    background: bool = Field(default=False, description="The run goes on when the client goes away.")
    queue: bool = Field(default=False, description="Wait for the turn of the session that is running.")
    mode: Literal["auto", "pass-through", "reasoning", "orchestration"] = Field(
        default="auto", description="How `weft/auto` finds who answers."
    )
    events: bool = Field(default=True, description="Steps are streamed as events of their own.")


class Asked(_Open):
    """What chat completions and responses have in common."""

    model: str = _Name
    stream: bool = False
    metadata: dict[str, str] | None = None
    weft: Extension = Extension()
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    parallel_tool_calls: bool | None = None

    @property
    def stays(self) -> bool:
        """Whether the run goes on when the client goes away."""
        return self.weft.background or (self.metadata or {}).get("background") == "true"


class ChatRequest(Asked):
    """The body of a chat completion."""

    messages: list[ChatMessage] = Field(min_length=1, max_length=MAX_MESSAGES)
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[str, int] | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    reasoning_effort: str | None = None
    tools: list[ToolSpec] | None = Field(default=None, max_length=MAX_TOOLS)
    tool_choice: str | dict[str, Any] | None = None
    response_format: dict[str, Any] | None = None
    n: int | None = None

    def lines(self) -> list[Line]:
        """The conversation, for its identity."""
        return [Line(one.role, one.text, one.calls) for one in self.messages]

    def latest(self, role: str) -> list[ChatMessage]:
        """The messages of a role at the end of the conversation."""
        found = list(takewhile(lambda one: one.role == role, reversed(self.messages)))
        return found[::-1]

    def said(self) -> tuple[Message, ...]:
        """The conversation in words, as agents and workflows are given it."""
        return tuple(Message(one.role, one.text) for one in self.messages if one.role != "tool")

    def relay(self) -> dict[str, Any]:
        """The inputs of a run that asks a model as it stands.

        Raises:
            UnsupportedError: something is asked for that cannot be passed on.
        """
        if self.n not in {None, 1}:
            raise UnsupportedError("one answer is given at a time", fix="leave out `n`", param="n")
        settings = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": self.max_completion_tokens or self.max_tokens,
            "presence_penalty": self.presence_penalty,
            "frequency_penalty": self.frequency_penalty,
            "logit_bias": self.logit_bias,
            "seed": self.seed,
            "stop_sequences": [self.stop] if isinstance(self.stop, str) else self.stop,
            "parallel_tool_calls": self.parallel_tool_calls if self.tools else None,
            "tool_choice": choice_of(self.tool_choice) if self.tools else None,
            "thinking": effort_of(self.reasoning_effort),
        }
        form, more = _form(self.response_format)
        return {
            "messages": [one.entry() for one in self.messages],
            "settings": {name: value for name, value in (settings | more).items() if value is not None},
            "tools": [tool_of(one) for one in self.tools or ()],
            "form": form,
        }


def tool_of(one: ToolSpec) -> dict[str, Any]:
    """A tool of the client as data.

    Raises:
        UnsupportedError: it is no function.
    """
    if one.type != "function" or one.function is None:
        raise UnsupportedError(f"tools of the type {one.type!r} are not run here", fix="offer functions", param="tools")
    return one.function.model_dump(exclude_none=True)


def part_of(part: Part) -> dict[str, Any]:
    """A part of a message as `weft.agents.transcript` reads it.

    Raises:
        UnsupportedError: it is neither text nor a picture.
    """
    if part.type in {"text", "input_text", "output_text"}:
        return {"text": part.text}
    url = part.image_url.url if isinstance(part.image_url, Url) else part.image_url or ""
    head, comma, data = url.partition(",")
    if (
        part.type not in {"image_url", "input_image"}
        or not comma
        or not head.startswith("data:")
        or not head.endswith(";base64")
    ):
        raise UnsupportedError(
            "a part of a message is text, or a picture in itself",
            fix="send a picture as `data:image/png;base64,…`; addresses are not fetched",
            param="messages",
        )
    try:
        base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise InputError("a picture is not base64", fix="encode its bytes as base64", param="messages") from None
    return {"data": data, "media_type": head.removeprefix("data:").removesuffix(";base64")}


def choice_of(choice: str | dict[str, Any] | None) -> str | list[str] | None:
    """Which tools the model may or must use, as Pydantic AI says it."""
    if isinstance(choice, dict):
        function = choice.get("function")
        name = function.get("name") if isinstance(function, dict) else choice.get("name")
        return [name] if isinstance(name, str) else None
    return choice if choice in {"auto", "none", "required"} else None


def effort_of(effort: str | None) -> str | bool | None:
    """How much the model is to think, as Pydantic AI says it."""
    if effort is None:
        return None
    return False if effort == "none" else effort if effort in {"minimal", "low", "medium", "high", "xhigh"} else None


def _form(wanted: dict[str, Any] | None) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """The JSON Schema that the answer is to have; where only JSON is asked for, what says so to the provider."""
    kind = (wanted or {}).get("type")
    if kind == "json_schema":
        inner = (wanted or {}).get("json_schema")
        if not isinstance(inner, dict) or not isinstance(inner.get("schema"), dict):
            raise InputError("the form of the answer has no schema", param="response_format")
        return {name: inner[name] for name in ("schema", "name", "description", "strict") if name in inner}, {}
    if kind == "json_object":
        return None, {"extra_body": {"response_format": {"type": "json_object"}}}
    return None, {}
