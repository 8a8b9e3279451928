"""Registered workflows as files: each version in a folder of its own, which nothing named in it leaves and no run of it writes to."""

from __future__ import annotations

import os
from pathlib import Path

_SERVED = "served"
_FILE = "workflow.yaml"
_TOP = "weft.toml"
"""An empty one marks the top folder of a project: what a workflow refers to lies inside."""
_NEW = ".new"
_WORK = "files"


def copy_of(home: Path, tenant: str, digest: str, source: str) -> Path:
    """The file with the text of a version, made, or put right when it holds anything else."""
    file = _own(home / _SERVED / tenant / digest[:32]) / _FILE
    try:
        as_it_was = file.read_text(encoding="utf-8") == source
    except (OSError, UnicodeDecodeError):
        as_it_was = False
    if not as_it_was:
        part = file.with_name(f".{os.getpid()}.part")
        part.write_text(source, encoding="utf-8")
        part.replace(file)
    return file


def folder_for_new(home: Path) -> Path:
    """The folder in which a text that is no version yet is looked at: an empty one."""
    return _own(home / _SERVED / _NEW)


def working_folder(home: Path, file: Path) -> Path:
    """Where the tools of a workflow work: in the folder of its file, or below it if that is the copy of a version."""
    # Looking at links takes time, at each start of a run.
    if f"/{_SERVED}/" not in str(file) or not file.resolve().is_relative_to((home / _SERVED).resolve()):
        return file.parent
    folder = file.resolve().parent
    work = folder / _WORK
    work.mkdir(mode=0o700, parents=True, exist_ok=True)  # what is made for one request has no copy
    return work


def _own(folder: Path) -> Path:
    if not (folder / _TOP).exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / _TOP).touch()
    return folder
