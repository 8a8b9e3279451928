"""What a run leaves, as artifacts of its task: the answer, as text or data, and its files."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from a2a.types import a2a_pb2

from weft.core.event import Event
from weft.engine.fold import fold
from weft.server.a2a.messages import data_part, file_part, text_part

ANSWER = "answer"
MAX_INLINE = 4 * 1024 * 1024
"""Bytes of files that go along with a task; larger ones are named by their address."""
_LINK = frozenset({"url", "media_type", "filename"})


def answer_artifact(value: Any) -> a2a_pb2.Artifact:
    """The answer of a run: text, data, or a link (an object of ``url``, ``media_type``, ``filename``)."""
    return a2a_pb2.Artifact(artifact_id=ANSWER, name=ANSWER, parts=[_part(value)])


def _part(value: Any) -> a2a_pb2.Part:
    if isinstance(value, str):
        return text_part(value)
    if isinstance(value, Mapping) and isinstance(value.get("url"), str) and value.keys() <= _LINK:
        return a2a_pb2.Part(
            url=value["url"], media_type=str(value.get("media_type") or ""), filename=str(value.get("filename") or "")
        )
    return data_part(value)


def artifacts(events: list[Event], run_id: str, url: str) -> list[a2a_pb2.Artifact]:
    """The artifacts of a run with these events; `url` is where files that are too large are found."""
    outputs = fold(events).outputs
    response = outputs.get("response") if isinstance(outputs, Mapping) else outputs
    found = [] if response in (None, "") else [answer_artifact(response)]
    return [*found, *_files(events, run_id, url)]


def _files(events: list[Event], run_id: str, url: str) -> Iterator[a2a_pb2.Artifact]:
    room = MAX_INLINE
    for written in _written(events).values():
        relative, file = str(written["path"]), Path(str(written["file"]))
        media_type = mimetypes.guess_type(relative)[0] or "application/octet-stream"
        size = int(written["bytes"])
        content = _read(file, size) if size <= room else None
        if content is None:
            address = f"{url}/api/v1/runs/{run_id}/artifacts/{quote(relative)}"
            part = a2a_pb2.Part(url=address, media_type=media_type, filename=relative)
        else:
            room -= size
            part = file_part(relative, content, media_type)
        yield a2a_pb2.Artifact(artifact_id=f"file:{relative}", name=relative, parts=[part])


def _written(events: list[Event]) -> dict[str, Mapping[str, Any]]:
    """The files that artifact steps wrote, by path, in the order in which they were."""
    found: dict[str, Mapping[str, Any]] = {}
    for event in events:
        value = event.data.get("value") if event.kind == "step.completed" and isinstance(event.data, Mapping) else None
        if (
            isinstance(value, Mapping)
            and value.keys() >= {"path", "file", "bytes", "sha256"}
            and "/write[" in event.path
        ):
            found[str(value["path"])] = value
    return found


def _read(file: Path, size: int) -> bytes | None:
    try:
        with file.open("rb") as opened:
            content = opened.read(size + 1)
    except OSError:
        return None
    return content if len(content) == size else None
