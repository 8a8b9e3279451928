"""The store that the settings name, with the keys that seal it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Literal

from weft.app.parts import load
from weft.core.clock import SystemClock
from weft.core.errors import AuthError
from weft.core.settings import Settings
from weft.store.data_keys import Keys
from weft.store.journal import Journal
from weft.store.sealing import keyless

Told = Callable[[str], object]


def open_journal(
    settings: Settings,
    *,
    durability: Literal["full", "fast"] | None = None,
    keyless_too: bool = False,
    on_key: Told = lambda _: None,
) -> Journal:
    """Open it; `on_key` is told each master key, so that it is masked.

    `keyless_too` opens a sealed store without a key as well, for looks that open nothing.

    Raises:
        StorageError: the database cannot be opened, or it is sealed and the right key is not given.
        WeftError: the key cannot be read.
    """
    seal = keyring(settings, on_key)
    journal = Journal(settings.journal, durability=durability or settings.durability, seal=seal)
    if seal is None and not keyless_too and journal.is_sealed():
        journal.close()
        raise keyless()
    return journal


def keyring(settings: Settings, on_key: Told = lambda _: None) -> Keys | None:
    """The keys that the settings name, if they name any.

    Raises:
        InputError: one is no master key.
        WeftError: one cannot be read.
    """
    named = settings.encryption
    if named.key is None:
        return None
    module = load("keyring")
    masters = [module.MasterKey.read(_value(reference, settings, on_key)) for reference in (named.key, *named.older)]
    made: Keys = module.Keyring(masters[0], masters[1:], writes=named.write == "sealed", days=named.days)
    return made


def _value(reference: str, settings: Settings, on_key: Told) -> str:
    source, _, rest = reference.partition(":")
    key, _, path = rest.partition("#")
    if source == "env":
        value = os.environ.get(key, "")
    else:
        ref = load("secrets-port").SecretRef(name="encryption", key=key, source=source, path=path)
        value = load("secret-sources").secret_cache(settings, SystemClock(), on_key).value(ref)
    if not value:
        raise AuthError(
            f"the master key of the store is to be in the environment variable {key}, which is not set",
            fix=f"set {key}, or correct encryption.key",
        )
    on_key(value.strip())
    return value
