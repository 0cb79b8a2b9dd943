"""`make mutations` takes minutes; that its table still fits the code takes a second and is held here."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

from tests.mutations.__main__ import apply
from tests.mutations.table import MUTATIONS

ROOT = Path(__file__).parents[2]


def test_every_mutation_still_fits_the_code(tmp_path: Path) -> None:
    for mutation in MUTATIONS:
        copy = tmp_path / mutation.name / Path(mutation.file).name
        copy.parent.mkdir()
        shutil.copyfile(ROOT / mutation.file, copy)
        apply(copy, mutation)


def test_every_mutation_has_a_name_of_its_own_and_tests_that_exist() -> None:
    assert [name for name, count in Counter(mutation.name for mutation in MUTATIONS).items() if count > 1] == []
    missing = {test for mutation in MUTATIONS for test in mutation.tests if not (ROOT / test.split("::")[0]).is_file()}
    assert missing == set()
