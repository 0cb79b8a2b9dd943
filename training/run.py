"""One training run as a process of its own: snapshot, fine-tuning, evaluation, gate, and a report as the last act.

    python -m training.run --run-id ID --version v2-1a2b3c

The settings come from the environment, as everywhere. Registering and promoting the version is the retrainer's part.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import typer

from editorial import calibration, prompts, vocabulary
from editorial.acronyms import NOTHING_LEARNED, Vocabulary
from editorial.bertscore import Scorer
from editorial.cut import cut
from editorial.flagger import Calibration
from editorial.golden import load_golden
from editorial.scoring import with_second_opinion
from infra import lease
from infra.artefacts import WHOLE
from infra.database import make_engine
from infra.registry import BARE_BASE, CHAMPION, ModelRegistry, base_identity, digest_folder
from infra.settings import Settings, get_settings
from schemas.records import ArticleRow, ModelVersionRow
from schemas.training import PROGRESS_FILE, RESULT_FILE, GateReport, RunResult
from training.dataset import TRAIN, Selection, choose, read_tables, retraining_rules, select_holdout, write_snapshot
from training.finetune import Step, finetune, write_manifest
from training.flagging import learn, learn_words
from training.gate_report import write_report
from training.recipe import Recipe, load_recipe
from training.tracking import tracked
from training.trial import Bench, Candidate, try_out
from training.version import facts

NICENESS = 10
"""Serving goes first where both want the processor."""
PROGRESS_EVERY_S = 1.0


@dataclass(frozen=True)
class Run:
    """Where one run works and what it begins with."""

    run_id: UUID
    version: str
    settings: Settings
    recipe: Recipe
    champion: ModelVersionRow | None
    say: Callable[[str], None]

    @property
    def folder(self) -> Path:
        """The run's own folder: progress, log and result."""
        return self.settings.home / "runs" / str(self.run_id)

    @property
    def parent_adapter(self) -> Path | None:
        """The champion's adapter; the bare base and a whole model have none."""
        if self.champion is None or self.champion.version == BARE_BASE:
            return None
        folder = Path(self.champion.artefact_uri)
        return None if (folder / WHOLE).is_file() else folder

    @property
    def artefact(self) -> Path:
        """Where the new adapter goes."""
        return self.settings.artefacts / self.version

    def cut(self, text: str) -> str:
        """An article as serving cuts it."""
        return cut(text, self.settings.max_article_tokens)


class Progress:
    """Says in one small file how far the run is; a file, so that whoever adopts the run can read on."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / PROGRESS_FILE
        self._written = 0.0

    def __call__(self, words: str) -> None:
        print(words, flush=True)
        now = time.monotonic()
        if now - self._written >= PROGRESS_EVERY_S:
            partial = self._path.with_suffix(".part")
            partial.write_text(words)
            partial.replace(self._path)
            self._written = now


def run(run_id: UUID, version: str, settings: Settings) -> RunResult:
    """The whole run; returns what it has also written to the run's folder."""
    began = time.monotonic()
    folder = settings.home / "runs" / str(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    engine = make_engine(settings)
    registry = ModelRegistry(engine)
    alias = registry.alias(CHAMPION)
    this = Run(
        run_id=run_id,
        version=version,
        settings=settings,
        recipe=load_recipe(settings.training_config),
        champion=registry.get(alias.version) if alias else None,
        say=Progress(folder),
    )
    load_golden(settings.golden_examples)  # what is wrong with the file is said before the training, not after it
    tables = read_tables(engine)
    selection = choose(tables, retraining_rules(settings))
    snapshot = write_snapshot(selection.examples, settings.home, {"made_by": "retraining", "run_id": str(run_id)})
    scorer = Scorer(settings.scorer_model, settings.threads)
    flagger = learn(tables, with_second_opinion(scorer, settings.second_opinion_model), settings)
    digest = train(this, selection, snapshot.hash, flagger, learn_words(tables))
    gate = evaluate(this, select_holdout(tables.articles, this.recipe.holdout_stories), digest, scorer)
    result = report(this, selection, snapshot.hash, digest, gate, time.monotonic() - began)
    partial = folder / f"{RESULT_FILE}.part"
    partial.write_text(result.model_dump_json(indent=1))
    partial.replace(folder / RESULT_FILE)
    return result


def train(
    this: Run,
    selection: Selection,
    dataset_hash: str,
    flagger: Calibration | None = None,
    words: Vocabulary = NOTHING_LEARNED,
) -> str:
    """Fine-tune, and describe the artefact in its manifest. Returns the digest of what was written."""
    settings, recipe = this.settings, this.recipe
    base_name, _ = base_identity(settings)
    examples = selection.of(TRAIN)
    approved = sum(example.title == example.title_before for example in examples)
    what = f"training {this.version} on {len(examples) - approved} corrections and {approved} approvals"
    this.say(f"{what}: loading the base model")
    with tracked(settings, this.version, recipe, or_fail=False) as draw:

        def hear(step: Step) -> None:
            this.say(f"{what}: {step}")
            draw(step)

        log = finetune(
            recipe,
            examples,
            base_model=settings.base_model,
            base_revision=settings.base_revision,
            base_name=base_name,
            parent=this.parent_adapter,
            out=this.artefact,
            cut=this.cut,
            threads=settings.threads,
            progress=hear,
        )
    if flagger is not None:
        calibration.save(flagger, this.artefact)
    if words != NOTHING_LEARNED:
        vocabulary.save(words, this.artefact)
    described = facts(settings, recipe, this.version, dataset_hash)
    parent = this.champion.version if this.champion else None
    write_manifest(this.artefact, log, described | {"run_id": str(this.run_id), "parent": parent})
    return digest_folder(this.artefact)


def evaluate(this: Run, holdout: tuple[ArticleRow, ...], digest: str, scorer: Scorer) -> GateReport:
    """The candidate's trial; its report is written into the run's folder, for people."""
    settings = this.settings
    candidate = Candidate(this.version, this.artefact, digest, this.recipe.prompt_version)
    bench = Bench(settings, load_golden(settings.golden_examples), scorer, this.say)
    gate = try_out(candidate, this.champion, holdout, bench)
    write_report(this.folder, this.version, this.champion.version if this.champion else None, gate)
    return gate


def report(
    this: Run, selection: Selection, dataset_hash: str, digest: str, gate: GateReport, seconds: float
) -> RunResult:
    """Everything that the registry will want to know."""
    base_name, base_revision = base_identity(this.settings)
    return RunResult(
        run_id=this.run_id,
        model_version=this.version,
        parent=this.champion.version if this.champion else None,
        artefact=str(this.artefact.resolve()),
        digest=digest,
        base_model=base_name,
        base_revision=base_revision,
        dataset_hash=dataset_hash,
        prompt_version=this.recipe.prompt_version,
        prompt_digest=prompts.digest(this.recipe.prompt_version),
        config=this.recipe.model_dump(mode="json"),
        uses=selection.uses,
        gate=gate,
        seconds=seconds,
    )


def main(
    run_id: str = typer.Option(..., help="Id of the run; its folder is <home>/runs/<id>."),
    version: str = typer.Option(..., help="Name of the model version to make."),
) -> None:
    """Train, evaluate and judge one model version."""
    os.nice(NICENESS)
    settings = get_settings()
    lease.keep(make_engine(settings), UUID(run_id), settings.retrain_lease_s)
    result = run(UUID(run_id), version, settings)
    print(result.gate.verdict, file=sys.stderr)


if __name__ == "__main__":
    typer.run(main)
