"""The table of rights is what the page shows and what the service asks for."""

import re
from pathlib import Path

from weft.app.rights import RIGHTS, ROLES, table

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_shows_the_table_of_the_code():
    assert table() in (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def test_every_right_that_is_asked_for_exists_and_every_one_is_asked_for():
    source = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "src/weft/server").rglob("*.py"))
    asked = set(re.findall(r'"((?:[a-z]+):(?:read|write|start|decide|any|use))"', source))
    assert asked == RIGHTS.keys()


def test_roles_are_what_they_were_made_for():
    assert ROLES["viewer"] < ROLES["approver"] < ROLES["developer"]
    assert not any(right.endswith((":write", ":start", ":decide")) for right in ROLES["viewer"])
    assert "users:write" not in ROLES["operator"] | ROLES["developer"]
