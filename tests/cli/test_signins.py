"""``weft signins``: a session of a browser is seen and ended from the machine, and that it was is noted."""

import asyncio
import os
from pathlib import Path

from weft.app.admission.cookies import Cookies, Sealed
from weft.app.identity import Identity, Known
from weft.core.clock import SystemClock
from weft.core.owner import Owner
from weft.store.journal import Journal


def signed_in(home, name):
    clock = SystemClock()
    journal = Journal(home / "journal.db")
    cookies = Cookies(Sealed(home, clock), Identity(journal, clock), journal, clock, hours=1)
    asyncio.run(cookies.enter(Known(Owner("north", name), frozenset(), "viewer"), "login", "Browser/\x1b[1m1"))
    journal.close()


def test_a_session_is_listed_and_ended(weft):
    for name in ("ann", "bo"):
        signed_in(Path(os.environ["WEFT_HOME"]), name)
    assert weft("signins", "list", "--json").json["signins"] == []
    found = weft("signins", "list", "--tenant", "north", "--json").json["signins"]
    assert [(one["user"], one["how"]) for one in found] == [("bo", "login"), ("ann", "login")]
    table = weft("signins", "list", "--tenant", "north", "--user", "ann").out
    assert found[1]["id"][:8] in table
    assert "\x1b" not in table
    assert weft("signins", "end", found[1]["id"]).code == 17
    assert weft("signins", "end", found[1]["id"], "--tenant", "north").code == 0
    left = weft("signins", "list", "--tenant", "north", "--json").json["signins"]
    assert [one["user"] for one in left] == ["bo"]
    [entry] = weft("audit", "list", "--tenant", "north", "--json").json["entries"]
    assert (entry["act"], entry["target"]) == ("signin.end", f"signin/{found[1]['id']}")
