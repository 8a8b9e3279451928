"""What Postgres complains of: which errors pass by themselves, and all of them in our words."""

from __future__ import annotations

import psycopg

from weft.core.errors import InputError, InternalError, StorageError, WeftError

_LOST = ("08", "57P0", "25P03", "25P04")
_CLASH = ("40001", "40P01")
_MEANINGS = (
    ("53100", "the disk of {where} is full", "free some space there, then `weft resume` the run"),
    ("53", "{where} has no room for more ({what})", "raise max_connections there, or run fewer processes"),
    ("25006", "{where} is read-only", "point store.url at the server that takes writes"),
    ("28", "{where} does not let us in ({what})", "correct the user or the password in store.url"),
    ("3D000", "{where} is not there ({what})", "make it with `createdb`, or correct store.url"),
    ("42501", "{where} does not let us do that ({what})", "give the user of store.url the rights to it"),
    ("55P03", "{where} is locked by another program", "end its long transaction, then try again"),
    ("58", "the disk of {where} fails ({what})", "check that disk, its free space and its rights"),
    ("XX", "{where} is damaged ({what})", "restore it from a backup: `weft db restore`"),
)
"""By the beginnings of the server's codes: what each means, and what to do."""
_SAID = (("authentication failed", "28"), ("does not exist", "3D000"), ("too many", "53"))
"""A server that refuses a connection gives no code, only words."""


def lost(error: Exception) -> bool:
    """Whether the connection is gone, or the server is about to end it: what was not committed is undone."""
    if not isinstance(error, psycopg.OperationalError):
        return False
    return error.sqlstate is None or error.sqlstate.startswith(_LOST)


def clash(error: Exception) -> bool:
    """Whether two transactions got into each other's way, and this one was chosen to make room."""
    return isinstance(error, psycopg.OperationalError) and error.sqlstate in _CLASH


def in_our_words(error: psycopg.Error, where: str) -> WeftError:
    """What the driver or the server says, as an error that says what to do."""
    what = _brief(error)
    state = error.sqlstate or next((code for said, code in _SAID if said in what), "")
    for code, meaning, fix in _MEANINGS:
        if state.startswith(code):
            return StorageError(meaning.format(where=where, what=what), fix=fix)
    if lost(error):
        return StorageError(f"{where} cannot be reached ({what})", fix="see that it runs, then try again")
    if isinstance(error, psycopg.DataError) and (state == "22021" or "NUL" in what):
        return InputError("a text has a character in it that Postgres cannot hold, such as NUL", fix="leave it out")
    if isinstance(error, psycopg.InternalError):
        return InternalError(f"{where}: {what}", fix="this is a defect: please report it")
    return StorageError(f"the database {where} refused: {what}", fix="run `weft doctor`")


def _brief(error: psycopg.Error) -> str:
    """Its first line; details may repeat what somebody's run holds."""
    text = error.diag.message_primary or str(error)
    return text.strip().partition("\n")[0][:200]
