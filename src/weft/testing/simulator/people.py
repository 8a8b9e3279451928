"""People in a simulation: they take a while, and answer gates as they were told to."""

from __future__ import annotations

import random
from typing import Any, Literal

from weft.core.errors import WeftError
from weft.engine.local import Engine
from weft.engine.questions import Answer
from weft.store.gates import Gate
from weft.store.journal import Journal
from weft.testing.simulation import SimulatedClock
from weft.testing.simulator.script import instance

Manner = Literal["approve", "reject", "random"]
"""How people answer: all of them yes, all of them no, or each as the seed has it, from all choices that there are."""
_TAKES_S = (1.0, 10.0)
_MOST = 10_000


class People:
    """Answers every gate that is open, in the order in which they were opened. Each answer follows from the seed and the gate alone."""

    def __init__(self, seed: int, manner: Manner | None) -> None:
        self._seed = seed
        self._manner = manner
        self._tried: set[str] = set()
        self.answered: dict[str, int] = {}

    async def answer(self, engine: Engine, journal: Journal) -> int:
        """Answer what is asked now; how many gates were answered."""
        if self._manner is None:
            return 0
        count = 0
        for gate in sorted(journal.gates.open(limit=_MOST), key=lambda gate: (gate.opened_at, gate.run_id, gate.path)):
            if gate.id in self._tried:
                continue
            draw = random.Random(f"{self._seed}/{gate.id}")  # noqa: S311 -- repeatable on purpose
            await SimulatedClock().sleep(draw.uniform(*_TAKES_S))
            answer = self._said(gate, draw)
            try:
                await engine.decide(gate.run_id, gate.id, answer)
            except WeftError:
                # Its deadline was quicker, or it asks for words of a form that nobody makes up: it is left to time.
                self._tried.add(gate.id)
                continue
            word = answer.choice or str(answer.verdict)
            self.answered[word] = self.answered.get(word, 0) + 1
            count += 1
        return count

    def _said(self, gate: Gate, draw: random.Random) -> Answer:
        request: dict[str, Any] = dict(gate.request)
        by = next(iter(request.get("assignees") or ()), "somebody")
        form = request.get("form")
        values = instance(form, draw) if form else None
        if self._manner != "random":
            return Answer(by=by, verdict=self._manner, values=values)
        choices = list(request.get("choices") or ())
        if choices:
            return Answer(by=by, choice=draw.choice(choices), values=values)
        return Answer(by=by, verdict=draw.choice(("approve", "reject")), values=values)
