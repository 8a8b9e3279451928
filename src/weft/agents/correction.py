"""What an agent learns from a failed tool call: what kind of failure it is, what to change, and how many tries are left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_ai.messages import ModelMessage, ModelResponse, ToolCallPart, ToolReturnPart

from weft.core.errors import ToolError, WeftError

TOOL_FAILURES = 5
"""Failures of one tool in a row after which a call of an agent may not use it any more."""
ALL_FAILURES = 15
"""Failures of all tools together after which a call of an agent may use none."""

_ADVICE: Mapping[str, tuple[str, str]] = {
    "input": ("the arguments are wrong", "Correct what is named above; do not send the same arguments again."),
    "timeout": ("it took too long", "Ask for less at once, or use another tool."),
    "transient": ("a fault that may pass", "It was tried again already. Go another way, or come back to it later."),
    "rate-limited": ("too many requests", "It was tried again already. Ask less often, or use another tool."),
    "policy": ("it is not allowed", "The same request will always be refused. Do the task without it."),
    "auth": ("a credential is missing or refused", "You cannot mend that. Use another tool, or say what is missing."),
    "not-found": ("it is not there", "Look for what is there first, then ask for that."),
    "attempts": ("it has failed too often", "Do not call it again. Use another tool, or answer with what you have."),
}
_OTHER = ("the tool failed", "Change the arguments or use another tool; the same call is likely to fail again.")


@dataclass(frozen=True, slots=True)
class Tries:
    """How often tools have failed in this call of an agent: the tool in question in a row, and all of them."""

    tool: int
    all: int

    @classmethod
    def of(cls, messages: Sequence[ModelMessage], name: str, *, before: int) -> Tries:
        """What the messages say of the tool `name`; the first `before` responses belong to earlier calls.

        Only answers to earlier responses are there, so tool calls that go on at the same time do not change each other's count.
        """
        start, seen = 0, 0
        for place, message in enumerate(messages):
            if seen == before:
                start = place
                break
            seen += isinstance(message, ModelResponse)
        row = total = 0
        for message in messages[start:]:
            for part in message.parts:
                if not isinstance(part, ToolReturnPart):
                    continue
                failed = part.outcome == "failed"
                total += failed
                if part.tool_name == name:
                    row = row + 1 if failed else 0
        return cls(row, total)

    def refusal(self, name: str) -> ToolError | None:
        """Why the tool may not be called any more, or None."""
        if self.tool < TOOL_FAILURES and self.all < ALL_FAILURES:
            return None
        what = (
            f"{name!r} has failed {self.tool} times in a row"
            if self.tool >= TOOL_FAILURES
            else f"tools have failed {self.all} times"
        )
        return ToolError(
            f"{what} in this task and is not called again", fix="go on without it", tool=name, cause="attempts"
        )

    def observation(self, error: WeftError) -> str:
        """What the agent is told of a failure."""
        kind, advice = _ADVICE.get(str(error.ids.get("cause") or error.code), _OTHER)
        lines = [f"{error.message}. {error.fix}".strip() if error.fix else error.message]
        lines.append(f"What this means: {kind}. {advice}")
        if error.ids.get("cause") != "attempts":
            left = min(TOOL_FAILURES - self.tool, ALL_FAILURES - self.all) - 1
            lines.append(
                f"Attempt {self.tool + 1} of {TOOL_FAILURES}; {left} left with this tool." if left > 0 else _LAST
            )
        return "\n".join(lines)


_LAST = "This was the last attempt with this tool."


def successes(messages: Sequence[ModelMessage], name: str) -> tuple[Mapping[str, Any], ...]:
    """The arguments of the calls of the tool `name` that succeeded."""
    good = {
        part.tool_call_id
        for message in messages
        for part in message.parts
        if isinstance(part, ToolReturnPart) and part.tool_name == name and part.outcome == "success"
    }
    return tuple(
        part.args_as_dict()
        for message in messages
        for part in message.parts
        if isinstance(part, ToolCallPart) and part.tool_name == name and part.tool_call_id in good
    )
