"""With WEFT_TEST_SEALED=1, every journal that a test opens without a key is sealed with the key of tests."""

from __future__ import annotations

import os

import pytest

_PLAIN = ("test_hash_chain", "test_schema", "test_postgres_schema")
"""Modules that look at rows as they are in plain."""


@pytest.fixture(autouse=bool(os.environ.get("WEFT_TEST_SEALED")))
def all_sealed(request, monkeypatch):
    """Every journal that the test opens is sealed."""
    if request.module.__name__.endswith(_PLAIN):
        return
    from weft.store.journal import Journal  # noqa: PLC0415 -- most tests need none of this
    from weft.testing.keys import keyring  # noqa: PLC0415 -- same

    opened = Journal.__init__

    def open_(self, *args, seal=None, **kwargs):
        opened(self, *args, seal=seal or keyring(), **kwargs)

    monkeypatch.setattr(Journal, "__init__", open_)
    monkeypatch.setattr("weft.app.opening.keyring", lambda *_: keyring())
