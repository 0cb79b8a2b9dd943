"""`python -m training.demo_model --steps 1200 --out infra/demo_model`: trains base and first adapter, reports both.

Interrupted, the same command goes on where it was (`--checkpoint`). 1,200 steps take some 25 minutes on two idle cores.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from infra.newsroom.stories import write_story
from training.demo_model.adapter import train_first_adapter
from training.demo_model.base import Plan, Progress, train
from training.demo_model.export import export_base
from training.demo_model.report import measure, titles
from training.demo_model.tokenizer import build_tokenizer


def main() -> None:
    args = _arguments()
    plan = Plan(
        seed=args.seed,
        minutes=args.minutes,
        steps=args.steps,
        layers=args.layers,
        inner=args.inner,
        batch_tokens=args.batch_tokens,
    )
    torch.set_num_threads(args.threads)
    tokenizer = build_tokenizer(plan.seed)
    out: Path = args.out
    out.mkdir(parents=True, exist_ok=True)
    train(plan, tokenizer, args.checkpoint, _printer(), lambda model: export_base(model, tokenizer, out / "base"))
    loss = train_first_adapter(out / "base", tokenizer, out / "v1", plan.seed)
    print(f"adapter v1: loss {loss:.3f}", file=sys.stderr)
    held_out = [write_story(plan.seed + 2, index) for index in range(args.held_out)]
    model = PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(out / "base", dtype=torch.float32), out / "v1"
    )
    report = measure(held_out, titles(model, tokenizer, held_out), lambda story: story.careless_title)
    print(json.dumps(dataclasses.asdict(report)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="training.demo_model", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("infra/demo_model"), help="folder for base/ and v1/")
    parser.add_argument("--checkpoint", type=Path, default=Path(".copydesk/demo_model/base.pt"))
    parser.add_argument(
        "--minutes", type=float, default=Plan.minutes, help="length of the base's training, by the clock"
    )
    parser.add_argument("--steps", type=int, default=Plan.steps, help="length in steps instead: repeatable")
    parser.add_argument("--seed", type=int, default=Plan.seed)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--layers", type=int, default=Plan.layers)
    parser.add_argument("--inner", type=int, default=Plan.inner)
    parser.add_argument("--batch-tokens", type=int, default=Plan.batch_tokens)
    parser.add_argument("--held-out", type=int, default=200, help="stories of the report")
    return parser.parse_args()


def _printer(every: int = 10) -> Callable[[Progress], None]:
    window: list[Progress] = []
    since = time.monotonic()

    def show(progress: Progress) -> None:
        nonlocal since
        window.append(progress)
        if len(window) < every:
            return
        now = time.monotonic()
        article, answer = (sum(getattr(p, name) for p in window) / every for name in ("article_loss", "answer_loss"))
        speed = sum(p.tokens for p in window) / (now - since)
        print(
            f"step {progress.step} {progress.share:.1%} article {article:.3f} answer {answer:.3f} {speed:.0f} tokens/s",
            file=sys.stderr,
            flush=True,
        )
        window.clear()
        since = now

    return show


if __name__ == "__main__":
    main()
