"""What a place is in which secrets are kept, and what a reference to one says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRef:
    """Where a secret is found: `name` is what a workflow calls it, `key` what its `source` calls it.

    `path` leads to the value inside one that is JSON, with dots between. One that is `ours` is for tools of ours that ask for it
    by name: nothing that a workflow writes refers to it.
    """

    name: str
    key: str
    source: str = "env"
    path: str = ""
    ours: bool = False


class Source(Protocol):
    """A place in which secrets are kept."""

    def read(self, key: str) -> str:
        """The value under `key` now. It may block, and is called from a thread of its own.

        Raises:
            WeftError: there is none, or the place cannot be reached; the error holds nothing of any value.
        """
        ...


class Values(Protocol):
    """Secrets of all places but the environment."""

    def value(self, ref: SecretRef) -> str:
        """The value of a secret.

        Raises:
            WeftError: as for `Source.read`.
        """
        ...

    def known(self, ref: SecretRef) -> str:
        """Its value as far as it was read before; empty when it was not."""
        ...
