"""The pages say what is there, and their links lead somewhere."""

import inspect
import re

import pytest

from weft.core import errors

HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
LINK = re.compile(r"(?<!!)\[[^\]\n]+\]\(([^)\s]+)\)")
CODE_BLOCK = re.compile(r"^(```.*?^```|(?: {4}.*\n)+)", re.MULTILINE | re.DOTALL)


def pages(root):
    return [*sorted(root.glob("*.md")), *sorted((root / "docs").rglob("*.md")), root / "benchmarks" / "README.md"]


def anchor(heading: str) -> str:
    plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def codes() -> set[str]:
    classes = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, errors.WeftError)]
    return {cls.code for cls in classes} | set(errors.EXIT_CODES)


def sections(root) -> dict[str, str]:
    text = (root / "docs" / "errors.md").read_text(encoding="utf-8")
    parts = re.split(r"^## `([a-z-]+)`\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_error_code_has_a_section_and_no_section_is_for_nothing(root):
    assert set(sections(root)) == codes()


@pytest.mark.parametrize("code", sorted(errors.EXIT_CODES))
def test_a_section_says_exit_status_causes_and_cure(root, code):
    section = sections(root)[code]
    assert f"Exit status {errors.EXIT_CODES[code]}." in section
    assert "**Typical causes**" in section
    assert "**What to do**" in section


def test_every_relative_link_leads_to_a_file_and_a_heading(root):
    broken = []
    for page in pages(root):
        text = CODE_BLOCK.sub("", page.read_text(encoding="utf-8"))
        for target in LINK.findall(text):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, fragment = target.partition("#")
            path = (page.parent / name).resolve() if name else page
            if not path.exists():
                broken.append(f"{page.relative_to(root)}: {target}")
            elif fragment and path.suffix == ".md":
                headings = {anchor(heading) for heading in HEADING.findall(path.read_text(encoding="utf-8"))}
                if fragment not in headings:
                    broken.append(f"{page.relative_to(root)}: {target} (no such heading)")
    assert broken == []


def test_every_page_is_reached_from_the_index(root):
    docs = root / "docs"
    listed = set(LINK.findall((docs / "README.md").read_text(encoding="utf-8")))
    decisions = set(LINK.findall((docs / "decisions" / "README.md").read_text(encoding="utf-8")))
    assert {path.name for path in docs.glob("*.md")} - {"README.md"} <= listed
    assert {path.name for path in (docs / "decisions").glob("*.md")} - {"README.md"} <= decisions


def test_the_changelog_has_a_place_for_what_is_new(root):
    assert "\n## [Unreleased]\n" in (root / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_readme_is_short_and_names_the_commands(root):
    text = (root / "README.md").read_text(encoding="utf-8")
    assert text.count("\n") < 120
    assert "make run" in text
    assert "make test" in text
