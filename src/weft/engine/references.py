"""References inside the journal: what a composite passes on is named, not written a second time.

The value of a composite is mostly made of values that its steps have already put into the journal. In an event such a part
stands as ``{"$step": path}``, or ``{"$step": path, "at": key}`` for a member of it. A mapping of the user's that happens to use
these names is wrapped as ``{"$raw": …}``.
"""

from __future__ import annotations

from typing import Any

from weft.core.errors import MismatchError, Place

_LONG_TEXT = 64
"""Shorter texts are cheaper to repeat than to name."""
_RESERVED = ("$step", "$raw")


class References:
    """Knows which values came from which step, by identity: values are only ever used as decoded from the journal."""

    def __init__(self) -> None:
        self._names: dict[int, tuple[str, str | None]] = {}
        self._values: dict[str, Any] = {}

    def remember(self, path: str, value: Any) -> None:
        """`value` is what the step at `path` ended with."""
        self._values[path] = value
        if isinstance(value, dict):
            self._names[id(value)] = (path, None)
            for key, part in value.items():
                if isinstance(part, (dict, list)) or (isinstance(part, str) and len(part) > _LONG_TEXT):
                    self._names[id(part)] = (path, key)
        elif isinstance(value, list) or (isinstance(value, str) and len(value) > _LONG_TEXT):
            self._names[id(value)] = (path, None)

    def forget(self, path: str) -> None:
        """Nothing that is written from now on names the value of the step at `path`."""
        value = self._values.pop(path, None)
        for part in (value, *value.values()) if isinstance(value, dict) else (value,):
            if self._names.get(id(part), ("",))[0] == path:
                del self._names[id(part)]

    def name(self, value: Any) -> Any:
        """`value` with every part that a step has already recorded replaced by its name."""
        known = self._names.get(id(value))
        if known is not None:
            path, key = known
            return {"$step": path} if key is None else {"$step": path, "at": key}
        if isinstance(value, dict):
            named = {key: self.name(part) for key, part in value.items()}
            return {"$raw": named} if any(key in value for key in _RESERVED) else named
        if isinstance(value, list):
            return [self.name(part) for part in value]
        return value

    def restore(self, value: Any) -> Any:
        """The inverse of `name`: the very values that the steps ended with.

        Raises:
            MismatchError: a name stands for nothing that the journal has.
        """
        if isinstance(value, dict):
            if "$raw" in value:
                return {key: self.restore(part) for key, part in value["$raw"].items()}
            if "$step" in value:
                return self._look_up(value["$step"], value.get("at"))
            return {key: self.restore(part) for key, part in value.items()}
        if isinstance(value, list):
            return [self.restore(part) for part in value]
        return value

    def _look_up(self, path: str, key: str | None) -> Any:
        try:
            found = self._values[path]
            return found if key is None else found[key]
        except (KeyError, TypeError) as error:
            raise MismatchError(
                f"the journal refers to {path!r}, which it does not have",
                fix="`weft verify` checks the journal; restore the database from a backup",
                place=Place(path=path),
            ) from error
