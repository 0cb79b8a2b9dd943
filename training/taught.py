"""A data set whose titles a model wrote: what a long prompt makes of a model becomes what a short one is trained on.

Prompt distillation: Askell et al. 2021 (“context distillation”), Snell et al. 2022. The teacher is a model of this
house with its own prompt; whoever trains on the result with a shorter prompt learns what the long one said.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from infra.settings import Settings
from schemas.errors import Invalid
from training.artefact import Model
from training.dataset import HOLDOUT, TRAIN, VALIDATION, Example, Snapshot, write_snapshot
from training.labels import CURATED, faults, labelled
from training.written import Say, write_titles


@dataclass(frozen=True)
class Taught:
    """The new data set; how many of its titles the model wrote and how many are still curators'."""

    snapshot: Snapshot
    written: int
    kept: int
    left_out: Counter[str]
    """Why so many examples are not in it."""


def teach(
    source: Snapshot,
    model: Model,
    settings: Settings,
    say: Say,
    *,
    replace_curated: bool = False,
    keep_faulty: bool = False,
) -> Taught:
    """The source's articles with the model's titles, in the source's splits; the held-out split stays as it is.

    Curators' titles stay unless they are to be replaced; titles that break a house rule are left out unless
    `keep_faulty`. Interrupted, it goes on where it was. Raises `Invalid` when there is nothing to write, or nothing
    is left.
    """
    learned = [*source.examples(TRAIN), *source.examples(VALIDATION)]
    curated = [one for one in learned if one.origin in CURATED and not replace_curated]
    others = [one for one in learned if one.origin not in CURATED or replace_curated]
    if not others:
        raise Invalid("all titles to learn are curators' already: --replace-curated has the model write those, too")
    # without a title: the reference's loss, which an evaluation would take, costs as much time as the title
    asked = [replace(one, title="") for one in others]
    answers = write_titles([model], asked, source.hash, settings, say)[0]
    titles = [answer.title.strip() for answer in answers]
    left_out: Counter[str] = Counter()
    written: list[Example] = []
    for example, title in zip(others, titles, strict=True):
        if found := list(faults(title, example, keep_faulty=keep_faulty)):
            left_out.update(found[:1])
        else:
            written.append(labelled(example, title, model.version, model.prompt_version))
    if not any(one.split == TRAIN for one in [*curated, *written]):
        raise Invalid(f"no title is left to learn: {_counted(left_out)} (--keep-faulty keeps those that break a rule)")
    facts = {
        "made_by": "write",
        "source": source.hash,
        "model": model.version,
        "model_digest": model.digest,
        "prompt_version": model.prompt_version,
        "left_out": dict(left_out),
    }
    if source.prompt_template:
        facts["prompt_template"] = source.prompt_template
    snapshot = write_snapshot([*curated, *written, *source.examples(HOLDOUT)], settings.home, facts)
    return Taught(snapshot, len(written), len(curated), left_out)


def _counted(left_out: Counter[str]) -> str:
    return ", ".join(f"{number:,} × {why}" for why, number in left_out.most_common())
