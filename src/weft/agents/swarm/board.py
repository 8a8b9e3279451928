"""Blackboards: sections with versions, and one winner of every conflict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weft.agents.swarm.answers import as_object, normal, response_of, said
from weft.core.errors import LimitError

Json = Any
_LONGEST = 50_000
_NOTHING = frozenset({"", "nothing", "nothing to add", "no change", "no changes", "none", "unchanged"})


def begin(settings: Mapping[str, Json], given: Mapping[str, Json], _: str) -> dict[str, Json]:
    """The empty board: each section with what stands there at the beginning, at version 0."""
    del settings
    sections = {name: {"text": str(text)[:_LONGEST], "version": 0, "by": ""} for name, text in given["initial"].items()}
    return {"changes": sections}


def merge(settings: Mapping[str, Json], given: Mapping[str, Json], _: str) -> dict[str, Json]:
    """One round: ``changes`` to the board, ``conflicts`` that were lost, and for whom there is ``news``.

    All writers saw the same versions. Of several that write one section the one declared first wins; the others see what it
    wrote in the next round.
    """
    board, writers = given["board"], settings["writers"]
    changes: dict[str, Json] = {}
    conflicts = []
    asked = [writer["name"] for writer in writers if given["asked"].get(writer["name"]) is not None]
    for writer in writers:
        wanted = _writes(response_of(given["asked"].get(writer["name"])), writer["writes"])
        for section, text in wanted.items():
            if text == board[section]["text"]:
                continue
            if section in changes:
                if changes[section]["text"] != text:
                    conflicts.append({"section": section, "lost": writer["name"], "won": changes[section]["by"]})
                continue
            changes[section] = {"text": text, "version": board[section]["version"] + 1, "by": writer["name"]}
    lost = {each["lost"] for each in conflicts}
    authors = {change["by"] for change in changes.values()}
    news = {writer["name"]: writer["name"] in lost or bool(authors - {writer["name"]}) for writer in writers}
    return {"changes": changes, "conflicts": conflicts, "asked": asked, "news": news, "stable": not changes}


def _writes(response: Json, allowed: list[str]) -> dict[str, str]:
    """What an agent wants to write, by section; what it may not write is left out."""
    found = as_object(response)
    if found is not None:
        texts = ((name, found.get(name)) for name in allowed)
        return {name: text.strip()[:_LONGEST] for name, text in texts if isinstance(text, str) and text.strip()}
    text = said(response)
    if len(allowed) == 1 and normal(text) not in _NOTHING:
        return {allowed[0]: text[:_LONGEST]}
    return {}


def result(settings: Mapping[str, Json], given: Mapping[str, Json], _: str) -> dict[str, Json]:
    """The board at the end, as text and as sections.

    Raises:
        LimitError: it was still changing after the last round, and that is not allowed.
    """
    board, last = given["board"], given["last"]
    if not last["done"] and settings["on_limit"] == "fail":
        raise LimitError(
            f"the board still changes after {given['rounds']} rounds: {', '.join(sorted(last['changes']))}",
            fix="raise `max_rounds`, or give each section one writer",
        )
    text = "\n\n".join(f"## {name}\n\n{board[name]['text']}" for name in settings["sections"])
    return {"response": text, "stable": last["stable"], "rounds": given["rounds"]}
