"""Proving the audit log: from the database, or from an export that was taken elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from weft.app.auditing.keys import is_signed
from weft.core.errors import InputError, NotFoundError
from weft.store.audit import Audit
from weft.store.audit_chain import GENESIS, Finding, Head, check_lines, check_rows, export

_MAX_LINE = 1_048_576
_NUMBER = re.compile(rb'\{"seq":([0-9]{1,18}),')


def verify(audit: Audit, key: Ed25519PublicKey, *, kept: Sequence[Head] = ()) -> list[Finding]:
    """Check the log of every tenant, as it is stored, against its signed head and against heads that were kept elsewhere."""
    found = []
    for tenant in audit.tenants():
        # Read before the entries: what is added meanwhile comes after it.
        head = audit.head(tenant)
        finding = against(check_rows(tenant, audit.pages(tenant)), head, key)
        if finding.bad is None and head is not None and audit.hash_of(tenant, head.seq) != head.hash:
            finding = replace(finding, bad=head.seq, reason="it is not the one that was signed")
        for known in kept:
            if finding.bad is None and known.tenant == tenant and audit.hash_of(tenant, known.seq) != known.hash:
                finding = replace(finding, bad=known.seq, reason="the head that was kept says otherwise")
        found.append(finding)
    return found


def verify_file(file: Path, key: Ed25519PublicKey, *, kept: Sequence[Head] = ()) -> Finding:
    """Check an export.

    Raises:
        InputError: it cannot be read.
    """
    seen: dict[int, str] = {}
    wanted = {known.seq for known in kept}
    finding, heads = check_lines(_watched(_lines(file), wanted, seen))
    if finding.bad is not None:
        return finding
    for text, last, hash_ in heads:
        # Each vouches for what stands before it, the last one for everything.
        head = head_from(text)
        part = against(replace(finding, entries=last - finding.first + 1, hash=hash_), head, key)
        if part.bad is None and (head.seq, head.hash) != (last, hash_):
            part = replace(part, bad=head.seq, reason="it is not the one that was signed")
        if part.bad is not None:
            return part
    if not heads or heads[-1][1] < finding.last:
        return against(finding, None, key)
    for known in kept:
        if known.tenant == finding.tenant and seen.get(known.seq) != known.hash:
            return replace(finding, bad=known.seq, reason="the head that was kept says otherwise")
    return finding


def against(finding: Finding, head: Head | None, key: Ed25519PublicKey) -> Finding:
    """A finding, once the signed head has been heard."""
    if finding.bad is not None:
        return finding
    if head is None:
        return replace(finding, bad=finding.last + 1, reason="the signed head is missing: entries may be cut off")
    if head.tenant != finding.tenant or not is_signed(head, key):
        return replace(finding, bad=head.seq, reason="the head is not signed with the key of this log")
    if finding.last < head.seq:
        return replace(
            finding, bad=finding.last + 1, reason=f"it is cut off: the signed head says that there are {head.seq}"
        )
    return finding


def lines(audit: Audit, tenant: str, *, after: int = 0) -> Iterator[bytes]:
    """The export of a tenant's log: an entry a line, and the signed head as the last one.

    Raises:
        NotFoundError: there is no entry with the number `after`.
    """
    prev = GENESIS if not after else audit.hash_of(tenant, after)
    if prev is None:
        raise NotFoundError(
            f"there is no entry {after} in the audit log", fix="take a number that `weft audit list` shows"
        )
    head = audit.head(tenant)
    if head is None:
        return
    within = (row for row in audit.rows(tenant, after=after) if row.seq <= head.seq)
    yield from export(within, prev)
    yield head_line(head)


def head_line(head: Head) -> bytes:
    """A head as a line of its own."""
    own = asdict(head)
    signature = own.pop("signature")
    return json.dumps({"head": own, "signature": signature}, separators=(",", ":"), ensure_ascii=False).encode()


def head_from(text: bytes) -> Head:
    """The head in a line.

    Raises:
        InputError: there is none.
    """
    try:
        read: dict[str, Any] = json.loads(text)
        head = Head(**read["head"], signature=read["signature"])
        texts = (head.tenant, head.hash, head.key, head.signature)
        if not all(type(one) is str for one in texts) or not all(type(one) is int for one in (head.seq, head.at)):
            raise TypeError
        head.statement()
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            "there is no head of an audit log in it", fix="take a line that `weft audit head` printed"
        ) from error
    return head


def _lines(file: Path) -> Iterator[bytes]:
    try:
        with file.open("rb") as opened:
            while text := opened.readline(_MAX_LINE):
                yield text
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}", fix="name an export of the audit log") from error


def _watched(texts: Iterator[bytes], wanted: set[int], seen: dict[int, str]) -> Iterator[bytes]:
    """The same lines; what is wanted of them is remembered."""
    if not wanted:
        yield from texts
        return
    for text in texts:
        yield text
        # The line before was found to be in order when the next one is asked for: then its form says where its number and its hash stand.
        number = _NUMBER.match(text)
        if number is not None and int(number[1]) in wanted:
            seen[int(number[1])] = text.rstrip(b"\r\n")[-66:-2].decode("ascii", "replace")
