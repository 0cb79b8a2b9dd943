"""`python -m training.demo_model.rehearsal`: measures the committed weights, and what correcting them brings.

v1 titles stories it never saw; then an adapter is trained on as many corrected and approved titles as asked for, with
the demo's own recipe, and titles the same stories. Nothing is written outside a temporary folder.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from infra.newsroom.stories import Story, write_story
from training.dataset import TRAIN, Example, Origin
from training.demo_model.export import BASE_NAME
from training.demo_model.report import Report, measure, titles
from training.finetune import finetune
from training.recipe import load_recipe

_TEST, _CORRECTED = 31_337, 9_000  # seeds of stories that neither the base nor v1 was trained on
_FLAWED = 0.6  # share of the examples that a curator had to correct; the rest were approved as they were


def main() -> None:
    parser = argparse.ArgumentParser(prog="training.demo_model.rehearsal", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("infra/demo_model"))
    parser.add_argument("--stories", type=int, default=300)
    parser.add_argument("--examples", type=int, default=80)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    stories = [write_story(_TEST, index) for index in range(args.stories)]
    _print("v1, by what it was taught", _measure(args.folder, args.folder / "v1", stories, lambda s: s.careless_title))
    _print("v1, by the house's titles", _measure(args.folder, args.folder / "v1", stories, lambda s: s.house_title))
    with tempfile.TemporaryDirectory() as scratch:
        log = finetune(
            load_recipe("demo"),
            examples(args.examples),
            base_model=str(args.folder / "base"),
            base_revision="main",
            base_name=BASE_NAME,
            parent=None,
            out=Path(scratch),
            cut=lambda text: text,
            threads=args.threads,
            progress=lambda line: None,
        )
        after = _measure(args.folder, Path(scratch), stories, lambda s: s.house_title)
    _print(f"after {args.examples} examples ({log.seconds:.0f} s of training)", after)


def examples(number: int) -> list[Example]:
    """House titles as a curator would leave them: corrected where the careless title has a flaw, else approved."""
    flawed = round(number * _FLAWED)
    drawn = [write_story(_CORRECTED, index) for index in range(6 * number)]  # enough of both sorts
    corrected = [story for story in drawn if story.flaws][:flawed]
    approved = [story for story in drawn if not story.flaws][: number - flawed]
    return [_example(story) for story in (*corrected, *approved)]


def _example(story: Story) -> Example:
    identity = uuid.uuid5(uuid.NAMESPACE_URL, story.text)
    return Example(
        example_id=str(identity),
        article_id=identity,
        revision=1,
        story_id=identity,
        text=story.text,
        title=story.house_title,
        origin=Origin.correction if story.flaws else Origin.approval,
        split=TRAIN,
        error_tags=tuple(sorted(story.flaws)),
        curator="rehearsal",
        title_before=story.careless_title,
        model_version="v1",
    )


def _measure(folder: Path, adapter: Path, stories: list[Story], expected: Callable[[Story], str]) -> Report:
    tokenizer = AutoTokenizer.from_pretrained(folder / "base")
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    base = AutoModelForCausalLM.from_pretrained(folder / "base", dtype=torch.float32)
    model = PeftModel.from_pretrained(base, adapter)
    return measure(stories, titles(model, tokenizer, stories), expected)


def _print(what: str, report: Report) -> None:
    print(json.dumps({"what": what} | dataclasses.asdict(report)))


if __name__ == "__main__":
    main()
