"""A new agent in a file of its own, with schemas, an example and a test: it runs at once, without a key or a network."""

from __future__ import annotations

import json
import re
from pathlib import Path

from weft.core.errors import InputError, StorageError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_AGENT = """\
version: 0
name: {name}
description: {capability} ({domain}).
metadata:
  labels:
    strands.io/agent_type: atomic
    strands.io/domain: {domain}
    strands.io/capability: {capability}
runtime:
  provider: offline
  model_id: extract
inputs:
  required:
    text: string
agents:
  {name}:
    prompt: >
      You work in the domain {domain}. Your task is to {capability} the text that you are given, from what it says alone.
    tools: []
    input_schema: schemas/input.json
    output_schema: schemas/output.json
pattern:
  type: chain
  config:
    steps:
      - agent: {name}
        input: "{{{{ text }}}}"
"""
_INPUT = {"type": "object", "properties": {"text": {"type": "string", "minLength": 1}}, "required": ["text"]}
_OUTPUT = {"type": "object", "properties": {"summary": {"type": "string"}}, "required": ["summary"]}
_EXAMPLE = {"text": "The ferry leaves at six. From May on it leaves at five, because the tide table has changed."}
_TESTS = """\
- name: answers in its form
  input: examples/sample.json
  expect:
    output_schema: true
    checks:
      - has_keys: [summary]
      - max_length: 2000
"""


def write_agent(folder: Path, name: str, *, domain: str, capability: str, force: bool) -> list[Path]:
    """Write the files of an agent below ``agents/atomic`` in `folder`, and return them.

    Raises:
        InputError: the name, the domain or the capability cannot stand in a file.
        StorageError: files are there already, or the folder refuses.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"{name[:100]!r} is not a name for an agent", fix="use letters, digits and . _ -")
    for text in (domain, capability):
        if not re.fullmatch(r"[\w][\w .,/-]{0,99}", text):
            raise InputError(f"{text[:100]!r} cannot stand in the file", fix="use a few plain words")
    base = folder / "agents" / "atomic" / name
    files = {
        base / f"{name}.yaml": _AGENT.format(name=name, domain=domain, capability=capability),
        base / "schemas" / "input.json": json.dumps(_INPUT, indent=2) + "\n",
        base / "schemas" / "output.json": json.dumps(_OUTPUT, indent=2) + "\n",
        base / "examples" / "sample.json": json.dumps(_EXAMPLE, indent=2) + "\n",
        base / "tests.yaml": _TESTS,
    }
    taken = [str(path) for path in files if path.exists() or path.is_symlink()]
    if taken and not force:
        raise StorageError(f"these are there already: {', '.join(taken)}", fix="choose another name, or add --force")
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"cannot write into {base}: {error.strerror or error}", fix="choose a folder that you may write to"
        ) from error
    return list(files)
