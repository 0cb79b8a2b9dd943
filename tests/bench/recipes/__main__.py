"""Every recipe of the demo on the same articles, from an empty data folder, and all compared. `make bench-recipes`.

Each step is the command that a person types, in a process of its own, with its seconds and its peak memory. Without
`--articles` they are those of the simulated press, and the comparison's report is drawn as docs/images/comparison.png.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from playwright.sync_api import sync_playwright

from infra.newsroom.stories import write_story
from infra.settings import get_settings
from tests.install_browser import launch

NAMES = {"demo": "lora", "demo-qlora-8bit": "qlora-8bit", "demo-qlora-4bit": "qlora-4bit", "demo-full": "full"}
SEED = 61
STORIES = 120
PICTURE = Path(__file__).parents[3] / "docs/images/comparison.png"
WIDTH, HEIGHT = 1280, 1560


@dataclass(frozen=True)
class Step:
    """One command: what it was, how long it took, on the processor too, and the most memory that it held."""

    words: tuple[str, ...]
    seconds: float
    cpu_seconds: float
    peak_mb: int


def rows_of_the_press() -> Iterator[dict[str, str]]:
    """Stories of the simulated press with the house's titles."""
    for number in range(STORIES):
        story = write_story(SEED, number)
        yield {"id": str(number), "text": story.text, "title": story.house_title}


def run(words: tuple[str, ...], environment: Mapping[str, str]) -> Step:
    """Run `copydesk` with these words. Raises `SystemExit` when it fails."""
    print("copydesk", *words, flush=True)
    began = time.monotonic()
    # what this process holds would count as the child's: it must stay small, and imports nothing of the training
    child = os.posix_spawn(sys.executable, [sys.executable, "-m", "copydesk", *words], environment)
    _, status, used = os.wait4(child, 0)
    if code := os.waitstatus_to_exitcode(status):
        raise SystemExit(f"copydesk {' '.join(words)} ended with {code}")
    step = Step(words, time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss // 1024)
    print(f"  {step.seconds:.0f} s, {step.cpu_seconds:.0f} s of them on a processor, {step.peak_mb:,} MB", flush=True)
    return step


def draw(report: Path, picture: Path) -> None:
    """The upper part of the report, as a browser shows it."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(report.as_uri())
        page.screenshot(path=picture)
        browser.close()


def main() -> None:
    """Import, train by each recipe, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=Path, help="JSONL with the columns id, text and title")
    parser.add_argument("--limit", type=int, default=0, help="so many of its first rows; 0: all")
    parser.add_argument("--stories", type=int, default=0, help="compare on so many held-out articles; 0: all")
    parser.add_argument("--home", type=Path, help="data folder; a version that is there already is not trained again")
    parser.add_argument("--out", type=Path, help="figures as JSON")
    chosen = parser.parse_args()
    home = (chosen.home or Path(tempfile.mkdtemp(prefix="copydesk-recipes-"))).resolve()
    environment = os.environ | {"COPYDESK_HOME": str(home)}
    rows = chosen.articles or home / "press.jsonl"
    if not chosen.articles:
        home.mkdir(parents=True, exist_ok=True)
        rows.write_text("".join(json.dumps(row) + "\n" for row in rows_of_the_press()), encoding="utf-8")
    limit = ("--limit", str(chosen.limit)) if chosen.limit else ()
    steps = [run(("dataset", "import", str(rows), "--name", "articles", *limit), environment)]
    for recipe, name in NAMES.items():
        if not (get_settings().model_copy(update={"home": home}).artefacts / name / "manifest.json").is_file():
            steps.append(run(("train", recipe, "--dataset", "articles", "--name", name), environment))
    stories = ("--stories", str(chosen.stories)) if chosen.stories else ()
    compared = ("compare", "base", *NAMES.values(), "--dataset", "articles", "--out", str(home / "report"), *stories)
    steps.append(run(compared, environment))
    if not chosen.articles:
        draw(home / "report/report.html", PICTURE)
    if chosen.out:
        chosen.out.write_text(json.dumps([asdict(one) for one in steps], indent=1))
    for one in steps:
        name = " ".join(one.words[:2])
        print(f"| {name} | {one.seconds:.0f} s | {one.cpu_seconds:.0f} s | {one.peak_mb:,} MB |")


if __name__ == "__main__":
    main()
