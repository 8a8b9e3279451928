"""Runs as the results of tools: text for a model, the same as data for a program, both within bounds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mcp_types import CallToolResult, ContentBlock, TextContent

from weft.app.serving.items import Ended
from weft.app.serving.questions import answer_schema, open_gates
from weft.core.clock import iso
from weft.core.errors import WeftError
from weft.server.wording import said_over
from weft.store.gates import Gate
from weft.store.journal import Journal
from weft.store.runs import Run

MAX_TEXT = 100_000
"""Characters of an answer in one result."""
_SHOWN = 4_000
"""Characters of what a gate shows."""


def run_schema(response: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The form of every result that is about one run; `response` is that of the answer, where it is known."""
    return {
        "type": "object",
        "properties": {
            "run_id": {"type": "string"},
            "workflow": {"type": "string"},
            "status": {
                "type": "string",
                "enum": ["queued", "running", "waiting", "stalled", "completed", "failed", "cancelled"],
            },
            "response": dict(response) if response else {"description": "The answer: a text, or data."},
            "cut": {"type": "boolean", "description": "The answer is longer; weft_result has the rest."},
            "error": {"type": "object", "description": "What went wrong: code, message, fix."},
            "gates": {"type": "array", "items": {"type": "object"}, "description": "Who or what is waited for."},
            "usage": {"type": "object"},
            "link": {"type": "string"},
            "next": {"type": "string", "description": "How to go on."},
        },
        "required": ["run_id", "status"],
    }


class Results:
    """Makes results; `url` is the address of the service, empty where there is none."""

    def __init__(self, journal: Journal, url: str) -> None:
        self._journal = journal
        self._url = url

    def of(self, run_id: str, ended: Ended | None, *, offset: int = 0) -> CallToolResult:
        """The result of a run as it stands: its answer, its error, or what it waits for."""
        run = self._journal.runs.get(run_id)
        if ended is None:
            return self.handle(run)
        facts = self._facts(run) | {"usage": ended.usage.as_json()}
        if ended.status == "completed":
            return _answered(facts, ended, offset)
        error = ended.error.as_json() if ended.error is not None else {}
        error |= {"fix": self._fix(ended.error)} if ended.error is not None and ended.error.fix else {}
        said = f"The run {run_id} was cancelled." if ended.status == "cancelled" else self._sentence(ended.error)
        return CallToolResult(content=[_text(said)], structured_content={**facts, "error": error}, is_error=True)

    def handle(self, run: Run) -> CallToolResult:
        """A run that goes on without the caller: where it stands, and how to come back to it."""
        gates = open_gates(self._journal, run.id)
        facts = self._facts(run)
        if gates:
            facts["gates"] = [gate_facts(gate) for gate in gates]
        facts["next"] = self._next(run, gates)
        lines = [f"The run {run.id} is {run.status}.", *(f"It asks: {_prompt(gate)}" for gate in gates), facts["next"]]
        return CallToolResult(content=[_text("\n".join(lines))], structured_content=facts)

    def refusal(self, error: WeftError) -> CallToolResult:
        """An error as the result of a tool: a model is to read what to do about it."""
        return CallToolResult(content=[_text(self._sentence(error))], is_error=True)

    def _sentence(self, error: WeftError | None) -> str:
        if error is None:
            return "The run has failed."
        place = str(error.place)
        said = f"{error.code}: {error.message}{place and f' at {place}'}"
        return f"{said}\nWhat to do: {self._fix(error)}" if error.fix else said

    def _fix(self, error: WeftError) -> str:
        return said_over("mcp", error.fix, api=bool(self._url))

    def _facts(self, run: Run) -> dict[str, Any]:
        facts = {"run_id": run.id, "workflow": run.workflow, "status": run.status}
        return facts | ({"link": f"{self._url}/api/v1/runs/{run.id}"} if self._url else {})

    def _next(self, run: Run, gates: Sequence[Gate]) -> str:
        if gates:
            where = f"{self._url}/api/v1/gates" if self._url else f"`weft approve {run.id}` on a command line"
            return f"Answer with weft_answer, or at {where}; then weft_result has the answer of the run."
        return "It goes on by itself: weft_status says where it stands, weft_result waits for its answer."


def gate_facts(gate: Gate) -> dict[str, Any]:
    """A gate as data."""
    request = gate.request
    facts: dict[str, Any] = {
        "id": gate.id,
        "run_id": gate.run_id,
        "prompt": str(request.get("prompt", ""))[:_SHOWN],
        "answer": answer_schema(request),
    }
    facts |= {"show": str(request["show"])[:_SHOWN]} if request.get("show") else {}
    facts |= {"given": request["given"]} if request.get("given") is not None else {}
    facts |= {"assignees": request["assignees"]} if request.get("assignees") else {}
    return facts | ({"due": iso(gate.due)} if gate.due is not None else {})


def listing(runs: Sequence[Run]) -> CallToolResult:
    """Several runs, one line each."""
    rows = [{"run_id": run.id, "workflow": run.workflow, "status": run.status} for run in runs]
    lines = [f"{run.id}  {run.workflow}  {run.status}" for run in runs] or ["There are no open runs."]
    return CallToolResult(content=[_text("\n".join(lines))], structured_content={"runs": rows})


def _answered(facts: dict[str, Any], ended: Ended, offset: int) -> CallToolResult:
    whole, piece = ended.text, ended.text[offset : offset + MAX_TEXT]
    until = offset + len(piece)
    response = ended.outputs.get("response") if isinstance(ended.outputs, Mapping) else ended.outputs
    if offset or until < len(whole):
        response = piece if isinstance(response, str) else None
    if response is not None:
        facts["response"] = response
    content: list[ContentBlock] = [_text(piece)]
    if until < len(whole):
        facts["cut"] = True
        facts["next"] = (
            f"These are characters {offset} to {until} of {len(whole)}: weft_result with offset {until} goes on."
        )
        content.append(_text(facts["next"]))
    return CallToolResult(content=content, structured_content=facts)


def _prompt(gate: Gate) -> str:
    given = gate.request.get("given")
    shown = f" {json.dumps(given, ensure_ascii=False)[:_SHOWN]}" if given is not None else ""
    return f"{str(gate.request.get('prompt', ''))[:_SHOWN]}{shown} (gate {gate.id})"


def _text(text: str) -> TextContent:
    return TextContent(type="text", text=text)
