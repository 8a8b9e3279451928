"""Gossip: facts spread by push and pull between members, each of which may refuse to believe them.

What a member knows is a set of fact numbers. In a round all exchanges start from what was known before it, so their order
makes no difference; and sets only grow, so a partition delays what is known and loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from weft.agents.swarm.answers import as_object, check_failures, heard, ids, normal, response_of, said
from weft.agents.swarm.network import contacts, from_hex, groups, to_hex
from weft.core.errors import InputError, LimitError

Json = Any
_FACT = 2_000
_MOST = 16_000_000
_REFUSED = frozenset({"none", "nothing", "no"})


def begin(settings: Mapping[str, Json], given: Mapping[str, Json], _: str) -> dict[str, Json]:
    """Who knows what at the beginning: the given facts, one member after the other, or what each member answered."""
    names = _names(settings)
    known = [0] * len(names)
    facts: list[dict[str, Json]] = []
    told = given.get("facts")
    if told is not None:
        first = [(place % len(names), str(text)) for place, text in enumerate(told)]
    else:
        answers = heard(settings["seats"], given["asked"])
        first = [(place, said(one.response, "fact", "answer")) for place, one in enumerate(answers)]
    for place, text in first:
        if not text:
            continue
        fact = next((at for at, each in enumerate(facts) if each["text"] == text[:_FACT]), None) if told else None
        if fact is None:
            fact = len(facts)
            facts.append({"text": text[:_FACT], "by": names[place]})
        known[place] |= 1 << fact
    if len(facts) * len(names) > _MOST:
        raise InputError(
            f"{len(facts)} facts among {len(names)} members are too many", fix="give fewer facts or fewer members"
        )
    return {"facts": facts, "known": to_hex(known), "refused": to_hex([0] * len(names)), "converged": False}


def exchange(settings: Mapping[str, Json], given: Mapping[str, Json], seed: str) -> dict[str, Json]:
    """One round of push and pull. ``news`` is what members have heard and not judged yet, by seat, for those that judge."""
    state, number = given["state"], given["iteration"] + 1
    known, refused = from_hex(state["known"]), from_hex(state["refused"])
    after, sent = known.copy(), 0
    network = settings["network"]
    for one, other in contacts(network, len(known), number, settings["fanout"], seed):
        both = known[one] | known[other]
        after[one] |= both & ~refused[one]
        after[other] |= both & ~refused[other]
        sent += 2
    value: dict[str, Json] = {
        "refused": state["refused"],
        "groups": len(groups(network, len(known), number)),
        "messages": sent,
    }
    if settings["judges"]:
        value["news"] = _news(settings["seats"], known, after, given["facts"])
        value["known"] = state["known"]
        return value | {"converged": False}
    return value | {"known": to_hex(after), "converged": settled(after, refused)}


def accept(settings: Mapping[str, Json], given: Mapping[str, Json], _: str) -> dict[str, Json]:
    """The end of a round in which members judged what they had heard."""
    state, asked = given["state"], given["asked"]
    known, refused = from_hex(state["known"]), from_hex(state["refused"])
    check_failures(asked)
    place = 0
    for seat in settings["seats"]:
        members = ids(seat)
        places = {name: place + offset for offset, name in enumerate(members)}
        place += len(members)
        for item, value in zip(state["news"][seat["name"]], asked.get(seat["name"]) or (), strict=False):
            at, offered = places[item["member"]], int(item["bits"], 16)
            response = response_of(value)
            if response is None:
                # It has not judged; whoever it meets next will tell it again.
                continue
            believed = _believed(response, offered, len(item["facts"]))
            known[at] |= believed
            refused[at] |= offered & ~believed
    kept = {name: state[name] for name in ("groups", "messages")}
    return kept | {"known": to_hex(known), "refused": to_hex(refused), "converged": settled(known, refused)}


def settled(known: Sequence[int], refused: Sequence[int]) -> bool:
    """Whether every member has heard of every fact that anybody knows."""
    everything = 0
    for each in known:
        everything |= each
    return all(everything & ~(mine | no) == 0 for mine, no in zip(known, refused, strict=True))


def result(settings: Mapping[str, Json], given: Mapping[str, Json], _: str) -> dict[str, Json]:
    """The facts with how many know them, and whether all have heard everything.

    Raises:
        LimitError: they have not, after the last round, and that is not allowed.
    """
    state, rounds = given["state"], given["rounds"]
    if not state["converged"] and settings["on_limit"] == "fail":
        raise LimitError(
            f"after {rounds} rounds not everybody has heard everything",
            fix="raise `max_rounds` or `fanout`, or write `on_limit: finish`",
        )
    known = from_hex(state["known"])
    facts = [{**fact, "known": sum(each >> number & 1 for each in known)} for number, fact in enumerate(given["facts"])]
    shown = "\n".join(f"- {fact['text']} ({fact['known']} of {len(known)})" for fact in facts)
    return {
        "response": shown,
        "facts": facts,
        "members": len(known),
        "rounds": rounds,
        "converged": state["converged"],
    }


def _names(settings: Mapping[str, Json]) -> list[str]:
    return [name for seat in settings["seats"] for name in ids(seat)]


def _news(
    seats: Sequence[Mapping[str, Json]], known: Sequence[int], after: Sequence[int], facts: Sequence[Mapping[str, Json]]
) -> dict[str, Json]:
    news: dict[str, Json] = {}
    place = 0
    for seat in seats:
        items = []
        for name in ids(seat):
            fresh = after[place] & ~known[place]
            if fresh:
                texts = [fact["text"] for number, fact in enumerate(facts) if fresh >> number & 1]
                items.append({"member": name, "bits": f"{fresh:x}", "facts": texts})
            place += 1
        news[seat["name"]] = items
    return news


def _believed(response: Json, offered: int, count: int) -> int:
    """Which of the offered facts an answer accepts: the numbers under ``accept``, from 1; plain words accept all or none."""
    found = as_object(response)
    if found is None:
        return 0 if normal(said(response)) in _REFUSED else offered
    accepted = found.get("accept")
    if not isinstance(accepted, list):
        return offered if accepted not in (False, None) else 0
    wanted = {number for number in accepted if isinstance(number, int) and 1 <= number <= count}
    bits = [number for number in range(offered.bit_length()) if offered >> number & 1]
    return sum(1 << bit for order, bit in enumerate(bits, 1) if order in wanted)
