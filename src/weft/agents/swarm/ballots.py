"""Consensus: ballots in the manner of single-decree Paxos, with agents that decide what they vote for.

In each ballot every group of members that reach each other votes. Only a group with a quorum of all members can accept: it
then accepts the value of the highest ballot that any of its members has accepted before or, when there is none, the one that a
quorum votes for. Members whose message is lost do not accept. Two quorums share a member, so what a quorum has accepted is
what every later ballot accepts: there is one decision at most, whatever was cut or lost.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from weft.agents.swarm.answers import check_failures, choice_of, ids, normal, response_of
from weft.agents.swarm.network import contacts, from_hex, groups, to_hex
from weft.core.errors import RejectedError

Json = Any
_SHOWN = 10


def fresh(settings: Mapping[str, Json]) -> dict[str, Json]:
    """The state before the first ballot: votes and accepted values by member, as numbers of choices (-1: none)."""
    count = sum(len(ids(seat)) for seat in settings["seats"])
    return {
        "choices": list(settings.get("choices") or ()),
        "votes": [-1] * count,
        "accepted": [[0, -1]] * count,
        "knows": "0",
        "decision": None,
        "done": False,
    }


def call(settings: Mapping[str, Json], given: Mapping[str, Json], _: str) -> dict[str, Json]:
    """Who is asked in this ballot, by seat, and what each group is shown of its last votes.

    Everybody is asked at first. Later only those are whose vote stands against an agreement in their group, and nobody
    in a group that is too small to decide anything.
    """
    state = given["state"] or fresh(settings)
    votes, choices, needed = state["votes"], state["choices"], quorum(settings, len(state["votes"]))
    first = given["state"] is None
    tallies, wanted = [], {}
    for number, group in enumerate(groups(settings["network"], len(votes), given["iteration"] + 1)):
        counted = Counter(votes[place] for place in group if votes[place] >= 0)
        ranked = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
        tallies.append([{"choice": choices[choice], "votes": count} for choice, count in ranked[:_SHOWN]])
        leading = ranked[0][0] if ranked else -1
        hopeless = len(group) < needed or state["decision"] is not None
        for place in group:
            if first or (not hopeless and (votes[place] != leading or votes[place] < 0)):
                wanted[place] = number
    ask, place = {}, 0
    for seat in settings["seats"]:
        members = ids(seat)
        ask[seat["name"]] = [
            {"member": name, "group": wanted[place + offset]}
            for offset, name in enumerate(members)
            if place + offset in wanted
        ]
        place += len(members)
    return {"ask": ask, "tallies": tallies, "needed": needed}


def count(settings: Mapping[str, Json], given: Mapping[str, Json], seed: str) -> dict[str, Json]:
    """The ballot: votes are taken in, a group with a quorum may accept, and a decision spreads to those that reach it."""
    state = given["state"] or fresh(settings)
    choices, votes = list(state["choices"]), list(state["votes"])
    _take(settings, given, choices, votes)
    accepted = [list(each) for each in state["accepted"]]
    knows, decision = from_hex([state["knows"]])[0], state["decision"]
    ballot, network, needed = given["iteration"] + 1, settings["network"], quorum(settings, len(votes))
    parts = groups(network, len(votes), ballot)
    draw = random.Random(f"{seed}/accept")  # noqa: S311 -- repeatable on purpose
    for group in parts:
        proposal = proposed(group, votes, accepted, needed)
        if proposal is None:
            continue
        heard = [place for place in group if draw.random() >= (network.get("loss") or 0.0)]
        for place in heard:
            accepted[place] = [ballot, proposal]
        if len(heard) >= needed:
            decision = choices[proposal]
            knows |= sum(1 << place for place in heard)
    if state["decision"] is not None:
        # What was decided in an earlier ballot is passed on as gossip.
        before = knows
        for one, other in contacts(network, len(votes), ballot, settings["fanout"], seed):
            if (before >> one | before >> other) & 1:
                knows |= 1 << one | 1 << other
    everybody = (1 << len(votes)) - 1
    return {
        "choices": choices,
        "votes": votes,
        "accepted": accepted,
        "knows": to_hex([knows])[0],
        "decision": decision,
        "groups": len(parts),
        "done": decision is not None and knows == everybody,
        "tally": {choices[choice]: votes.count(choice) for choice in sorted({*votes} - {-1})},
    }


def proposed(group: Sequence[int], votes: Sequence[int], accepted: Sequence[Sequence[int]], needed: int) -> int | None:
    """What a group accepts: what its latest ballot accepted before, or else what a quorum of all members votes for."""
    if len(group) < needed:
        return None
    latest = max((tuple(accepted[place]) for place in group), default=(0, -1))
    if latest[0]:
        return latest[1]
    counted = Counter(votes[place] for place in group if votes[place] >= 0)
    return next((choice for choice, number in sorted(counted.items()) if number >= needed), None)


def quorum(settings: Mapping[str, Json], everybody: int) -> int:
    """How many members must vote for the same: more than half of all."""
    return max(settings.get("quorum") or 0, everybody // 2 + 1)


def result(settings: Mapping[str, Json], given: Mapping[str, Json], _: str) -> dict[str, Json]:
    """The decision, and in how many ballots it was made and known to all.

    Raises:
        RejectedError: there is none.
    """
    last, ballots = given["last"], given["ballots"]
    everybody = len(last["votes"])
    if last["decision"] is None:
        shown = ", ".join(f"{choice}: {number}" for choice, number in sorted(last["tally"].items())) or "no valid vote"
        needed = quorum(settings, everybody)
        raise RejectedError(
            f"no decision after {ballots} ballots: {needed} of {everybody} must agree ({shown})",
            fix="raise `max_ballots`, or offer fewer `choices`",
        )
    return {
        "response": last["decision"],
        "decision": last["decision"],
        "ballots": ballots,
        "members": everybody,
        "informed": from_hex([last["knows"]])[0].bit_count(),
        "converged": last["done"],
    }


def _take(settings: Mapping[str, Json], given: Mapping[str, Json], choices: list[str], votes: list[int]) -> None:
    """Put what those who were asked answered into `votes`; one that failed keeps its earlier vote."""
    check_failures(given["asked"])
    forms = {normal(choice): number for number, choice in enumerate(choices)}
    offered = settings.get("choices")
    place = 0
    for seat in settings["seats"]:
        members = ids(seat)
        places = {name: place + offset for offset, name in enumerate(members)}
        place += len(members)
        values = given["asked"].get(seat["name"]) or ()
        for item, value in zip(given["ask"][seat["name"]], values, strict=False):
            choice = choice_of(response_of(value), offered, "vote", "choice", "answer")
            if choice is None:
                continue
            if normal(choice) not in forms:
                forms[normal(choice)] = len(choices)
                choices.append(choice)
            votes[places[item["member"]]] = forms[normal(choice)]
