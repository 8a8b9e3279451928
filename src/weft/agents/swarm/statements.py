"""Debates: what was said, and whether those who said it agree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weft.agents.swarm.answers import as_object, heard, normal, said

Json = Any
_MARK = "position:"
_POSITION = 300


def listen(settings: Mapping[str, Json], given: Mapping[str, Json], _: str) -> dict[str, Json]:
    """One round: the ``statements`` with the position of each, and whether all positions are the same."""
    longest = settings["max_chars"]
    statements = []
    for one in heard(settings["seats"], given["asked"]):
        text = said(one.response, "statement", "argument", "answer")
        statements.append(
            {
                "member": one.member,
                "agent": one.agent,
                "text": text[:longest],
                "position": _position(one.response, text)[:_POSITION],
            }
        )
    positions = {normal(each["position"]) for each in statements}
    agreed = len(positions) == 1 and "" not in positions
    return {"statements": statements, "agreed": agreed, "position": statements[0]["position"] if agreed else ""}


def _position(response: Json, text: str) -> str:
    """What the speaker stands for: its field, or what follows the last line that begins with ``Position:``."""
    found = (as_object(response) or {}).get("position")
    if isinstance(found, str):
        return found.strip()
    lines = [line.strip() for line in text.splitlines()]
    marked = [line[len(_MARK) :].strip() for line in lines if line.lower().startswith(_MARK)]
    return marked[-1] if marked else ""


def result(_: Mapping[str, Json], given: Mapping[str, Json], __: str) -> dict[str, Json]:
    """The outcome: what the judge said, or the position that all agree on, or everybody's last words."""
    last, verdict = given["last"], given.get("verdict")
    response = verdict
    if response is None:
        response = last["position"] or "\n\n".join(f"{each['member']}: {each['text']}" for each in last["statements"])
    return {"response": response, "agreed": last["agreed"], "position": last["position"], "rounds": given["rounds"]}
