"""The data folder, good and bad."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.folder import MIN_FREE_BYTES, FolderUnusable, make_usable, room_missing, write_whole


def test_a_missing_folder_is_made_and_nothing_is_left_in_it(tmp_path: Path) -> None:
    folder = make_usable(tmp_path / "new" / "home")
    assert folder.is_absolute()
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FolderUnusable, match=r"home.*Not a directory.*COPYDESK_HOME"):
        make_usable(tmp_path / "file" / "home")


def test_a_full_disk_is_told_in_megabytes() -> None:
    assert room_missing(MIN_FREE_BYTES) == ""
    assert "only 3 MB are free" in room_missing(3 * 1024**2)


def test_a_file_is_replaced_as_a_whole_and_a_secret_one_is_never_readable_by_others(tmp_path: Path) -> None:
    path = tmp_path / "launch.json"
    write_whole(path, "old")
    write_whole(path, "new", 0o600)
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["launch.json"]
