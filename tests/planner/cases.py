"""The cases of the dataset, and what a proposal must have to fulfil one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from weft.plan.planner.cards import Card
from weft.plan.planner.draft import Draft
from weft.plan.planner.rules import Proposal, propose

FOLDER = Path(__file__).parent / "dataset"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    domain: str
    request: str
    cards: tuple[Card, ...] = field(repr=False)
    expected: dict[str, Any]

    @property
    def held_out(self) -> bool:
        """Two of five cases were not looked at while the rules were written."""
        return hashlib.sha256(f"{self.domain}\n{self.request}".encode()).digest()[0] % 5 < 2

    def failure(self) -> str:
        """What is wrong with the proposal for this case; empty when nothing is."""
        proposal = propose(self.request, self.cards)
        if "missing" in self.expected:
            return _missing(proposal, self.expected["missing"])
        if "ambiguous" in self.expected:
            return _ambiguous(proposal, self.expected["ambiguous"])
        if not proposal.drafts:
            return f"no draft: {proposal}"
        draft = proposal.drafts[0]
        if sorted(step.agent for step in draft.steps) != sorted(self.expected["agents"]):
            return f"agents {[(step.agent, step.task) for step in draft.steps]}"
        return _order(draft, self.expected)


def _missing(proposal: Proposal, word: str) -> str:
    return (
        ""
        if any(word in task.casefold() for task in proposal.missing)
        else f"{word!r} is not named as missing: {proposal}"
    )


def _ambiguous(proposal: Proposal, choices: Any) -> str:
    if not proposal.questions or proposal.missing:
        return f"no question: {proposal}"
    offered = set(proposal.questions[0].choices)
    return "" if choices is True or set(choices) <= offered else f"choices {offered}"


def _order(draft: Draft, expected: dict[str, Any]) -> str:
    before: dict[str, set[str]] = {}
    for step in draft.steps:
        before[step.id] = set(step.after).union(*(before[name] for name in step.after))
    named = {agent: [step.id for step in draft.steps if step.agent == agent] for agent in expected["agents"]}
    for first, second in expected.get("before", ()):
        for one in named[first]:
            for other in named[second]:
                if one not in before[other]:
                    return f"{one} is not before {other}: {draft.steps}"
    for first, second in expected.get("parallel", ()):
        for one in named[first]:
            for other in named[second]:
                if one in before[other] or other in before[one]:
                    return f"{one} and {other} are not at once: {draft.steps}"
    return ""


def all_cases() -> list[Case]:
    found = []
    for file in sorted(FOLDER.glob("*.yaml")):
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
        cards = tuple(
            Card(
                id=name,
                description=card.get("description", ""),
                capabilities=tuple(card.get("capabilities", ())),
                tags=tuple(card.get("tags", ())),
            )
            for name, card in data["agents"].items()
        )
        for case in data["cases"]:
            expected = {key: value for key, value in case.items() if key != "request"}
            found.append(Case(domain=file.stem, request=case["request"], cards=cards, expected=expected))
    return found
