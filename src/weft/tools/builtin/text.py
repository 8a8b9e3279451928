"""Bytes of files as text."""

from __future__ import annotations

import codecs

from weft.core.errors import ToolError

_SNIFFED = 8192
_ENCODINGS = frozenset(
    {
        *("utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-16-le", "utf-32", "ascii"),
        *("iso8859-1", "iso8859-2", "iso8859-15", "cp1250", "cp1251", "cp1252", "koi8-r", "mac-roman"),
        *("big5", "cp932", "euc_jp", "euc_kr", "gb18030", "gbk", "shift_jis"),
    }
)


def is_binary(data: bytes) -> bool:
    """Whether `data` looks like no text in an encoding that keeps ASCII: it holds a null byte early on."""
    return b"\0" in data[:_SNIFFED]


def refuse_binary(data: bytes, path: str) -> None:
    """Say so instead of showing noise.

    Raises:
        ToolError: `data` is no text.
    """
    if is_binary(data):
        raise ToolError(f"{path!r} is a binary file", fix="choose a text file")


def decode(data: bytes, encoding: str, path: str, *, complete: bool) -> str:
    """`data` as text; when it is not `complete`, a character that is cut at its end is left out.

    Raises:
        ToolError: the encoding is unknown or is not that of the file.
    """
    try:
        name = codecs.lookup(encoding).name
    except (LookupError, ValueError) as error:
        raise _unknown(encoding) from error
    if name not in _ENCODINGS:
        raise _unknown(encoding)
    if name == "utf-8":
        refuse_binary(data, path)
    try:
        return codecs.getincrementaldecoder(name)().decode(data, final=complete)
    except UnicodeError as error:
        raise ToolError(f"{path!r} is not text in {name}", fix="give its encoding, for example latin-1") from error


def _unknown(encoding: str) -> ToolError:
    return ToolError(
        f"there is no text encoding {encoding[:50]!r}", fix="use utf-8, utf-16, latin-1, cp1252 or another"
    )
