"""The example of four services that ask one another."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
def test_four_services_on_free_ports_answer_a_question_together():
    command = [sys.executable, str(ROOT / "examples" / "a2a" / "run.py"), "When should the ferry leave?"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["reasoning", "rag", "planning", "orchestrator"]
    assert {"reasoning is at work", "rag is at work", "planning is at work"} <= {line[11:] for line in lines}
    assert "A ferry that leaves at six" in done.stdout
    assert lines[-1].strip() == "completed"
