"""By what the titles of each model version are judged."""

from __future__ import annotations

from editorial import calibration, flagger, vocabulary
from editorial.flagger import Policy
from infra.settings import Settings


class Policies:
    """The operator's threshold, if there is one; else what was learned with the version; else the scorer's threshold.

    A version's artefact is complete before its first title, and never changes: it is looked at once.
    """

    def __init__(self, settings: Settings, scorer_hash: str) -> None:
        self._settings = settings
        self._scorer_hash = scorer_hash
        self._known: dict[str, Policy] = {}

    def of(self, version: str) -> Policy:
        """For titles of this version."""
        if version not in self._known:
            self._known[version] = self._find(version)
        return self._known[version]

    def _find(self, version: str) -> Policy:
        artefact = self._settings.artefacts / version
        words = vocabulary.load(artefact)
        if self._settings.review_precision_below:
            return Policy(self._settings.review_precision_below, learned=words, fixed=True)
        threshold = flagger.default_threshold(self._settings.scorer_model)
        return Policy(threshold, calibration.load(artefact, self._scorer_hash), words)
