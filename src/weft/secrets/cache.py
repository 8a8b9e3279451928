"""Secrets that were read are kept for a while, so that a place is asked seldom, and not for ever, so that a new value is taken up."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from weft.core.clock import Clock
from weft.core.errors import AuthError, StepTimeoutError, UnsupportedError, WeftError
from weft.secrets.port import SecretRef, Source

_WAIT_S = 20.0
_OBJECTS = frozenset({"vault"})
"""Places whose secrets always are objects: one with a single text in it stands for that text."""
_GRACE = 2.0
"""A value that cannot be read anew is used until it is so many times as old as it may become."""


@dataclass(slots=True)
class _Kept:
    value: str
    at: float
    reading: bool = False


class Cache:
    """Implements `weft.secrets.port.Values` over sources by their names. `on_value` is told every value that is read."""

    def __init__(
        self,
        sources: Callable[[str], Source],
        clock: Clock,
        *,
        ttl_s: float,
        on_value: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._sources = sources
        self._clock = clock
        self._ttl_s = ttl_s
        self._on_value = on_value
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._lock = threading.Lock()

    def value(self, ref: SecretRef) -> str:
        """The value of a secret: as it was read a while ago at most. One that becomes old is read anew behind the scenes.

        Raises:
            WeftError: it cannot be read.
        """
        where = (ref.source, ref.key)
        with self._lock:
            kept = self._kept.get(where)
            age = self._clock.monotonic() - kept.at if kept is not None else 0.0
            late = kept is not None and age > self._ttl_s
            if kept is not None and age <= self._ttl_s * _GRACE:
                renew = late and not kept.reading
                kept.reading = kept.reading or renew
            else:
                kept, renew = None, False
        if kept is None:
            return _inside(self._wait(ref), ref)
        if renew:
            threading.Thread(target=self._renew, args=(ref,), daemon=True, name="weft-secret").start()
        return _inside(kept.value, ref)

    def known(self, ref: SecretRef) -> str:
        """Its value as far as it was read before; empty when it was not."""
        kept = self._kept.get((ref.source, ref.key))
        return kept.value if kept is not None else ""

    def warm(self, refs: Iterable[SecretRef]) -> None:
        """Read what will be needed, and is not known yet or old. It blocks.

        Raises:
            WeftError: one of them cannot be read.
        """
        for ref in refs:
            if ref.source != "env":
                kept = self._kept.get((ref.source, ref.key))
                if kept is None or self._clock.monotonic() - kept.at > self._ttl_s:
                    self._read(ref)

    def _wait(self, ref: SecretRef) -> str:
        """Read in a thread of its own: sources may have event loops of theirs."""
        found: list[str | WeftError] = []

        def read() -> None:
            try:
                found.append(self._read(ref))
            except WeftError as error:
                found.append(error)

        reader = threading.Thread(target=read, daemon=True, name="weft-secret")
        reader.start()
        reader.join(_WAIT_S)
        if not found:
            raise StepTimeoutError(f"the secret {ref.name!r} could not be read in time", fix="check where it is kept")
        if isinstance(found[0], WeftError):
            raise found[0]
        return found[0]

    def _renew(self, ref: SecretRef) -> None:
        try:
            self._read(ref)
        except WeftError:
            with self._lock:
                self._kept[ref.source, ref.key].reading = False  # tried again when it is asked for

    def _read(self, ref: SecretRef) -> str:
        value = self._sources(ref.source).read(ref.key)
        for secret in _texts(value):
            self._on_value(secret)
        with self._lock:
            self._kept[ref.source, ref.key] = _Kept(value, self._clock.monotonic())
        return value


def chosen(sources: Mapping[str, Callable[[], Source]]) -> Callable[[str], Source]:
    """A source by its name, made when it is first asked for."""
    made: dict[str, Source] = {}

    def source(name: str) -> Source:
        if name not in sources:
            raise UnsupportedError(f"secrets cannot come from {name!r}", fix=f"use one of {', '.join(sorted(sources))}")
        if name not in made:
            made[name] = sources[name]()
        return made[name]

    return source


def _texts(value: str) -> list[str]:
    """What is secret of a value: all of it, and when it is JSON every text in it."""
    found = [value]
    try:
        left: list[Any] = [json.loads(value)]
    except (ValueError, RecursionError):
        return found
    while left and len(found) < 1_000:
        one = left.pop()
        if isinstance(one, dict):
            left.extend(one.values())
        elif isinstance(one, list):
            left.extend(one)
        elif isinstance(one, str) and one:
            found.append(one)
    return found


def _inside(value: str, ref: SecretRef) -> str:
    """The part of a value that a reference means."""
    if not ref.path:
        return _single(value) if ref.source in _OBJECTS else value
    wrong = AuthError(f"the secret {ref.name!r} has nothing at {ref.path!r}", fix="check `path` under `env.secrets`")
    try:
        found: Any = json.loads(value)
        for part in ref.path.split("."):
            found = found[part]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise wrong from None
    if isinstance(found, str) and found:
        return found
    if isinstance(found, int | float) and not isinstance(found, bool):
        return str(found)
    raise wrong


def _single(value: str) -> str:
    """The one text in an object; the object itself when there is more in it."""
    found = json.loads(value)
    texts = list(found.values()) if isinstance(found, dict) else []
    return texts[0] if len(texts) == 1 and isinstance(texts[0], str) else value
