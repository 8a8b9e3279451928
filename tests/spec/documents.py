"""Documents that tests start from."""

from pathlib import Path

FILES = Path(__file__).parent / "files"

MINIMAL = """\
version: 0
name: demo
runtime:
  provider: openai
agents:
  writer:
    prompt: You write.
pattern:
  type: chain
  config:
    steps:
      - agent: writer
        input: Hello
"""


def tasks(text: str) -> str:
    """A document with the pattern `workflow` and these tasks."""
    head = MINIMAL[: MINIMAL.index("pattern:")]
    lines = "\n".join(f"      {line}" for line in text.strip().splitlines())
    return f"{head}pattern:\n  type: workflow\n  config:\n    tasks:\n{lines}\n"
