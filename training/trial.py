"""A candidate on trial: it must fit, load and answer, then titles the same held-out stories as the champion.

What a person or an accident did to the candidate's files shows here before anybody is served by it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from editorial.bertscore import Scorer
from editorial.cut import cut
from editorial.golden import GoldenSet
from editorial.metrics import Judged
from infra.registry import BARE_BASE
from infra.settings import Settings
from schemas.errors import Unavailable
from schemas.records import ModelVersionRow
from schemas.training import Condition, GateReport
from training.artefact import Kind, UnfitModel, UnknownModel, find_model, read_manifest
from training.evaluate import Story, judge_titles, metrics_of, pair_up
from training.gate import Verdict, judge, verdict
from training.serving import Rejected, Served, model_server

WHOLE_MODEL = (
    " (it is a whole model: those only Copydesk's own model server loads while it runs; vLLM needs an adapter)"
)
Say = Callable[[str], None]


@dataclass(frozen=True)
class Candidate:
    """A trained version that nobody is served by yet; `digest` is that of its folder when training had written it."""

    version: str
    folder: Path
    digest: str
    prompt_version: str


@dataclass(frozen=True)
class HeldOutExample:
    """A held-out article of a data set; its headline is the title that it came with."""

    article_id: UUID
    headline: str
    text: str
    language: str


@dataclass(frozen=True)
class Bench:
    """What every candidate is measured with."""

    settings: Settings
    golden: GoldenSet
    scorer: Scorer
    say: Say

    def cut(self, text: str) -> str:
        """An article as serving cuts it."""
        return cut(text, self.settings.max_article_tokens)


def try_out(
    candidate: Candidate, champion: ModelVersionRow | None, holdout: Sequence[Story], bench: Bench
) -> GateReport:
    """The whole trial. Raises `Unavailable` when the model server is down, and whatever the champion's trouble is."""
    bench.say(f"evaluating {candidate.version}: its files")
    fits = check_files(candidate, bench.settings)
    if not fits.met:
        return _report(verdict([fits]), holdout, None, ())
    with model_server(bench.settings) as server:
        try:
            serves, golden = _first_answers(server, candidate, bench)
            if not serves.met:
                return _report(verdict([serves, fits]), holdout, None, ())
            before = _champions_titles(server, champion, holdout, bench) if champion is not None else None
            after = _titles(server, candidate.version, candidate.prompt_version, holdout, bench)
        finally:
            with suppress(Rejected, Unavailable):  # it was never loaded, or the server is gone
                server.unload(candidate.version)
    judged_before = judge_titles(bench.scorer, before, holdout) if before is not None else None
    judged_after = judge_titles(bench.scorer, after, holdout)
    decided = judge(judged_before, judged_after, [article.text for article in holdout], [golden, serves, fits])
    return _report(decided, holdout, judged_before, judged_after)


def check_files(candidate: Candidate, settings: Settings) -> Condition:
    """Whether the files are those of the training, and belong to base, tokenizer, template and prompt in use."""
    try:
        model = find_model(str(candidate.folder), settings)
    except (UnfitModel, UnknownModel) as error:
        return Condition(name="files", met=False, words=str(error))
    if model.digest != candidate.digest:
        changed = f"{candidate.version}'s files are not those that were trained: they were changed or damaged since"
        return Condition(name="files", met=False, words=changed)
    return Condition(
        name="files", met=True, words="files, base, tokenizer, chat template and prompt are as in training"
    )


def _first_answers(server: Served, candidate: Candidate, bench: Bench) -> tuple[Condition, Condition]:
    """Loading, and the titles of the golden examples."""
    bench.say(f"evaluating {candidate.version}: loading it in the model server")
    try:
        if not server.knows(candidate.version):
            server.load(candidate.version, candidate.folder)
        articles = [bench.cut(golden.text) for golden in bench.golden.examples]
        titles = server.titles(candidate.version, articles, candidate.prompt_version)
    except Rejected as error:
        whole = read_manifest(candidate.folder).kind is Kind.model
        words = f"the model server refuses it: {error}" + (WHOLE_MODEL if whole else "")
        refused = Condition(name="serving", met=False, words=words)
        return refused, refused
    words = "the model server loads it and answers with it"
    return Condition(name="serving", met=True, words=words), bench.golden.judge(titles)


def _champions_titles(server: Served, champion: ModelVersionRow, holdout: Sequence[Story], bench: Bench) -> list[str]:
    if champion.version != BARE_BASE and not server.knows(champion.version):
        server.load(champion.version, Path(champion.artefact_uri))
    return _titles(server, champion.version, champion.prompt_version, holdout, bench)


def _titles(server: Served, version: str, prompt_version: str, holdout: Sequence[Story], bench: Bench) -> list[str]:
    texts = [bench.cut(article.text) for article in holdout]
    return server.titles(version, texts, prompt_version, lambda words: bench.say(f"evaluating: {words}"))


def _report(
    decided: Verdict, holdout: Sequence[Story], before: Sequence[Judged] | None, after: Sequence[Judged]
) -> GateReport:
    return GateReport(
        passed=decided.passed,
        verdict=decided.summary,
        reasons=decided.reasons,
        before=metrics_of(before) if before is not None else None,
        after=metrics_of(after),
        pairs=pair_up(holdout, before, after) if before is not None else (),
        conditions=decided.conditions,
    )
