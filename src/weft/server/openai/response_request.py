"""Requests to ``/v1/responses``: what is read of them, and the conversation that their items are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from weft.app.serving.conversations import Line
from weft.app.serving.inputs import MAX_MESSAGES, MAX_TEXT, Message
from weft.core.errors import InputError, UnsupportedError
from weft.server.openai.asking import MAX_TOOLS, Asked, FunctionSpec, Part, choice_of, effort_of, part_of


class InputItem(BaseModel):
    """One item of the input; fields that are not known are ignored."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    type: str = "message"
    id: str | None = Field(default=None, max_length=200)
    role: str = "user"
    content: str | list[Part] | None = None
    call_id: str = Field(default="", max_length=200)
    name: str = Field(default="", max_length=200)
    arguments: str = Field(default="", max_length=MAX_TEXT)
    output: str | list[Part] | None = None
    approval_request_id: str = Field(default="", max_length=200)
    approve: bool = False
    reason: str | None = Field(default=None, max_length=MAX_TEXT)


class Tool(FunctionSpec):
    """A tool that the client offers; those that are no function need not have a name."""

    type: str = "function"
    name: str = Field(default="", max_length=64, pattern=r"^[a-zA-Z0-9_-]*$")


class ResponseRequest(Asked):
    """The body of a request for a response."""

    input: str | list[InputItem] = Field(max_length=MAX_TEXT)
    instructions: str | None = Field(default=None, max_length=MAX_TEXT)
    previous_response_id: str | None = Field(default=None, max_length=200)
    conversation: str | dict[str, Any] | None = None
    store: bool | None = None
    background: bool | None = None
    max_output_tokens: int | None = Field(default=None, ge=1)
    tools: list[Tool] | None = Field(default=None, max_length=MAX_TOOLS)
    tool_choice: str | dict[str, Any] | None = None
    text: dict[str, Any] | None = None
    reasoning: dict[str, Any] | None = None

    @property
    def stays(self) -> bool:
        """Whether the run goes on when the client goes away."""
        return bool(self.background) or super().stays

    @property
    def items(self) -> list[InputItem]:
        """The input as items."""
        if isinstance(self.input, str):
            return [InputItem(content=self.input)]
        if len(self.input) > MAX_MESSAGES:
            raise InputError(f"the input may have {MAX_MESSAGES} items", fix="send the latest of them", param="input")
        return self.input

    @property
    def named(self) -> str:
        """The session that the request names as its conversation."""
        given = self.conversation
        return given if isinstance(given, str) else str((given or {}).get("id") or "")

    def about(self) -> dict[str, Any]:
        """What has to be known of the request when the response is read later."""
        kept = self.model_dump(mode="json", exclude_none=True, exclude={"input", "weft", "stream"})
        return {"kind": "response", **kept, "input": [one.model_dump(exclude_defaults=True) for one in self.items]}

    def offered(self) -> tuple[dict[str, Any], ...]:
        """The tools of the client.

        Raises:
            UnsupportedError: one of them is no function.
        """
        others = [one.type for one in self.tools or () if one.type != "function" or not one.name]
        if others:
            raise UnsupportedError(
                f"tools of the type {others[0]!r} are not run here", fix="offer functions", param="tools"
            )
        return tuple(one.model_dump(exclude_none=True, exclude={"type"}) for one in self.tools or ())

    def relay(self, entries: list[dict[str, Any]]) -> dict[str, Any]:
        """The inputs of a run that asks a model as it stands.

        Raises:
            UnsupportedError: something is asked for that cannot be passed on.
        """
        settings = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": self.max_output_tokens,
            "parallel_tool_calls": self.parallel_tool_calls if self.tools else None,
            "tool_choice": choice_of(self.tool_choice) if self.tools else None,
            "thinking": effort_of((self.reasoning or {}).get("effort")),
        }
        said = [{"role": "system", "content": self.instructions}] if self.instructions else []
        return {
            "messages": [*said, *entries],
            "settings": {name: value for name, value in settings.items() if value is not None},
            "tools": list(self.offered()),
            "form": _form(self.text),
        }


@dataclass(frozen=True, slots=True)
class Approval:
    """What somebody answers to an approval request."""

    gate: str
    approve: bool
    reason: str


def approvals(items: Iterable[InputItem]) -> list[Approval]:
    """The answers to approval requests among `items`."""
    return [
        Approval(one.approval_request_id.removeprefix("mcpr_"), one.approve, one.reason or "")
        for one in items
        if one.type == "mcp_approval_response"
    ]


def entries_of(items: Iterable[InputItem]) -> list[dict[str, Any]]:
    """`items` as a conversation, see `weft.agents.transcript`.

    Raises:
        UnsupportedError: one of them is nothing that can be said again.
    """
    found: list[dict[str, Any]] = []
    for item in items:
        match item.type:
            case "message":
                role = {"developer": "system"}.get(item.role, item.role)
                if role not in {"system", "user", "assistant"}:
                    raise InputError(f"nobody speaks as {item.role!r} here", param="input")
                found.append({"role": role, "content": _content(item.content)})
            case "function_call":
                call = {"id": item.call_id, "name": item.name, "arguments": item.arguments}
                if found and found[-1].get("calls"):
                    found[-1]["calls"].append(call)
                else:
                    found.append({"role": "assistant", "content": "", "calls": [call]})
            case "function_call_output":
                found.append({"role": "tool", "content": _content(item.output), "call_id": item.call_id})
            case "reasoning" | "mcp_approval_request" | "mcp_approval_response":
                continue
            case other:
                raise UnsupportedError(
                    f"items of the type {other!r} are not read here", fix="send messages", param="input"
                )
    return found


def line_of(entry: Mapping[str, Any]) -> Line:
    """An entry of a conversation, for its identity."""
    calls = [one["id"] for one in entry.get("calls") or ()] + ([entry["call_id"]] if entry.get("call_id") else [])
    return Line(entry["role"], text_of(entry), tuple(calls))


def said(entries: Iterable[Mapping[str, Any]]) -> tuple[Message, ...]:
    """A conversation in words, as agents and workflows are given it."""
    return tuple(Message(one["role"], text_of(one)) for one in entries if one["role"] != "tool")


def said_of(item: InputItem) -> str:
    """What a tool of the client gave."""
    return text_of({"content": _content(item.output)})


def text_of(entry: Mapping[str, Any]) -> str:
    """The text of an entry."""
    content = entry.get("content") or ""
    return content if isinstance(content, str) else "".join(str(part.get("text", "")) for part in content)


def _content(content: str | list[Part] | None) -> Any:
    return [part_of(one) for one in content] if isinstance(content, list) else content or ""


def _form(text: Mapping[str, Any] | None) -> dict[str, Any] | None:
    wanted = (text or {}).get("format")
    if not isinstance(wanted, Mapping) or wanted.get("type") != "json_schema":
        return None
    if not isinstance(wanted.get("schema"), Mapping):
        raise InputError("the form of the answer has no schema", param="text")
    return {name: wanted[name] for name in ("schema", "name", "description", "strict") if name in wanted}
