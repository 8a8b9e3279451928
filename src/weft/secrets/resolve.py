"""References to secrets, resolved at the moment of use.

Workflows, plans and journals hold ``{"$secret": name}`` or ``${name}``; only who performs an effect asks for the value.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from weft.core.errors import AuthError, PolicyError, UnsupportedError
from weft.core.masking import KnownValues
from weft.secrets.port import SecretRef, Values

__all__ = ["SecretRef", "Secrets", "references"]

_REFERENCE = re.compile(r"\$\{([A-Za-z0-9._:-]{1,200})\}")
_KEY = "$secret"
_OURS, _FOR_CLIENTS = "WEFT_", frozenset({"WEFT_TOKEN"})
"""What our own settings begin with; some of them open everything that is kept. With the latter one, clients call a service."""


class Secrets:
    """The secrets that a workflow declares.

    Their values are masked wherever they turn up, given out or not (a tool may read the environment or a file by itself), and so
    are those in `also_masked`. Neither ``repr`` nor errors hold them. `on_resolve` is told each value that is given out,
    once, so that redaction elsewhere knows it too; `on_read` is told once which secret it was, `on_mask` that some were taken out.

    `values` knows those that other places than the environment keep.

    Raises:
        UnsupportedError: a reference names a source other than ``env``, and there are no `values`.
    """

    def __init__(
        self,
        refs: Iterable[SecretRef] = (),
        *,
        environ: Mapping[str, str] | None = None,
        on_resolve: Callable[[str], object] | None = None,
        on_read: Callable[[SecretRef], object] | None = None,
        on_mask: Callable[[], object] | None = None,
        also_masked: Iterable[str] = (),
        values: Values | None = None,
    ) -> None:
        # One that the workflow declares is meant instead of one of ours that has the same name.
        self._refs = {ref.name: ref for ref in sorted(refs, key=lambda ref: not ref.ours)}
        self._declared = frozenset(name for name, ref in self._refs.items() if not ref.ours)
        self._environ = os.environ if environ is None else environ
        self._on_resolve = on_resolve
        self._on_read = on_read
        self._on_mask = on_mask
        self._given: set[str] = set()
        self._values = values
        declared = (
            self._environ.get(ref.key, "") if ref.source == "env" else values.known(ref) if values is not None else ""
            for ref in self._refs.values()
        )
        self._known = KnownValues((*also_masked, *declared))
        for ref in self._refs.values():
            if ref.source != "env" and values is None:
                raise UnsupportedError(
                    f"the secret {ref.name!r} comes from {ref.source!r}, which this version cannot read",
                    fix="use `source: env`",
                )

    def __repr__(self) -> str:
        return f"Secrets({', '.join(sorted(self._refs))})"

    def names(self) -> frozenset[str]:
        """The names that are declared."""
        return self._declared

    def resolve(self, name: str) -> str:
        """The value of the secret `name`.

        Raises:
            AuthError: it is not declared, or its environment variable is not set or empty.
        """
        ref = self._refs.get(name)
        if ref is None:
            raise _unknown(name)
        if ref.source != "env":
            assert self._values is not None, "refused when it was made"
            value = self._values.value(ref)
            self._remember(ref, value)
            return value
        if ref.key.startswith(_OURS) and ref.key not in _FOR_CLIENTS:
            raise PolicyError(
                f"the environment variable {ref.key} is a setting of Weft itself, and no secret of a workflow",
                fix="keep what the workflow needs in a variable of its own",
            )
        value = self._environ.get(ref.key, "")
        if not value:
            raise AuthError(
                f"the environment variable {ref.key} is not set; the secret {name!r} needs it",
                fix=f"set it before the run: export {ref.key}=…",
            )
        self._remember(ref, value)
        return value

    def expand(self, text: str) -> str:
        """`text` with each ``${name}`` replaced by the value of that secret.

        Raises:
            AuthError: as `resolve`.
        """
        return _REFERENCE.sub(lambda match: self._written(match[1]), text)

    def fill(self, value: Any) -> Any:
        """JSON with each ``{"$secret": name}`` in it replaced by the value of that secret; texts stay as they are.

        Raises:
            AuthError: as `resolve`.
        """
        if isinstance(value, Mapping):
            if set(value) == {_KEY}:
                return self._written(str(value[_KEY]))
            return {key: self.fill(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.fill(item) for item in value]
        return value

    def mask(self, text: str) -> str:
        """`text` without the secrets, plain or as JSON, URLs and Base64 write them."""
        clean = self._known.text(text)
        self._tell(text, clean)
        return clean

    def mask_json(self, value: Any) -> Any:
        """JSON with every text in it masked, keys too."""
        clean = self._known.json(value)
        self._tell(value, clean)
        return clean

    def _written(self, name: str) -> str:
        """The value of a secret to which something refers that a workflow, a model or a tool wrote."""
        if name not in self._declared:
            raise _unknown(name)
        return self.resolve(name)

    def _tell(self, value: Any, clean: Any) -> None:
        if self._on_mask is not None and clean is not value and clean != value:
            self._on_mask()

    def _remember(self, ref: SecretRef, value: str) -> None:
        if value in self._given:
            return
        self._given.add(value)
        self._known.register(value)
        if self._on_resolve is not None:
            self._on_resolve(value)
        if self._on_read is not None:
            self._on_read(ref)


def references(text: str) -> list[str]:
    """The names of the secrets to which a text refers as ``${name}``."""
    return _REFERENCE.findall(text)


def _unknown(name: str) -> AuthError:
    return AuthError(f"no secret is called {name!r}", fix="declare it under `env.secrets`")
