"""Gates and signals of a service's runs."""

from __future__ import annotations

from itertools import islice

from weft.cli.remote.lines import Lines
from weft.cli.remote.records import gate_of
from weft.client.given.gates import Decision
from weft.engine.answering import Decided, NewSignal, meant
from weft.engine.questions import Answer
from weft.store.gates import Gate

_PAGE = 200


class RemoteGates:
    """What `Service` asks of gates. Who answers is whom the service knows by the token, unless a name is given."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._client = lines.client

    def gates(self, *, limit: int = 100) -> list[Gate]:
        """See `Service.gates`."""
        return [gate_of(one) for one in islice(self._client.gates.list(limit=min(limit, _PAGE)), limit)]

    def gates_of(self, run_id: str) -> list[Gate]:
        """See `Service.gates_of`."""
        found = [gate_of(one) for one in self._client.gates.list(run=run_id, status="any", limit=_PAGE)]
        return sorted(found, key=lambda gate: (gate.opened_at, gate.path))

    def gate(self, run_id: str, text: str | None = None) -> Gate:
        """See `Service.gate`."""
        return meant(self.gates_of(run_id), run_id, text)

    async def decide(self, run_id: str, gate: str | None, answer: Answer) -> Decided:
        """See `Service.decide`. The run goes on at once."""
        asked = self.gate(run_id, gate)
        before = await self._lines.waiting.runs.show(run_id, steps=False)
        body: Decision = {"why": answer.why}
        if answer.choice is not None:
            body["choice"] = answer.choice
        if answer.response is not None:
            body["response"] = answer.response
        if answer.verdict is not None:
            body["verdict"] = answer.verdict  # type: ignore[typeddict-item]  # there are two
        if answer.values is not None:
            body["values"] = answer.values
        if answer.saw is not None:
            body["saw"] = answer.saw
        if answer.by:
            body["by"] = answer.by
        made = await self._lines.waiting.gates.decide(asked.id, **body)
        if not made.repeated:
            self._lines.going[run_id] = before.events
        return Decided(gate_of(made.gate), made.decision, made.repeated)

    async def signal(self, run_id: str, signal: NewSignal) -> bool:
        """See `Service.signal`. The run goes on at once."""
        before = await self._lines.waiting.runs.show(run_id, steps=False)
        sent = await self._lines.waiting.runs.signal(run_id, name=signal.name, data=signal.data, key=signal.key)
        if sent.new and any(wait.get("kind") == "signal" for wait in before.waits):
            self._lines.going[run_id] = before.events
        return sent.new
