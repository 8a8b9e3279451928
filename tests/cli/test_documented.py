"""The page about the command line says what the commands really take."""

import re

import pytest

from tests.cli.conftest import ROOT
from weft.cli.commands import COMMANDS
from weft.cli.group import built
from weft.core.errors import EXIT_CODES

PAGE = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
PARTS = re.split(r"^## `weft ([a-z -]+)`\n", PAGE, flags=re.MULTILINE)
SECTIONS = dict(zip(PARTS[1::2], PARTS[2::2], strict=True))
ENTRIES = {
    " ".join(path): entry
    for name, top in COMMANDS.items()
    if not top.hidden
    for path, entry in (
        [((name,), top)] if not top.members else [((name, inner), one) for inner, one in top.members.items()]
    )
}


def params(entry):
    return [param for param in built("x", entry).params if "--help" not in param.opts]


def label(param) -> str:
    """How the page names a parameter."""
    if param.param_type_name == "argument":
        return f"`{param.metavar}`"
    about = f" {param.metavar}" if param.metavar else ""
    return ", ".join(f"`{name}{about}`" for name in sorted(param.opts, key=len, reverse=True))


def test_every_command_has_a_section_and_no_section_is_for_nothing():
    assert set(SECTIONS) == set(ENTRIES)


@pytest.mark.parametrize("name", ENTRIES)
def test_a_section_names_every_option_with_the_words_of_help(name):
    rows = re.findall(r"^\| (`.*?) \| (.*) \|$", SECTIONS[name].replace("\\|", "¦"), flags=re.MULTILINE)
    real = [(label(param).replace("|", "¦"), param.help.replace("|", "¦")) for param in params(ENTRIES[name])]
    assert rows == real


@pytest.mark.parametrize("name", ENTRIES)
def test_every_command_has_json_and_help_for_every_option(name, weft):
    assert any("--json" in param.opts for param in params(ENTRIES[name]))
    assert all(param.help for param in params(ENTRIES[name]))
    said = weft(*name.split(), "--help")
    assert said.code == 0
    assert all(param.opts[0] in said.out for param in params(ENTRIES[name]) if param.param_type_name == "option")


def test_every_exit_code_is_explained():
    named = {
        int(code) for cell in re.findall(r"^\| ([\d, ]+) \|", PAGE, flags=re.MULTILINE) for code in cell.split(", ")
    }
    assert named == {0, 19, 129, 130, 141, 143} | set(EXIT_CODES.values())
