"""The chain of the audit log: what exactly is hashed, and the check that finds the first entry that does not fit.

An entry's body is JSON with its fields in the order that `body` has, without white space, as UTF-8, and names the hash of the entry before it. Its
hash is the SHA-256 of that body. A line of an export is the body with the hash as its last field, so a check needs no other form.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from json.encoder import encode_basestring as quoted
from typing import Any, NamedTuple

GENESIS = "0" * 64
"""What stands for the hash of an entry before the first one."""
_HASHED = ',"hash":"'
_CHANGED = "it, or the one before it, is not what was written"
_TAIL = len(_HASHED) + 64 + len('"}')
_PREV = ',"prev":"'
_HEADS = 100_000
"""So many heads an export may have; one of CloudWatch's has one for each time that something was sent."""
_BEFORE = _TAIL + len(_PREV) + 64 + len('"')
"""How far from the end of a line its `prev` begins."""


class Row(NamedTuple):
    """An entry as it is stored; `data` is JSON, `at` microseconds."""

    tenant: str
    seq: int
    at: int
    principal: str
    act: str
    target: str
    outcome: str
    data: str
    hash: str = ""


def body(row: Row, prev: str) -> bytes:
    """What is hashed of an entry that follows the one with the hash `prev`."""
    tenant, seq, at, principal, act, target, outcome, data, _ = row
    # One long literal: anything else takes twice the time, and this is what a proof spends most of its time with.
    return (
        f'{{"seq":{seq},"at":{at},"tenant":{quoted(tenant)},"principal":{quoted(principal)},"act":{quoted(act)},'
        f'"target":{quoted(target)},"outcome":{quoted(outcome)},"data":{data}{_PREV}{prev}"}}'
    ).encode()


def line(row: Row, prev: str) -> bytes:
    """The line of an export that holds this entry."""
    return body(row, prev)[:-1] + f'{_HASHED}{row.hash}"}}'.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The end of a chain, and who vouches for it: `signature` (Base64) is that of `statement` with the key of the id `key`."""

    tenant: str
    seq: int
    hash: str
    at: int
    key: str
    signature: str = ""

    def statement(self) -> bytes:
        """What is signed."""
        return (
            '{"weft-audit-head":1,"tenant":%s,"seq":%d,"hash":"%s","at":%d,"key":"%s"}'  # noqa: UP031 -- JSON is full of braces
            % (quoted(self.tenant), self.seq, self.hash, self.at, self.key)
        ).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check of a chain found. `bad` is the number of the first entry that does not fit, `reason` says how."""

    tenant: str
    first: int = 1
    entries: int = 0
    hash: str = GENESIS
    bad: int | None = None
    reason: str = ""

    @property
    def last(self) -> int:
        """The number of the last entry that fits."""
        return self.first + self.entries - 1


def check_rows(tenant: str, pages: Iterable[Sequence[Row]]) -> Finding:
    """Check the entries of a tenant as they are stored, the oldest first, in pages; plain tuples in the order of `Row` do."""
    prev, expected = GENESIS, 1
    try:
        for row in chain.from_iterable(pages):
            if row[1] != expected:
                return _bad(tenant, 1, expected, prev, _out_of_order(expected, row[1]))
            if sha256(body(row, prev)).hexdigest() != row[8]:
                return _bad(tenant, 1, expected, prev, _CHANGED)
            prev = row[8]
            expected += 1
    except TypeError:  # SQLite keeps bytes for a text, or a text for a number
        return _bad(tenant, 1, expected, prev, _CHANGED)
    return Finding(tenant=tenant, entries=expected - 1, hash=prev)


def check_lines(lines: Iterable[bytes]) -> tuple[Finding, list[tuple[bytes, int, str]]]:
    """Check the lines of an export, the oldest first; the second part of the answer is the heads in it, each with the number and hash before it.

    An export may begin later than the first entry: then the first line says what it follows. Behind a head more entries may stand,
    as where several exports were put together, and their head; behind the last one there is nothing.
    """
    prev, first, expected, tenant = GENESIS, 1, 1, ""
    begun, heads = False, list[tuple[bytes, int, str]]()
    for raw in lines:
        text = raw.rstrip(b"\r\n")
        if not text and heads:
            continue
        if not begun:
            entry = _read(text)
            begun = True
            if entry is not None:
                tenant, first = entry["tenant"], entry["seq"]
                expected, prev = first, GENESIS if first == 1 else entry["prev"]
        hash_ = sha256(text[:-_TAIL] + b"}").hexdigest()
        if not _fits(text, tenant, expected, prev, hash_):
            if text.startswith(b'{"head":') and len(heads) < _HEADS:
                heads.append((text, expected - 1, prev))
                continue
            return _bad(tenant, first, expected, prev, _misfit(text, tenant, expected, prev)), heads
        prev = hash_
        expected += 1
    return Finding(tenant=tenant, first=first, entries=expected - first, hash=prev), heads


def export(rows: Iterable[Row], prev: str) -> Iterator[bytes]:
    """The lines of an export, without the head; `prev` is the hash before the first of them."""
    for row in rows:
        yield line(row, prev)
        prev = row.hash


def _read(text: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(text)
        fits = isinstance(entry["seq"], int) and isinstance(entry["tenant"], str) and isinstance(entry["prev"], str)
        return entry if fits and text[-_TAIL:] == f'{_HASHED}{entry["hash"]}"}}'.encode() else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _fits(text: bytes, tenant: str, expected: int, prev: str, hash_: str) -> bool:
    """Whether a line is the entry `expected`: told from the places that its form fixes, for reading JSON takes longer than hashing it."""
    at = text.find(b",", 8 + len(str(expected)))
    return (
        text.startswith(b'{"seq":%d,"at":' % expected)
        and text.startswith(f',"tenant":{quoted(tenant)},'.encode(), at)
        and text[-_BEFORE:-_TAIL] == f'{_PREV}{prev}"'.encode()
        and text[-_TAIL:] == f'{_HASHED}{hash_}"}}'.encode()
    )


def _misfit(text: bytes, tenant: str, expected: int, prev: str) -> str:
    """What is wrong with a line that is to be the entry `expected`."""
    entry = _read(text)
    if entry is None:
        return "its line cannot be read"
    if entry["seq"] != expected:
        return _out_of_order(expected, entry["seq"])
    if entry["tenant"] != tenant:
        return "it is another tenant's"
    return "it does not follow the one before it" if entry["prev"] != prev else "it is not what was written"


def _bad(tenant: str, first: int, expected: int, prev: str, reason: str) -> Finding:
    return Finding(tenant=tenant, first=first, entries=expected - first, hash=prev, bad=expected, reason=reason)


def _out_of_order(expected: int, found: int) -> str:
    return "it is missing" if found > expected else f"entry {found} stands in its place"
