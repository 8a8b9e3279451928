"""Writing files of the working folder."""

from __future__ import annotations

import codecs
from typing import Annotated, Any

from pydantic import Field

from weft.core.errors import ToolError
from weft.tools.builtin.jail import open_file, write_file
from weft.tools.port import ToolContext

_MOST = 4 * 1024 * 1024


def file_write(
    context: ToolContext,
    path: str,
    content: Annotated[str, Field(max_length=_MOST)],
    encoding: str = "utf-8",
    create_dirs: bool = False,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Write a text file in the working folder, as a whole or not at all. A file that is there is kept unless told otherwise.

    Args:
        context: What the call may use.
        path: Path of the file, relative to the working folder.
        content: The text.
        encoding: Text encoding of the file.
        create_dirs: Whether to make the folders that are missing.
        overwrite: Whether a file that is there with other content may be replaced.
    """
    try:
        data = content.encode(codecs.lookup(encoding).name)
    except LookupError as error:
        raise ToolError(f"there is no text encoding {encoding[:50]!r}", fix="use utf-8") from error
    except UnicodeError as error:
        raise ToolError(f"the text cannot be written as {encoding}", fix="use utf-8") from error
    fresh = write_file(
        context.workdir, path, data, overwrite=overwrite, create_folders=create_dirs, mark=context.key[:16]
    )
    # A call that is made again after a crash finds what it wrote, which is as good as writing it.
    if not fresh and not _is(context, path, data):
        raise ToolError(
            f"{path!r} is there already, with other content",
            fix="read it first; choose another path, or set overwrite to true to replace it",
        )
    return {"path": path, "bytes": len(data), "written": True}


def _is(context: ToolContext, path: str, data: bytes) -> bool:
    with open_file(context.workdir, path) as file:
        return file.read(len(data) + 1) == data
