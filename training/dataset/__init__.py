"""Data sets: what is trained on, where each row comes from, and on which side of the split it stands.

`example.py` is the row, `tables.py` takes rows from the newsroom's tables, `build.py` chooses among them,
`importing.py` brings rows in from elsewhere, `snapshot.py` keeps them on disk under the hash of their content.
"""

from training.dataset.build import Rules
from training.dataset.example import HOLDOUT, SPLITS, TRAIN, VALIDATION, Example, Origin, is_held_out
from training.dataset.snapshot import DamagedDataset, Snapshot, UnknownDataset, load_snapshot, write_snapshot
from training.dataset.tables import (
    Selection,
    Tables,
    choose,
    read_tables,
    retraining_rules,
    select_examples,
    select_holdout,
)

__all__ = [
    "HOLDOUT",
    "SPLITS",
    "TRAIN",
    "VALIDATION",
    "DamagedDataset",
    "Example",
    "Origin",
    "Rules",
    "Selection",
    "Snapshot",
    "Tables",
    "UnknownDataset",
    "choose",
    "is_held_out",
    "load_snapshot",
    "read_tables",
    "retraining_rules",
    "select_examples",
    "select_holdout",
    "write_snapshot",
]
