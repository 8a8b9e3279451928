"""What the pages show is what happens: snippets run, documents are valid, commands and options exist."""

import ast
import asyncio
import inspect
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import warnings

import pytest

from tests.cli.conftest import TOOLS, steps
from tests.docs.pages import BLOCKS, INDENTED, PAGES, ROOT, blocks, prose, shown_commands
from tests.ports import free_port
from tests.processes import PIPE, start, write_program
from weft.cli.commands import COMMANDS
from weft.cli.group import built
from weft.core.settings import load_settings
from weft.spec.load import check_text

KNOWN = {"sh", "console", "yaml", "toml", "json", "python", "text", "mermaid"}
NOTES = re.compile(r"|after-kill|not-run: .{8,}|file=[\w.-]+")
MEASURED = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}"), "ID"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"), "TIME"),
    (re.compile(r"  [\d.,]+ (?:ms|s)\b"), ""),
    (re.compile(r"took [\d.,]+ m?s"), "took"),
    (re.compile(r"[\d,]+ tokens"), "N tokens"),
)
"""What differs between two runs of the same commands."""


def ids(block):
    return str(block)


def test_every_block_says_what_it_is_and_none_escapes():
    assert [str(b) for b in BLOCKS if b.language not in KNOWN or not NOTES.fullmatch(b.note)] == []


def test_commands_stand_in_blocks_that_are_run():
    loose = [
        f"{page.relative_to(ROOT)}: {line.strip()}"
        for page in PAGES
        for part in INDENTED.findall(prose(page))
        for line in part.splitlines()
        if line.strip().startswith(("weft ", "pip ", "export ", "scripts/"))
    ]
    assert loose == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_on_a_page_exists_with_its_options(page):
    wrong = []
    for words in shown_commands(page):
        name = next((word for word in words if not word.startswith("-")), "")
        entry = COMMANDS.get(name)
        rest = words[words.index(name) + 1 :] if name else []
        if entry is None:
            if name and name.isalpha() and name.islower():
                wrong.append(f"no command: weft {' '.join(words)}")
            continue
        if entry.members:
            entry = entry.members.get(next(iter(rest), entry.piped))
            if entry is None:
                wrong.append(f"no command: weft {' '.join(words)}")
                continue
        known = {option for param in built("x", entry).params for option in param.opts} | {"--help", "-h", "--server"}
        wrong += [
            f"{word}: weft {' '.join(words)}" for word in rest if re.match(r"--?[a-z]", word) and word not in known
        ]
    assert wrong == []


@pytest.mark.parametrize("block", blocks("yaml"), ids=ids)
def test_workflows_are_valid(block):
    report = check_text(block.text, str(block))
    assert (report.problems, report.unsupported) == ((), ())


@pytest.mark.parametrize("block", blocks("json"), ids=ids)
def test_json_can_be_read(block):
    json.loads(block.text)


@pytest.mark.parametrize("block", blocks("toml"), ids=ids)
def test_settings_are_settings(block, tmp_path, monkeypatch):
    monkeypatch.setenv("WEFT_HOME", str(tmp_path / "home"))
    (tmp_path / "weft.toml").write_text(block.text, encoding="utf-8")
    given = set(tomllib.loads(block.text))
    assert given <= load_settings(tmp_path).model_fields_set


@pytest.mark.slow
@pytest.mark.parametrize("block", [one for one in blocks("python") if one.page.name != "clients.md"], ids=ids)
def test_python_runs(block, tmp_path, monkeypatch):
    monkeypatch.setenv("WEFT_HOME", str(tmp_path / "home"))
    # A client of MCP hands a program this alone.
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code = compile("\n" * block.line + block.text, str(block.page), "exec", flags=flags, dont_inherit=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        outcome = eval(code, {"__name__": "snippet"})
        if inspect.iscoroutine(outcome):
            asyncio.run(outcome)


class Shell:
    """One folder as a checkout has it, one home, and one place where the commands of a page stand, from block to block."""

    def __init__(self, folder):
        self.folder = self.here = folder / "checkout"
        self.folder.mkdir()
        shutil.copytree(ROOT / "examples", self.folder / "examples")
        (self.folder / "napping.py").write_text(TOOLS, encoding="utf-8")
        programs = folder / "bin"
        programs.mkdir()
        write_program(programs / "weft")
        (programs / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
        (programs / "python").chmod(0o755)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("WEFT_", "OPENAI_"))}
        self.environ = kept | {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(self.folder)]),
            "PYTHONUTF8": "1",
            "WEFT_HOME": str(folder / "home"),
            "WEFT_TOOLS__ALLOWED_MODULES": "napping",
        }

    def run(self, script: str, *, may_fail: bool = False) -> str:
        """What `script` prints, both streams together; the first command that fails ends it and, unless it may, the test."""
        whole = f"set -e\ncd '{self.here}'\n{script}\npwd > '{self.folder}/.here'\n"
        done = subprocess.run(
            ["/bin/sh", "-c", whole],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            env=self.environ,
        )
        assert may_fail or done.returncode == 0, f"{script}\n{done.stdout}"
        if done.returncode == 0:
            self.here = (self.folder / ".here").read_text(encoding="utf-8").strip()
        return done.stdout

    def kill_a_run(self) -> None:
        """Leave a run whose process was killed in its second step."""
        (self.folder / "naps.yaml").write_text(steps(("one", 0), ("two", 20)), encoding="utf-8")
        process = start(["run", "naps.yaml"], cwd=self.folder, env=self.environ, stdout=subprocess.DEVNULL, stderr=PIPE)
        deadline = time.monotonic() + 60
        for line in process.stderr:
            if "begin   /two" in line or time.monotonic() > deadline:
                break
        process.send_signal(signal.SIGKILL)
        process.communicate()
        text = TOOLS.replace("time.sleep(seconds)", "pass")
        (self.folder / "napping.py").write_text(text, encoding="utf-8")


def blurred(text: str) -> str:
    for pattern, word in MEASURED:
        text = pattern.sub(word, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def exchanges(text: str):
    """The commands of a console block, each with what it printed; a lone ``…`` stands for more lines."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, said = part.partition("\n")
        pattern = "\n".join(".*" if line == "…" else re.escape(line) for line in blurred(said).splitlines())
        yield command, re.compile(pattern, re.DOTALL)


SHELL_PAGES = [page for page in PAGES if any(b.page == page for b in blocks("sh", "console"))]


@pytest.mark.slow
@pytest.mark.parametrize("page", SHELL_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_work_from_top_to_bottom(page, tmp_path):
    shell = Shell(tmp_path)
    # Any port that a page names may be somebody's here.
    free = {named: str(free_port()) for named in set(re.findall(r"--port (\d+)", page.read_text(encoding="utf-8")))}
    for block in BLOCKS:
        if block.page != page or block.note.startswith("not-run"):
            continue
        if block.note.startswith("file="):
            (shell.folder / block.note.removeprefix("file=")).write_text(block.text, encoding="utf-8")
        elif block.language == "console":
            for command, expected in exchanges(block.text):
                said = blurred(shell.run(command, may_fail=True))
                assert expected.fullmatch(said), f"{block}: $ {command}\n{said}"
        elif block.language == "sh":
            if block.note == "after-kill":
                shell.kill_a_run()
            shell.run(re.sub(r"\b\d{4,5}\b", lambda found: free.get(found[0], found[0]), block.text))
