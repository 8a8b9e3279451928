"""A small journal: two agents under a composite, one of which asks a model that asks for a tool."""

from weft.core.event import Event

RUN = "0198c0de-7000-7000-8000-000000000001"


class Journal:
    """Makes events; each is one millisecond after the last."""

    def __init__(self, run_id=RUN):
        self.run_id = run_id
        self.events = []

    def add(self, kind, path="", **data):
        seq = len(self.events) + 1
        event = Event(self.run_id, seq, 1_700_000_000_000_000 + seq * 1_000, kind, path, data)
        self.events.append(event)
        return event


def finished_run(run_id=RUN, **tool_input):
    j = Journal(run_id)
    j.add("run.created", workflow="report", plan_hash="abc", inputs={"topic": "tides"})
    j.add("run.started", epoch=1)
    j.add("step.completed", "/draft/now", type="clock", value=1)
    j.add(
        "step.started",
        "/draft/writer",
        type="agent",
        effect="idempotent",
        input={"agent": "writer", "model": "google/gemini"},
    )
    j.add("step.started", "/draft/writer/model[0]", type="model", input={"model": "google/gemini", "temperature": 0.5})
    j.add("step.retrying", "/draft/writer/model[0]", attempt=2, error={"code": "rate-limited", "message": "slow down"})
    j.add(
        "step.completed",
        "/draft/writer/model[0]",
        value={
            "model_name": "gemini-2",
            "provider_response_id": "r1",
            "finish_reason": "tool_call",
            "text": "model answer",
        },
        usage={"requests": 1, "input_tokens": 10, "output_tokens": 4, "cost": "0.25"},
        attempts=2,
    )
    j.add(
        "step.started",
        "/draft/writer/model[0]/tool[0]",
        type="tool",
        effect="pure",
        input={"tool": "grep", "call_id": "c1", "arguments": tool_input or {"pattern": "tide"}},
    )
    j.add("step.failed", "/draft/writer/model[0]/tool[0]", error={"code": "tool", "message": "no such file"})
    j.add(
        "step.completed",
        "/draft/writer",
        value="done",
        usage={"requests": 1, "input_tokens": 10, "output_tokens": 4, "cost": "0.25"},
    )
    j.add("node.completed", "/draft", value={})
    j.add("budget.warning", limit="tokens", spent=80)
    j.add("run.completed", outputs={"text": "done"})
    return j
