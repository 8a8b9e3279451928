"""Files of a run stay where they belong, whatever a template, a name or a link says."""

from __future__ import annotations

import pytest

from weft.app.artifacts import safe_name, safe_relative, write_file
from weft.core.errors import PolicyError, StorageError


def test_a_link_that_leads_out_is_refused_before_any_folder_is_made_behind_it(tmp_path):
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    out.mkdir()
    elsewhere.mkdir()
    (out / "link").symlink_to(elsewhere)
    with pytest.raises(PolicyError):
        write_file(out, out / "link" / "deep" / "file.txt", b"x")
    assert list(elsewhere.iterdir()) == []


def test_links_in_a_ring_are_an_error_and_no_crash(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(StorageError):
        write_file(tmp_path, tmp_path / "a" / "file.txt", b"x")


@pytest.mark.parametrize("name", ["a: b", "C:", "..", "x" * 300, "章" * 300, "a/b\\c", "-"])
def test_every_name_of_a_workflow_makes_one_file_with_its_ending(tmp_path, name):
    target = tmp_path / safe_name(name, "-trace.json")
    write_file(tmp_path, target, b"{}")
    assert target.parent == tmp_path
    assert target.name.endswith("-trace.json")
    assert [file.name for file in tmp_path.iterdir()] == [target.name]


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "C:\\x", "\\\\host\\x", " ", "."])
def test_a_path_that_does_not_stay_inside_is_refused(path):
    with pytest.raises(PolicyError):
        safe_relative(path)
