"""A whole store in one file, whatever database it is in, and back again, also into the other kind.

The file is gzip over lines of JSON: what it holds, then row after row, then how many rows there were and a hash over all lines
before, so that a file that was cut off or changed is never taken for a store.
"""

from __future__ import annotations

import gzip
import json
import os
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from itertools import groupby, islice
from pathlib import Path
from typing import Any, cast

from weft.core.errors import ConflictError, InputError, MismatchError, StorageError
from weft.store.port import Database
from weft.store.schema import HEAD
from weft.store.service_tables import metadata

_FORMAT = 1
_LONGEST = 1 << 30
_CHUNK = 500


def back_up(database: Database, file: Path, *, at: int) -> dict[str, int]:
    """Write everything that is stored at this moment into a new file; how many rows of each table.

    Raises:
        ConflictError: the file is there already.
        StorageError: it cannot be written, or the database cannot be read.
    """
    if file.exists():
        raise ConflictError(f"{file} is there already", fix="name a new file, or move that one away")
    made = file.with_name(f"{file.name}.{os.getpid()}.new")
    try:
        # What runs were given and have answered is in it: it is its owner's business.
        fd = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as raw:
            with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=3, mtime=0) as out:
                counts = _write(database, out, at)
            raw.flush()
            os.fsync(raw.fileno())
        made.rename(file)
    except OSError as error:
        raise StorageError(f"{file} cannot be written: {error.strerror}", fix="free space or name another") from error
    finally:
        made.unlink(missing_ok=True)
    return counts


def restore(database: Database, file: Path) -> dict[str, int]:
    """Fill an empty database with what a file holds; how many rows of each table. All of it is there afterwards, or nothing.

    Raises:
        InputError: the file is no backup.
        ConflictError: the database holds something.
        MismatchError: the file is incomplete or was changed, or comes from a newer Weft.
        StorageError: the file cannot be read, or the database refuses.
    """
    _demand_empty(database)
    try:
        with gzip.open(file, "rb") as lines:
            head = _head(lines.readline(_LONGEST), file)
            older = head["schema"] != HEAD
            if older:
                database.migrate(head["schema"])
            try:
                return _load(database, head, cast("Iterable[bytes]", lines), file)
            finally:
                if older:
                    database.migrate("head")
    except (OSError, EOFError) as error:
        what = getattr(error, "strerror", None) or str(error)
        raise StorageError(
            f"{file} cannot be read: {what}", fix="give a file that `weft db backup` has made"
        ) from error


def _write(database: Database, out: gzip.GzipFile, at: int) -> dict[str, int]:
    digest = sha256()

    def line(value: Any) -> None:
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=True).encode() + b"\n"
        digest.update(text)
        out.write(text)

    tables = {table.name: [column.name for column in table.columns] for table in metadata.sorted_tables}
    line({"weft_backup": _FORMAT, "schema": HEAD, "at": at, "tables": tables})
    counts = dict.fromkeys(tables, 0)
    with database.snapshot() as rows:
        for name, columns in tables.items():
            listed = ", ".join(f'"{column}"' for column in columns)
            for row in rows(f'SELECT {listed} FROM "{name}"'):  # noqa: S608 -- our own names
                line([name, *map(_plain, row)])
                counts[name] += 1
    line({"rows": counts, "sha256": digest.hexdigest()})
    return counts


def _head(line: bytes, file: Path) -> Mapping[str, Any]:
    try:
        head: Mapping[str, Any] = json.loads(line)
        known = head["weft_backup"] == _FORMAT and isinstance(head["tables"], dict)
        newer = str(head["schema"]) > HEAD
        names = [name for table, columns in head["tables"].items() for name in (table, *columns)]
    except (ValueError, KeyError, TypeError):
        known, newer, head, names = False, False, {}, []
    if not known or not all(name.isidentifier() for name in names):
        raise InputError(f"{file} is no backup of a store", fix="give a file that `weft db backup` has made")
    if newer:
        raise MismatchError(
            f"{file} is of schema {head['schema']}, newer than this Weft understands ({HEAD})",
            fix="use the Weft that wrote it",
        )
    return {**head, "line": line}


def _load(database: Database, head: Mapping[str, Any], lines: Iterable[bytes], file: Path) -> dict[str, int]:
    counts: Counter[str] = Counter()
    with database.loading() as connection:
        for name, rows in groupby(_rows(head, lines, file), key=lambda row: row[0]):
            columns = head["tables"].get(name)
            if columns is None:
                raise _broken(file)
            listed = ", ".join(f'"{column}"' for column in columns)
            insert = f'INSERT INTO "{name}" ({listed}) VALUES ({",".join("?" * len(columns))})'  # noqa: S608 -- checked names
            for chunk in _chunks(rows):
                if any(len(row) != len(columns) + 1 for row in chunk):
                    raise _broken(file)
                connection.executemany(insert, [tuple(row[1:]) for row in chunk])
                counts[name] += len(chunk)
    return {name: counts[name] for name in head["tables"]}


def _rows(head: Mapping[str, Any], lines: Iterable[bytes], file: Path) -> Iterator[list[Any]]:
    """The rows, once the last line has shown that they are all there and as they were written."""
    digest = sha256(head["line"])
    counts: Counter[str] = Counter()
    for line in lines:
        try:
            value = json.loads(line)
            if isinstance(value, dict):
                whole = value["sha256"] == digest.hexdigest()
                if whole and value["rows"] == {name: counts[name] for name in head["tables"]}:
                    return
                break
            row = [value[0], *map(_stored, value[1:])]
        except (ValueError, KeyError, TypeError, IndexError):
            break
        digest.update(line)
        counts[str(row[0])] += 1
        yield row
    raise _broken(file)


def _broken(file: Path) -> MismatchError:
    return MismatchError(f"{file} is incomplete or was changed", fix="use another backup; nothing was restored")


def _demand_empty(database: Database) -> None:
    with database.reading() as connection:
        for table in metadata.sorted_tables:
            if connection.execute(f'SELECT 1 FROM "{table.name}" LIMIT 1').fetchone():  # noqa: S608 -- our own names
                raise ConflictError(
                    f"{database.path} holds something already (in {table.name})",
                    fix="restore into a new home or an empty database",
                )


def _plain(value: Any) -> Any:
    return {"b": b64encode(value).decode()} if isinstance(value, bytes) else value


def _stored(value: Any) -> Any:
    return b64decode(value["b"], validate=True) if isinstance(value, dict) else value


def _chunks(rows: Iterator[list[Any]]) -> Iterator[list[list[Any]]]:
    while chunk := list(islice(rows, _CHUNK)):
        yield chunk
