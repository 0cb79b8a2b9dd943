"""Takes each protection away in turn and runs the tests that should notice: `make mutations`.

A mutation that no test notices is a hole in the tests, or a protection that protects nothing. Exit status: 0 when every
mutation is caught; 1 when one survives, no longer applies, or the tests fail without any mutation.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from tests.mutations.table import MUTATIONS, SECTIONS, Mutation

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".copydesk", ".*_cache", ".hypothesis", "build", "*.egg-info", "data"
)
START_S = 60
"""What a run may take beside its tests: Python, imports, a broker."""
BASELINE_S = 900
JOBS = 2
VERDICT = re.compile(r"^(?P<test>tests/\S+?::.+?) (?P<word>PASSED|FAILED|ERROR|SKIPPED)\b")
BEGUN = re.compile(r"^(?P<test>tests/\S+?::.+?) *(\+{9}.*)?$")
INTRODUCTION = """# What each protection protects

A test that cannot fail proves nothing, and a protection that nobody misses protects nothing. So each of the {count}
protections below was taken away, one at a time, in a copy of the tree, and the tests that should notice were run there.
The table says which one did. Killing processes alone would not have told: Faust as it comes loses nothing to kill -9.

`make mutations` does all of it again and fails if a mutation survives, no longer fits the code, or if the tests fail
without any; `make mutations ARGS='--only commit-floor'` does one of them. Each protection with the way to take it away
is an entry of [the table](../tests/mutations/table.py); this page is the output of `make mutations ARGS=--markdown`."""
TIMED_OUT = "+ Timeout +"
REASON = re.compile(r"^FAILED .+? - (?P<reason>.+)$")


class Unusable(Exception):
    """The mutation or its tests cannot tell anything; the message says why."""


@dataclass(frozen=True)
class Finding:
    """What became of a mutation: `caught_by` names the test; `trouble` says why there is no answer."""

    name: str
    takes_away: str
    caught_by: str = ""
    reason: str = ""
    trouble: str = ""
    seconds: float = 0.0

    @property
    def survived(self) -> bool:
        return not self.caught_by and not self.trouble


def main() -> int:
    """Parse the arguments, run, report."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this mutation (may be repeated)")
    parser.add_argument("--jobs", type=int, default=JOBS, help=f"how many at once ({JOBS})")
    style = parser.add_mutually_exclusive_group()
    style.add_argument("--json", action="store_true", help="the findings as JSON on standard output")
    style.add_argument("--markdown", action="store_true", help="the table as it stands in docs/mutations.md")
    arguments = parser.parse_args()
    unknown = set(arguments.only) - {mutation.name for mutation in MUTATIONS}
    if unknown:
        parser.error(f"no such mutation: {', '.join(sorted(unknown))}")
    chosen = [mutation for mutation in MUTATIONS if not arguments.only or mutation.name in arguments.only]
    told = Console(stderr=True, highlight=False)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        pristine = Path(folder) / "pristine"
        shutil.copytree(ROOT, pristine, ignore=LEFT_OUT)  # one state of the tree for all, whatever is edited meanwhile
        told.print(f"the tests of {len(chosen)} mutations, without any")
        try:
            prove_green(pristine, chosen)
        except Unusable as error:
            told.print(f"[red]{error}[/red]", soft_wrap=True)
            return 1
        findings = try_all(pristine, Path(folder), chosen, arguments.jobs, told)
    if arguments.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    elif arguments.markdown:
        print(as_markdown(findings))
    else:
        show(findings)
    caught = sum(bool(finding.caught_by) for finding in findings)
    told.print(f"{caught} of {len(findings)} mutations caught, {time.monotonic() - began:.0f} s")
    return 0 if caught == len(findings) else 1


def prove_green(copy: Path, mutations: Iterable[Mutation]) -> None:
    """Without a mutation every test must pass, or a failure with one would prove nothing."""
    tests = sorted({test for mutation in mutations for test in mutation.tests})
    files = {test.partition("::")[0] for test in tests}
    check_imports(copy, [mutation.file for mutation in mutations])
    # a file that is wanted whole covers the single tests in it
    run = run_tests(
        copy, [test for test in tests if "::" not in test or test.partition("::")[0] not in files & {*tests}]
    )
    if run.status != 0:
        raise Unusable(f"without any mutation the tests must pass, but {run.test or 'pytest'}: {run.words}")


def try_all(pristine: Path, folder: Path, mutations: Sequence[Mutation], jobs: int, told: Console) -> list[Finding]:
    """One finding per mutation, in their order."""

    def attempt(mutation: Mutation) -> Finding:
        began = time.monotonic()
        copy = folder / mutation.name
        try:
            test, reason = try_one(pristine, copy, mutation)
            finding = Finding(mutation.name, mutation.takes_away, test, reason)
        except Unusable as error:
            finding = Finding(mutation.name, mutation.takes_away, trouble=str(error))
        finally:
            shutil.rmtree(copy, ignore_errors=True)
        finding = Finding(**{**asdict(finding), "seconds": round(time.monotonic() - began, 1)})
        told.print(f"{finding.seconds:6.1f} s  {mutation.name}: {outcome(finding)}", soft_wrap=True, markup=False)
        return finding

    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(attempt, mutations))


def try_one(pristine: Path, copy: Path, mutation: Mutation) -> tuple[str, str]:
    """The test that notices the mutation and what it says; two empty strings if none does."""
    shutil.copytree(pristine, copy)
    apply(copy / mutation.file, mutation)
    check_imports(copy, [mutation.file])
    run = run_tests(copy, mutation.tests, mutation.limit_s)
    if run.status == 0:
        return "", ""
    if not run.test:
        raise Unusable(f"pytest ended with status {run.status} and without a failed test: {run.words}")
    return run.test, run.words


def apply(file: Path, mutation: Mutation) -> None:
    """Change the file as the mutation says. Raises `Unusable` where it does not fit the code any more."""
    text = file.read_text(encoding="utf-8")
    for old, new in mutation.edits:
        if (found := text.count(old)) != 1:
            raise Unusable(f"it no longer applies: {found} places of {mutation.file} read {old!r}, there should be one")
        text = text.replace(old, new)
    try:
        ast.parse(text)
    except SyntaxError as error:
        raise Unusable(f"what it makes of {mutation.file} is not Python: {error}") from error
    for stale in (file.parent / "__pycache__").glob(f"{file.stem}.*"):
        stale.unlink()
    file.write_text(text, encoding="utf-8")


def check_imports(copy: Path, files: Iterable[str]) -> None:
    """The package is installed in editable mode: make sure that the copy is what the tests import."""
    names = {file: file.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for file in files}
    program = "import sys\nfrom importlib.util import find_spec\nfor n in sys.argv[1:]: print(find_spec(n).origin)"
    done = subprocess.run(
        [sys.executable, "-c", program, *names.values()],
        cwd=copy,
        env=environment(copy),
        capture_output=True,
        text=True,
        check=True,
    )
    for found, file in zip(done.stdout.splitlines(), names, strict=True):
        if Path(found).resolve() != (copy / file).resolve():
            raise Unusable(f"{file} would be imported from {found}, not from the copy")


def environment(copy: Path) -> dict[str, str]:
    """The caller's, without settings that would reach the tests, and with the copy before everything installed."""
    ours = {
        name: value for name, value in os.environ.items() if not name.startswith(("COPYDESK_", "PYTEST_", "CHAOS_"))
    }
    return ours | {"PYTHONPATH": str(copy), "PYTHONUNBUFFERED": "1"}


@dataclass(frozen=True)
class Run:
    """How pytest ended: its status, the test that failed (or in which the process ended), and in what words."""

    status: int
    test: str
    words: str


def run_tests(copy: Path, tests: Sequence[str], limit_s: float | None = None) -> Run:
    """Run pytest in the copy until the first failure. `limit_s` is for a single test."""
    command = [sys.executable, "-m", "pytest", "-x", "-v", "--no-header", "--tb=line", "--color=no", "-rf"]
    command += ["-p", "no:cacheprovider", "--hypothesis-seed=0"]
    if limit_s:  # from a thread: what hangs may be deaf to an exception; a broker that starts does not count
        command += [f"--timeout={limit_s:g}", "--timeout-method=thread", "-o", "timeout_func_only=true"]
    command += tests
    process = subprocess.Popen(
        command,
        cwd=copy,
        env=environment(copy) | {"COLUMNS": "400"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=START_S + limit_s * len(tests) if limit_s else BASELINE_S)
    except subprocess.TimeoutExpired as error:
        raise Unusable(f"the tests did not end within {error.timeout:.0f} s") from error
    finally:
        end_session(process)
    return understand(process.returncode, output)


def end_session(process: subprocess.Popen[str]) -> None:
    """Whatever the tests have left behind, such as a broker whose test process ended all at once, ends here."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


def understand(status: int, output: str) -> Run:
    """From pytest's words to a test and its reason. A test that could not begin (ERROR) has not failed."""
    failed = running = reason = ""
    for line in output.splitlines():
        if found := VERDICT.match(line):
            running = ""
            if found["word"] == "FAILED":
                failed = failed or found["test"]
        elif found := BEGUN.match(line):
            running = found["test"]
        elif found := REASON.match(line):
            reason = reason or found["reason"]
    own = status in set(pytest.ExitCode)
    if failed and (status == pytest.ExitCode.TESTS_FAILED or not own):
        return Run(status, failed, reason)
    if running and TIMED_OUT in output:
        return Run(status, running, "it hangs")
    if running and not own:
        return Run(status, running, f"the process ended with status {status}")
    return Run(status, "", "" if status == 0 else last_words(output))


def last_words(output: str) -> str:
    """The end of what was printed."""
    return " / ".join(output.strip().splitlines()[-4:])


def outcome(finding: Finding) -> str:
    """In one line."""
    if finding.trouble:
        return f"NO ANSWER, {finding.trouble}"
    return f"caught by {finding.caught_by}" if finding.caught_by else "SURVIVED"


def show(findings: Iterable[Finding]) -> None:
    """As a table for the terminal."""
    table = Table("mutation", "what it takes away", "caught by", "seconds", show_lines=True)
    for finding in findings:
        by = finding.caught_by.replace("::", "\n") if finding.caught_by else f"[red]{outcome(finding)}[/red]"
        table.add_row(finding.name, finding.takes_away, by, f"{finding.seconds:.1f}")
    Console().print(table)


def as_markdown(findings: Iterable[Finding]) -> str:
    """As docs/mutations.md, whole; without seconds, which would change with each run."""
    found = {finding.name: finding for finding in findings}
    parts = [INTRODUCTION.format(count=len(found))]
    for title, section in SECTIONS.items():
        if rows := [_row(found[mutation.name]) for mutation in section if mutation.name in found]:
            parts.append(
                "\n".join([f"## {title}", "", "| mutation | what it takes away | caught by |", "|---|---|---|", *rows])
            )
    return "\n\n".join(parts)


def _row(finding: Finding) -> str:
    file, _, test = finding.caught_by.partition("::")
    name = test.rpartition("::")[2].partition("[")[0].removeprefix("test_").replace("_", " ")
    by = f"[{name}](../{file})" if finding.caught_by else f"**{outcome(finding)}**"
    return f"| `{finding.name}` | {finding.takes_away} | {by} |"


if __name__ == "__main__":
    sys.exit(main())
