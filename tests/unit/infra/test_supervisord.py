"""What supervisord reads and writes, as text."""

from __future__ import annotations

import configparser
from pathlib import Path

from infra.supervisord import LONGEST_SOCKET_PATH, Process, configuration, count_ends, last_lines, socket_path
from workers.ending import EX_POISONED

LOG = """\
2026-11-22 19:00:00,000 INFO spawned: 'scorer' with pid 10
2026-11-22 19:00:01,000 INFO exited: scorer (terminated by SIGKILL; not expected)
2026-11-22 19:00:02,000 INFO exited: scorer (exit status 70; not expected)
2026-11-22 19:00:03,000 INFO exited: desk (exit status 0; expected)
2026-11-22 19:00:04,000 INFO stopped: broker (exit status 143)
"""


def _parsed(*processes: Process) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    parser.read_string(configuration(processes, Path("/home/run/supervisor.sock")))
    return parser


def test_priorities_and_patience_are_each_process_own() -> None:
    parser = _parsed(Process("broker", ("x",), 0, stop_s=35), Process("desk", ("y",), 5, stop_s=0.2))
    assert parser["program:broker"]["priority"] == "0"
    assert parser["program:desk"]["priority"] == "5"
    assert parser["program:desk"]["stopwaitsecs"] == "1"


def test_only_the_status_of_too_many_dead_letters_leaves_a_process_down() -> None:
    section = _parsed(Process("worker", ("x",)))["program:worker"]
    assert (section["autorestart"], section["exitcodes"]) == ("unexpected", str(EX_POISONED))


def test_no_command_and_no_environment_stands_in_the_configuration() -> None:
    text = configuration([Process("x", ("secret-command",), 0, {"KEY": "secret"})], Path("/home/run/supervisor.sock"))
    assert "secret" not in text


def test_only_ends_that_nobody_asked_for_are_counted() -> None:
    assert count_ends(LOG) == {"scorer": 2, "desk": 1}


def test_a_socket_lies_in_the_data_folder_unless_its_path_is_too_long() -> None:
    assert socket_path(Path("/home/run")) == Path("/home/run/supervisor.sock")
    far = socket_path(Path("/" + "x" * 200) / "run")
    assert len(str(far)) <= LONGEST_SOCKET_PATH
    assert far != socket_path(Path("/" + "y" * 200) / "run")


def test_the_last_lines_of_a_log_are_its_end_and_of_no_log_nothing(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("\n".join(str(number) for number in range(10_000)))
    assert last_lines(tmp_path / "log", 2) == "9998\n9999"
    assert last_lines(tmp_path / "none", 2) == ""
