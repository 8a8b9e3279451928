"""``weft init``."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from weft.cli.options import AsJson
from weft.cli.terminal import clean, say, say_json
from weft.core.errors import StorageError

_FILES = {
    "workflow.yaml": "workflow.yaml",
    "documents/harbour.md": "harbour.md",
    "documents/ferry.md": "ferry.md",
    "weft.toml": "weft.toml",
    ".gitignore": "gitignore",
}
"""What a project starts with, and the file of `weft.cli.starter` that it is made from."""


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder of the project; it is made when it is not there.")
    ] = Path(),
    as_json: AsJson = False,
) -> None:
    """Make a project to start from: a workflow, documents, settings. It runs at once, and nothing is ever overwritten."""
    taken = [name for name in _FILES if (folder / name).exists() or (folder / name).is_symlink()]
    if taken:
        raise StorageError(
            f"{folder} has these already: {', '.join(taken)}", fix="choose another folder: `weft init DIR`"
        )
    try:
        for name, source in _FILES.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                file.write((files("weft.cli.starter") / source).read_bytes())
    except OSError as error:
        raise StorageError(
            f"cannot write into {folder}: {error.strerror or error}", fix="choose a folder that you may write to"
        ) from error
    if as_json:
        say_json({"folder": str(folder.resolve()), "files": list(_FILES)})
        return
    for name in _FILES:
        say(f"wrote {clean(str(folder / name))}")
    steps = ["weft run workflow.yaml", "weft show last"]
    if folder.resolve() != Path.cwd():
        steps.insert(0, f"cd {folder}")
    say("Next:\n  " + "\n  ".join(steps))
