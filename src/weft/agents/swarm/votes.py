"""Votes: counting them, and the rules by which an answer wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from weft.agents.swarm.answers import as_object, choice_of, heard, normal, response_of
from weft.core.errors import RejectedError

Json = Any
_REASON = 2_000


def count(settings: Mapping[str, Json], given: Mapping[str, Json], _: str) -> dict[str, Json]:
    """One round: ``votes`` by member, the ``tally``, and the ``winner`` (null when the rule names none)."""
    choices = settings.get("choices")
    votes = []
    forms: dict[str, str] = {}
    for one in heard(settings["seats"], given["asked"]):
        choice = None if one.response is None else choice_of(one.response, choices, "choice", "vote", "answer")
        if choice is not None:
            # The form in which an answer came first stands for all that differ from it in form only.
            choice = forms.setdefault(normal(choice), choice)
        votes.append(
            {
                "member": one.member,
                "agent": one.agent,
                "choice": choice,
                "weight": one.weight,
                "reason": _reason(one.response),
            }
        )
    tally = tallied(votes, choices, weighted=settings["rule"] == "weighted")
    return {"votes": votes, "tally": tally, "winner": winner(settings, votes, tally)}


def tallied(votes: Sequence[Mapping[str, Json]], choices: Sequence[str] | None, *, weighted: bool) -> dict[str, float]:
    """Votes, or their weight, by choice; choices that nobody took have none."""
    sums: dict[str, float] = dict.fromkeys(choices or (), 0)
    for vote in votes:
        if vote["choice"] is not None:
            sums[vote["choice"]] = sums.get(vote["choice"], 0) + (vote["weight"] if weighted else 1)
    return sums


def winner(settings: Mapping[str, Json], votes: Sequence[Mapping[str, Json]], tally: Mapping[str, float]) -> str | None:
    """The choice that wins by the rule, if one does. Members that did not vote, or for nothing there is, count as well."""
    first, second = [*sorted(tally.values(), reverse=True), 0, 0][:2]
    if not first or first == second:
        return None
    rule = settings["rule"]
    everyone = sum(vote["weight"] for vote in votes) if rule == "weighted" else len(votes)
    needed = {
        "unanimous": everyone,
        "quorum": settings.get("quorum") or len(votes) // 2 + 1,
        "plurality": 0,
        "judge": 0,
    }
    enough = first > everyone / 2 if rule in {"majority", "weighted"} else first >= needed[rule]
    leading = next(choice for choice, value in tally.items() if value == first)
    return leading if enough and rule != "judge" else None


def result(settings: Mapping[str, Json], given: Mapping[str, Json], _: str) -> dict[str, Json]:
    """The outcome of all rounds, and of the judge when one was asked.

    Raises:
        RejectedError: nothing has won.
    """
    last, ruling = given["last"], response_of(given.get("ruling"))
    chosen, decided_by = last["winner"], settings["rule"]
    if chosen is None and ruling is not None:
        options = settings.get("choices") or list(last["tally"]) or None
        chosen, decided_by = choice_of(ruling, options, "choice", "vote", "answer"), "judge"
        if chosen is None and settings.get("choices") is None:
            chosen = choice_of(ruling, None, "choice", "vote", "answer")
    if chosen is None:
        shown = ", ".join(f"{choice}: {value:g}" for choice, value in last["tally"].items()) or "no valid vote"
        raise RejectedError(
            f"the vote has no winner by the rule {settings['rule']!r} ({shown})",
            fix="give the vote more `rounds`, a `judge`, or a weaker rule",
        )
    return {"response": chosen, "winner": chosen, "decided_by": decided_by, "rounds": given["rounds"]}


def _reason(response: Json) -> str:
    found = as_object(response) or {}
    reason = found.get("reason")
    return reason[:_REASON] if isinstance(reason, str) else ""
