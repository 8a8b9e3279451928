"""The rule-based planner: from a request and cards to ranked drafts, or to what has to be said first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from weft.plan.planner.cards import Card
from weft.plan.planner.draft import TAKEN, Draft, Step, in_order
from weft.plan.planner.match import Matcher
from weft.plan.planner.optimise import alternatives, optimised
from weft.plan.planner.parse import Piece, parse
from weft.plan.planner.verbs import says_nothing, starts_with_verb
from weft.plan.planner.words import concepts

VERSION = 1
"""Of the rules: drafts that an earlier version made are not taken from the cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the asker has to say before there can be a plan: which agent `task` is meant for."""

    task: str
    text: str
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What comes of a request: drafts, the best first; or questions; or tasks that no agent can do."""

    drafts: tuple[Draft, ...] = ()
    questions: tuple[Question, ...] = ()
    missing: tuple[str, ...] = ()


def propose(
    request: str,
    cards: Sequence[Card],
    *,
    answers: Mapping[str, str] | None = None,
    count: int = 1,
    max_steps: int = 50,
) -> Proposal:
    """Plan `request`. `answers` says for the tasks of earlier questions which agent is meant; `count` drafts are wanted at most."""
    matcher = Matcher(cards)
    known = dict(answers or {})
    pieces = parse(request, lambda first, second: _joined(matcher, first, second))
    if not pieces:
        return _nothing_said(request, cards, known)
    questions, missing = [], []
    chosen: list[str] = []
    for piece in pieces:
        tied, best = matcher.tied(piece.text), matcher.best(piece.text)
        if piece.text in known:
            best, tied = known[piece.text], ()
        if best is None and says_nothing(piece.text):
            questions.append(_vague(piece.text, cards))
        elif best is None:
            missing.append(piece.text)
        elif tied:
            questions.append(Question(task=piece.text, text=f"Who is to do this: {piece.text}?", choices=tied))
        chosen.append(best or "")
    if missing or questions:
        return Proposal(questions=tuple(questions), missing=tuple(missing))
    score = sum(_score(matcher, piece.text) for piece in pieces) / len(pieces)
    draft = optimised(Draft(steps=_steps(pieces, chosen), score=score))
    if len(draft.steps) > max_steps:
        return Proposal(missing=(f"a plan of at most {max_steps} steps: this one has {len(draft.steps)}",))
    return Proposal(drafts=alternatives(draft, _others(pieces, chosen, matcher), count))


def _nothing_said(request: str, cards: Sequence[Card], known: Mapping[str, str]) -> Proposal:
    task = request.strip() or "the request"
    if agent := known.get(task):
        return Proposal(drafts=(Draft(steps=(Step(id=agent, agent=agent, task=task),)),))
    return Proposal(questions=(_vague(task, cards),))


def _vague(task: str, cards: Sequence[Card]) -> Question:
    return Question(
        task=task, text=f"What is to be done, and by whom: {task}?", choices=tuple(card.id for card in cards)
    )


def _joined(matcher: Matcher, first: str, second: str) -> bool:
    """Whether what stands behind a comma or an "and" belongs to the task before it."""
    if starts_with_verb(second):
        return False
    best = matcher.best(second)
    return best is None or best == matcher.best(first) or not concepts(first)


def _score(matcher: Matcher, task: str) -> float:
    found = matcher.candidates(task)
    return found[0].score if found else 1.0


def _steps(pieces: Sequence[Piece], chosen: Sequence[str], *, implied: bool = True) -> tuple[Step, ...]:
    """The steps of pieces; without `implied`, only the order that was asked for holds."""
    ids: list[str] = []
    for agent in chosen:
        count = sum(name == agent for name in chosen[: len(ids)])
        ids.append(f"{agent}-{count + 1}" if count or agent in TAKEN else agent)
    plain = [name.replace(".", "_").replace(":", "_") for name in ids]
    return in_order(
        Step(
            id=plain[place],
            agent=chosen[place],
            task=_sentence(piece.text),
            after=tuple(plain[at] for at in sorted(piece.after if implied else piece.after - piece.implied)),
        )
        for place, piece in enumerate(pieces)
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _others(pieces: Sequence[Piece], chosen: Sequence[str], matcher: Matcher) -> list[Draft]:
    """Other drafts that the request allows: looser order, and the second-best agents."""
    found = []
    if any(piece.implied for piece in pieces):
        steps = _steps(pieces, chosen, implied=False)
        found.append(Draft(steps=steps, why="more at once: only the order that was asked for"))
    for place, piece in enumerate(pieces):
        rest = [one for one in matcher.candidates(piece.text) if one.agent != chosen[place]]
        if rest:
            other = [*chosen[:place], rest[0].agent, *chosen[place + 1 :]]
            why = f"{rest[0].agent} instead of {chosen[place]}"
            found.append(Draft(steps=_steps(pieces, other), why=why, score=rest[0].score))
    return found
