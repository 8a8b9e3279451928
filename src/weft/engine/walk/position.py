"""Where a machine's tokens stand, as JSON and back. Its size follows from the tokens and states, never from how far they came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weft.engine.walk.tokens import Game, Past, Token


def to_json(game: Game) -> dict[str, Any]:
    """The position, which `restore` reads back. Pasts that tokens share are in it once."""
    pasts: dict[int, int] = {}
    written: list[dict[str, Any]] = []

    def number(past: Past) -> int:
        if id(past) not in pasts:
            pasts[id(past)] = len(written)
            written.append(_past(past))
        return pasts[id(past)]

    tokens = [token for queue in game.waiting.values() for token in queue]
    return {
        "visits": dict(game.visits),
        "waiting": [[token.to, *token.sent_by, token.group, number(token.past)] for token in tokens],
        "live": [[name, visit, number(past)] for name, (visit, past) in game.live.items()],
        "ended": {name: number(past) for name, past in game.ended.items()},
        "pasts": written,
    }


def restore(game: Game, data: Mapping[str, Any]) -> None:
    """Put the tokens where `data` says that they stood."""
    pasts = [_read(each) for each in data["pasts"]]
    game.visits = dict(data["visits"])
    game.ended = {name: pasts[place] for name, place in data["ended"].items()}
    game.live = {name: (visit, pasts[place]) for name, visit, place in data["live"]}
    game.waiting = {}
    for to, state, visit, group, place in data["waiting"]:
        game.waiting.setdefault(to, []).append(Token(to, (state, visit), group, pasts[place]))


def _past(past: Past) -> dict[str, Any]:
    return {
        "seen": {state: list(latest) for state, latest in past.seen.items()},
        "names": {name: [*visit, value] for name, (visit, value) in past.names.items()},
        "talks": {talk: list(paths) for talk, paths in past.talks.items()},
    }


def _read(data: Mapping[str, Any]) -> Past:
    return Past(
        {state: (visit, value) for state, (visit, value) in data["seen"].items()},
        {name: ((state, visit), value) for name, (state, visit, value) in data["names"].items()},
        {talk: tuple(paths) for talk, paths in data["talks"].items()},
    )
