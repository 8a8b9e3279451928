"""Users, roles and keys: who may do what, and what is kept of a key."""

from __future__ import annotations

from dataclasses import replace

import pytest

from weft.app.flags import FLAGS, Flags
from weft.app.identity import PREFIX, Identity, common
from weft.app.rights import ROLES
from weft.core.clock import SystemClock
from weft.core.errors import AuthError, ConflictError, InputError, NotFoundError
from weft.store.journal import Journal


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "journal.db")
    yield journal
    journal.close()


@pytest.fixture
def identity(journal):
    return Identity(journal, SystemClock())


async def test_a_key_is_shown_once_and_only_its_hash_is_kept(identity, journal, tmp_path):
    await identity.add_user("ann", "Ann", "approver")
    key, shown = await identity.new_key("ann", "laptop", "approver")
    assert shown.startswith(PREFIX)
    known = identity.known(shown)
    assert known.owner.principal == "ann"
    assert known.rights == ROLES["approver"]
    journal.writer.drain()
    for file in tmp_path.iterdir():
        assert not file.is_file() or shown.encode() not in file.read_bytes()
    assert journal.identities.keys(principal="ann") == [key]


@pytest.mark.parametrize("shown", ["", "weft_", "weft_guessed", "other"])
async def test_what_is_no_key_is_refused(identity, shown):
    with pytest.raises(AuthError):
        identity.known(shown)


async def test_a_key_that_is_taken_back_or_over_counts_no_more(identity, journal):
    await identity.add_user("ann", "Ann", "developer")
    key, shown = await identity.new_key("ann", "a", "developer")
    await identity.revoke(key.id)
    with pytest.raises(AuthError):
        identity.known(shown)
    _, short = await identity.new_key("ann", "b", "developer", days=0)
    with pytest.raises(AuthError):
        identity.known(short)
    with pytest.raises(NotFoundError):
        await identity.revoke("none")


async def test_a_disabled_user_has_no_keys(identity):
    user = await identity.add_user("ann", "Ann", "developer")
    _, shown = await identity.new_key("ann", "a", "developer")
    await identity.change_user(replace(user, disabled=True))
    with pytest.raises(AuthError):
        identity.known(shown)
    with pytest.raises(InputError):
        await identity.new_key("ann", "b", "developer")


async def test_a_key_may_do_what_its_user_may_and_no_more(identity):
    user = await identity.add_user("ann", "Ann", "developer")
    _, shown = await identity.new_key("ann", "a", "viewer")
    assert identity.known(shown).rights == ROLES["viewer"]
    with pytest.raises(InputError):
        await identity.new_key("ann", "b", "admin")
    await identity.change_user(replace(user, role="approver"))
    assert identity.known(shown).rights == common(ROLES["viewer"], ROLES["approver"])


async def test_users_have_one_of_the_roles_and_ids_of_their_own(identity):
    with pytest.raises(InputError):
        await identity.add_user("ann", "Ann", "boss")
    await identity.add_user("ann", "Ann", "viewer")
    with pytest.raises(ConflictError):
        await identity.add_user("ann", "Ann", "viewer")
    assert [one.id for one in identity.users()] == ["local", "ann"]


async def test_a_flag_is_set_and_seen_by_another_process_within_a_moment(journal, tmp_path):
    flags, clock = Flags(journal, SystemClock()), SystemClock()
    assert flags.value("runs.accept") is True
    await flags.set("runs.accept", False, principal="ann")
    assert flags.value("runs.accept") is False
    other = Journal(tmp_path / "journal.db")
    assert Flags(other, clock).value("runs.accept") is False
    other.close()
    await flags.set("runs.accept", None, principal="ann")
    assert flags.value("runs.accept") is FLAGS["runs.accept"].default


@pytest.mark.parametrize(("name", "value"), [("runs.accept", 1), ("runs.open_most", True), ("runs.open_most", -1)])
async def test_a_flag_takes_only_what_is_of_its_type(journal, name, value):
    with pytest.raises(InputError):
        await Flags(journal, SystemClock()).set(name, value, principal="ann")


async def test_a_flag_that_is_none_is_told_with_one_that_is(journal):
    with pytest.raises(NotFoundError) as caught:
        await Flags(journal, SystemClock()).set("run.accept", True, principal="ann")
    assert "runs.accept" in caught.value.fix
