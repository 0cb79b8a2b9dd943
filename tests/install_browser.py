"""A real Chromium for the browser tests: one that is there, Playwright's own, or the distribution's.

    python tests/install_browser.py

Exit status 0 when a browser was started, else 1 with what to do. Run by `make test`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, Error, Playwright, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE_S = 600
ADVICE = (
    "No Chromium can be started. Install one (Debian, Ubuntu: apt-get install chromium; macOS: brew install chromium; "
    "anywhere: python -m playwright install --with-deps chromium) and run the tests again."
)


def candidates(playwright: Playwright) -> list[Path]:
    """Chromiums on the PATH, then the one that Playwright keeps. One that is there need not start (snap's stub)."""
    found = [Path(path) for path in map(shutil.which, NAMES) if path]
    return [path for path in (*found, Path(playwright.chromium.executable_path)) if path.exists()]


def launch(playwright: Playwright) -> Browser:
    """Start one, without a window. Raises `RuntimeError` with advice when there is none that starts."""
    # root, as in a container, has no user namespaces to build Chromium's sandbox from; the pages are our own
    arguments = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    faults = []
    for path in candidates(playwright):
        try:
            return playwright.chromium.launch(executable_path=path, args=arguments)
        except Error as error:
            faults.append(f"{path}: {error.message.splitlines()[0]}")
    raise RuntimeError("\n".join([ADVICE, *faults]))


def _starts() -> bool:
    with sync_playwright() as playwright:
        try:
            launch(playwright).close()
        except RuntimeError:
            return False
    return True


def _ways_to_install() -> list[list[list[str]]]:
    """Each way is a row of commands that must all succeed."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    ways = [[[sys.executable, "-m", "playwright", "install", *(["--with-deps"] if root else []), "chromium"]]]
    if root and shutil.which("apt-get"):
        ways.insert(0, [["apt-get", "update", "-q"], ["apt-get", "install", "-q", "-y", "chromium"]])
    return ways


def _run(command: list[str]) -> bool:
    print("browser tests: " + " ".join(command), flush=True)
    try:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        return False
    if done.returncode:
        print((done.stdout + done.stderr)[-500:], file=sys.stderr)
    return done.returncode == 0


def main() -> int:
    """Find or install a browser that starts."""
    if _starts():
        return 0
    for way in _ways_to_install():
        if all(map(_run, way)) and _starts():
            return 0
    print(ADVICE, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
