"""What a shorter prompt saves and costs, by the commands of docs/train.md on the simulated press. `make bench-prompt`.

A first version, the writer, learns curated titles under the long prompt. It titles articles that no curator has seen;
three more learn these titles, with the long prompt and with shorter ones. All are compared on the same held-out
articles.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from infra.newsroom.stories import write_story
from infra.settings import Settings
from tests.ground import environment_for

SEED = 77
WRITER = "writer"
VERSIONS = {"long": "demo-long", "one-line": "demo", "no-words": "demo-short"}
"""Name of a version that learns the writer's titles → its recipe. The first is what the others are compared with."""
MEASURES = ("house_rules", "entities", "precision", "ref_f1")


def main() -> None:
    """Print the table of docs/train.md."""
    parser = argparse.ArgumentParser(prog="tests.bench.prompt", description=__doc__)
    parser.add_argument("--curated", type=int, default=150, help="articles with curated titles")
    parser.add_argument("--others", type=int, default=500, help="articles without")
    parser.add_argument("--home", type=Path, help="data folder to keep; default: a temporary one")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home: Path = args.home or Path(scratch)
        home.mkdir(parents=True, exist_ok=True)
        settings = Settings(home=home, torch_threads=1)
        facts = distill(settings, args.curated, args.others)
    show(facts)


def distill(settings: Settings, curated: int, others: int) -> dict[str, Any]:
    """Train, write, train, compare; the facts of the comparison."""
    write_rows(settings.home / "curated.jsonl", 0, curated)
    write_rows(settings.home / "others.jsonl", curated, others)
    for name in ("curated", "others"):
        run(settings, "dataset", "import", str(settings.home / f"{name}.jsonl"), "--name", name)
    run(settings, "train", "demo-long", "--dataset", "curated", "--name", WRITER)
    print(run(settings, "dataset", "write", "others", "--model", WRITER, "--name", "taught"))
    for version, recipe in VERSIONS.items():
        run(settings, "train", recipe, "--dataset", "taught", "--name", version)
    return dict(json.loads(run(settings, "compare", *VERSIONS, WRITER, "--dataset", "taught", "--json")))


def write_rows(file: Path, first: int, number: int) -> None:
    """Articles of the simulated press with the house's titles; `write` replaces those that are learned from."""
    stories = [write_story(SEED, at) for at in range(first, first + number)]
    rows = [{"id": story.text[:80], "text": story.text, "title": story.house_title} for story in stories]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def run(settings: Settings, *words: str) -> str:
    """A command as a person types it; what it printed."""
    began = time.monotonic()
    command = [sys.executable, "-m", "copydesk", *words]
    done = subprocess.run(command, env=environment_for(settings), stdout=subprocess.PIPE, text=True, check=True)
    print(f"{time.monotonic() - began:5.0f} s  copydesk {' '.join(words)}", file=sys.stderr, flush=True)
    return done.stdout


def show(facts: dict[str, Any]) -> None:
    """The table; differences are paired, story by story, against the long prompt on the same titles."""
    long, *_ = facts["models"]
    print(f"{facts['held_out']['articles']} held-out articles")
    print("| version | prompt | prompt tokens per title | house rules | names right | precision | F1 (ref.) |")
    print("|---|---|---|---|---|---|---|")
    for model in facts["models"]:
        tokens, before = model["cost"]["tokens_in"], long["cost"]["tokens_in"]
        saved = f" ({tokens / before - 1:+.0%})" if model is not long else ""
        cells = [cell(model, facts["differences"].get(model["name"]), name) for name in MEASURES]
        print(f"| `{model['name']}` | `{model['prompt_version']}` | {tokens:.0f}{saved} | {' | '.join(cells)} |")


def cell(model: dict[str, Any], differences: dict[str, Any] | None, name: str) -> str:
    """A mean, and by how much it may differ from the long prompt's."""
    share = name in ("house_rules", "entities")
    factor, digits, unit = (100, 1, " %") if share else (1, 3, "")
    words = f"{factor * model['measures'][name]['mean']:.{digits}f}{unit}"
    if differences is None:
        return words
    low, high = (factor * differences[name][end] for end in ("low", "high"))
    return f"{words} ({low:+.{digits}f} to {high:+.{digits}f})"


if __name__ == "__main__":
    main()
