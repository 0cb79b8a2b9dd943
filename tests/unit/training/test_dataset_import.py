"""Rows from elsewhere become a data set, whatever they come in; a bad row is told with its place."""

from __future__ import annotations

import bz2
import csv
import gzip
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from schemas.errors import Invalid
from tests.learning_samples import tale
from training.dataset import HOLDOUT, SPLITS, TRAIN, VALIDATION, Example, Origin, is_held_out
from training.dataset.columns import Columns
from training.dataset.database import query
from training.dataset.importing import Imported, import_rows
from training.dataset.sources import BadRow, read, shown
from training.dataset.template import check, placeholders, render

Values = dict[str, Any]


def article(number: int, **more: Any) -> Values:
    return {"id": str(number), "text": tale(number).text, "title": tale(number).house_title, "year": "2020"} | more


TEN = [article(number) for number in range(10)]


def lines(rows: list[Values]) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def as_csv(rows: list[Values], separator: str = ",") -> bytes:
    path = [separator.join(rows[0])]
    for row in rows:
        path.append(separator.join('"' + str(value).replace('"', '""') + '"' for value in row.values()))
    return "\r\n".join(path).encode()


def bring(
    place: str | Path,
    home: Path,
    columns: Columns | None = None,
    *,
    form: str = "",
    encoding: str = "utf-8",
    **more: Any,
) -> Imported:
    rows = read(str(place), form=form, encoding=encoding)
    return import_rows(rows, columns or Columns(), home, came_from="a test", **more)


def everything(made: Imported) -> list[Example]:
    return [example for split in SPLITS for example in made.snapshot.examples(split)]


def write_parquet(path: Path, rows: list[Values]) -> None:
    pq.write_table(pa.Table.from_pylist(rows), path)


WRITERS: dict[str, Callable[[Path], object]] = {
    "rows.jsonl": lambda path: path.write_bytes(lines(TEN)),
    "rows.jsonl.gz": lambda path: path.write_bytes(gzip.compress(lines(TEN))),
    "rows.ndjson.bz2": lambda path: path.write_bytes(bz2.compress(lines(TEN))),
    "rows.json": lambda path: path.write_text(json.dumps(TEN, indent=1)),
    "rows.csv": lambda path: path.write_bytes(as_csv(TEN)),
    "bom.csv": lambda path: path.write_bytes(b"\xef\xbb\xbf" + as_csv(TEN)),
    "semicolons.csv": lambda path: path.write_bytes(as_csv(TEN, ";")),
    "rows.tsv.gz": lambda path: path.write_bytes(gzip.compress(as_csv(TEN, "\t"))),
    "rows.parquet": lambda path: write_parquet(path, TEN),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_data_set(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / name)
    (tmp_path / "plain.jsonl").write_bytes(lines(TEN[::-1]))
    made = bring(tmp_path / name, tmp_path, Columns(time="year"))
    assert made.reading.bad == 0
    assert made.snapshot.hash == bring(tmp_path / "plain.jsonl", tmp_path, Columns(time="year")).snapshot.hash
    assert sorted(one.title for one in everything(made)) == sorted(row["title"] for row in TEN)
    assert {one.at for one in everything(made)} == {datetime(2020, 1, 1, tzinfo=UTC)}


def test_a_folder_is_all_of_its_files_and_a_pattern_some(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "deeper").mkdir(parents=True)
    (folder / "a.jsonl").write_bytes(lines(TEN[:4]))
    (folder / "deeper" / "b.csv").write_bytes(as_csv(TEN[4:7]))
    write_parquet(folder / "c.parquet", TEN[7:])
    (folder / "README.md").write_text("no data")
    assert len(everything(bring(folder, tmp_path))) == 10
    assert len(everything(bring(f"{folder}/*.jsonl", tmp_path))) == 4
    (folder / "empty").mkdir()
    with pytest.raises(Invalid, match=r"has no \.jsonl, \.csv or \.parquet"):
        bring(folder / "empty", tmp_path)


def test_a_bucket_is_a_place_like_any_other(tmp_path: Path) -> None:
    bucket = fsspec.filesystem("memory")
    bucket.pipe("/bucket/news/a.jsonl.gz", gzip.compress(lines(TEN[:5])))
    bucket.pipe("/bucket/news/b.csv", as_csv(TEN[5:]))
    try:
        assert len(everything(bring("memory://bucket/news", tmp_path))) == 10
        assert len(everything(bring("memory://bucket/news/b.csv", tmp_path))) == 5
        with pytest.raises(Invalid, match=r"there is no file or folder memory:///?bucket/none\.csv"):
            bring("memory://bucket/none.csv", tmp_path)
    finally:
        bucket.rm("/bucket", recursive=True)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("nothing.jsonl", "there is no file or folder"),
        ("gopher://host/a.csv", "cannot be read"),
        ("s3://bucket/a.csv", "s3fs"),
    ],
)
def test_a_place_that_cannot_be_reached_is_told(place: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=words):
        bring(place if "://" in place else tmp_path / place, tmp_path)


def test_passwords_and_signatures_are_not_shown() -> None:
    assert shown("https://ann:secret@host:8/a/b.csv?signature=secret") == "https://host:8/a/b.csv"
    assert shown("s3://key:secret@bucket/a.csv") == "s3://bucket/a.csv"
    assert shown("../a/b.csv") == "../a/b.csv"


BAD_LINES = [
    (b'{"id": "x", "text": "T", "title": "no end', "broken JSON"),
    (b'["a", "list"]', "not a JSON object"),
    (b'{"id": "x", "text": "  ", "title": "A title"}', "empty text in column 'text'"),
    (b'{"id": "x", "text": "Words.", "title": null}', "empty target in column 'title'"),
    (b'{"id": "x", "text": "Words."}', "empty target in column 'title'"),
    (b'{"id": "x", "text": "Caf\xe9 opens", "title": "A title"}', "wrong encoding: byte 0xe9 at character 25"),
    (b'{"id": "x", "text": {"a": 1}, "title": "A title"}', "column 'text' holds a dict, not text"),
    (b'{"id": "x", "text": "Half \\ud83d of it", "title": "A title"}', "half of a character"),
    (b'{"id": "3", "text": "Other words.", "title": "A title"}', "the id '3' is the one of rows.jsonl:4"),
    (b'{"id": "", "text": "Other words.", "title": "A title"}', "empty id in column 'id'"),
    (b'{"id": "x", "text": "T", "title": "A", "year": "last week"}', "is no time"),
    (b"[" * 100_000, "broken JSON"),
]


@pytest.mark.parametrize(("line", "why"), BAD_LINES)
def test_a_bad_line_is_told_with_its_number_and_the_others_are_taken(line: bytes, why: str, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(lines(TEN[:5]) + b"\n" + line + b"\n" + lines(TEN[5:]))
    columns = Columns(time="year")
    made = bring(tmp_path / "rows.jsonl", tmp_path, columns)
    assert (made.reading.read, made.reading.bad, len(everything(made))) == (11, 1, 10)
    assert made.reading.shown[0].place == "rows.jsonl:7"
    assert why in made.reading.shown[0].why
    (tmp_path / "strict").mkdir()
    with pytest.raises(Invalid, match="1 bad rows, and --strict allows none"):
        bring(tmp_path / "rows.jsonl", tmp_path / "strict", columns, strict=True)
    assert list((tmp_path / "strict").rglob("*.json*")) == []


def test_bad_lines_of_a_csv_are_told_with_their_numbers(tmp_path: Path) -> None:
    words = (
        b'id,text,title\n1,"Two\nlines",A title\n2,one,two,three\n3,Caf\xe9,A title\n4,Fine,A title\n5,"x"y,A\n6,z,"A\n'
    )
    (tmp_path / "rows.csv").write_bytes(words)
    made = bring(tmp_path / "rows.csv", tmp_path)
    assert [one.text for one in sorted(everything(made), key=lambda one: one.text)] == ["Fine", "Two\nlines"]
    assert [(row.place, row.why.split(":")[0]) for row in made.reading.shown] == [
        ("rows.csv:4", "4 fields under 3 column names"),
        ("rows.csv:5", "wrong encoding"),
        ("rows.csv:7", "broken CSV"),
        ("rows.csv:8", "broken CSV"),
    ]


def test_a_file_in_another_encoding_is_read_by_its_name(tmp_path: Path) -> None:
    rows = [article(1, text="Un café à Paris " * 9, title="“Été”")]
    (tmp_path / "old.jsonl").write_bytes(lines(rows).decode().encode("cp1252"))
    (tmp_path / "wide.csv").write_bytes(as_csv(rows).decode().encode("utf-16"))
    for made in (
        bring(tmp_path / "old.jsonl", tmp_path, encoding="cp1252"),
        bring(tmp_path / "wide.csv", tmp_path, encoding="utf-16"),
    ):
        assert [one.title for one in everything(made)] == ["“Été”"]
    with pytest.raises(
        Invalid, match=r"none of the rows can be used; nothing was written:\n  old.jsonl:1: wrong encoding"
    ):
        bring(tmp_path / "old.jsonl", tmp_path)
    with pytest.raises(Invalid, match="there is no encoding 'klingon'"):
        bring(tmp_path / "old.jsonl", tmp_path, encoding="klingon")


@pytest.mark.parametrize("column", ["headline", "Title"])
def test_an_unknown_column_is_told_with_those_that_there_are(column: str, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(lines(TEN))
    with pytest.raises(Invalid, match=f"there is no column '{column}'; the columns are id, text, title, year"):
        bring(tmp_path / "rows.jsonl", tmp_path, Columns(target=column))
    assert list(tmp_path.rglob("manifest.json")) == []


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("cut.jsonl.gz", gzip.compress(lines(TEN))[:-200], "breaks off or is damaged after"),
        ("cut.parquet", b"PAR1 and no end", "is not a whole Parquet file"),
        ("no.gz", b"not compressed", "what is in it"),
        ("no.csv.gz", b"not compressed", "breaks off or is damaged after the first line"),
        ("empty.jsonl", b"", "no row can be used, for there is none"),
        ("header.csv", b"id,text,title\n", "no row can be used, for there is none"),
        ("list.json", b'[{"text": "x"', "begins as a JSON list, but is none"),
        ("twice.csv", b"text,title,text\na,b,c\n", "the column 'text' is there twice"),
    ],
)
def test_a_doubtful_file_is_refused_whole(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Invalid, match=words):
        bring(tmp_path / name, tmp_path)
    assert list(tmp_path.rglob("manifest.json")) == []


def test_only_so_many_rows_are_read(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(lines(TEN) + b"broken\n")
    made = bring(tmp_path / "rows.jsonl", tmp_path, limit=7)
    assert (made.reading.read, made.reading.bad, len(everything(made))) == (7, 0, 7)


def test_any_column_can_be_text_target_or_more(tmp_path: Path) -> None:
    rows = [{"body": row["text"], "label": number, "deck": "Short.", "lang": "en"} for number, row in enumerate(TEN)]
    write_parquet(tmp_path / "rows.parquet", rows)
    columns = Columns(text="body", target="label", language="lang", further=("deck",), template="{deck} {text}")
    made = bring(tmp_path / "rows.parquet", tmp_path, columns)
    assert sorted(one.title for one in everything(made)) == [str(number) for number in range(10)]
    one = everything(made)[0]
    assert (one.language, one.columns) == ("en", {"deck": "Short."})
    assert made.snapshot.prompt_template == "{deck} {text}"
    assert render(made.snapshot.prompt_template, one) == f"Short. {one.text}"


def test_rows_that_may_not_be_trained_on_are_left_out_and_counted(tmp_path: Path) -> None:
    values: list[object] = [True, "yes", 1, "Y", False, "no", 0, None, "", "perhaps"]
    rows = [row | {"open": value} for row, value in zip(TEN, values, strict=True)]
    (tmp_path / "rows.jsonl").write_bytes(lines(rows))
    made = bring(tmp_path / "rows.jsonl", tmp_path, Columns(allowed="open"))
    assert sorted(one.columns["id"] for one in everything(made)) == ["0", "1", "2", "3"]
    assert (made.left_out, made.reading.bad) == ({"may not be used for training": 3}, 3)
    assert "neither yes nor no" in made.reading.shown[0].why
    (tmp_path / "rows.jsonl").write_bytes(lines(rows[4:5]))
    with pytest.raises(Invalid, match="all 1 of them may not be trained on"):
        bring(tmp_path / "rows.jsonl", tmp_path, Columns(allowed="open"))


def test_a_teacher_says_who_it_is(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(lines(TEN))
    with pytest.raises(Invalid, match="need --model and --prompt"):
        bring(tmp_path / "rows.jsonl", tmp_path, Columns(origin=Origin.teacher, model="large"))
    made = bring(tmp_path / "rows.jsonl", tmp_path, Columns(origin=Origin.teacher, model="large", prompt="p1"))
    assert {(one.origin, one.model_version, one.prompt_version) for one in everything(made)} == {
        (Origin.teacher, "large", "p1")
    }


def test_retellings_stay_together_and_copies_go(tmp_path: Path) -> None:
    rows = []
    for number in range(60):
        words = tale(number).text.split()
        rows.append(article(number))
        rows.append(article(100 + number, text=" ".join(words) + " (Reuters)"))
        rows.append(
            article(200 + number, text=" ".join(words[: len(words) * 2 // 3]) + f" That is all about {number}.")
        )
    (tmp_path / "rows.jsonl").write_bytes(lines(rows))
    made = bring(tmp_path / "rows.jsonl", tmp_path, validation_share=0.3)
    assert made.left_out == {"nearly the same text as another example": 60}
    assert (made.stories, made.largest_story) == (60, 3)
    sides: dict[int, set[str]] = {}
    for one in everything(made):
        sides.setdefault(int(one.columns["id"]) % 100, set()).add(one.split)
        assert is_held_out(one.story_id) is (one.split == HOLDOUT)
    assert all(len(splits) == 1 for splits in sides.values())
    assert 8 <= sum(splits == {HOLDOUT} for splits in sides.values()) <= 28
    assert {split for splits in sides.values() for split in splits} == {TRAIN, VALIDATION, HOLDOUT}


def test_a_column_can_say_which_rows_are_one_story(tmp_path: Path) -> None:
    rows = [article(number, story=f"story {number // 4}") for number in range(60)] + [article(60, story="")]
    (tmp_path / "rows.jsonl").write_bytes(lines(rows))
    made = bring(tmp_path / "rows.jsonl", tmp_path, Columns(story="story"))
    assert (made.stories, made.largest_story) == (16, 4)
    sides = {int(one.columns["id"]): one.split for one in everything(made)}
    assert all(len({sides[4 * number + turn] for turn in range(4)}) == 1 for number in range(15))
    assert set(sides.values()) == {TRAIN, HOLDOUT}


def test_every_story_stays_on_its_side_when_the_file_grows(tmp_path: Path) -> None:
    rows = [article(number) for number in range(60)]
    (tmp_path / "rows.jsonl").write_bytes(lines(rows))
    before = bring(tmp_path / "rows.jsonl", tmp_path).snapshot
    words = [tale(number).text.split() for number in range(60)]
    more = [article(100 + n, text=" ".join(words[n][: len(words[n]) * 2 // 3]) + f" So {n}.") for n in range(60)]
    (tmp_path / "rows.jsonl").write_bytes(lines(rows + more))

    def sides(made: Imported) -> dict[int, str]:
        return {int(one.columns["id"]): one.split for one in everything(made)}

    alone = sides(bring(tmp_path / "rows.jsonl", tmp_path))
    after = sides(bring(tmp_path / "rows.jsonl", tmp_path, earlier=before))
    was = {int(one.columns["id"]): one.split for split in SPLITS for one in before.examples(split)}
    assert len(after) == 120
    assert {number: after[number] for number in was} == was
    assert {number: after[number + 100] for number in was} == was
    assert {number: alone[number] for number in was} != was, "else the earlier data set was not needed"


def test_what_retells_an_article_that_the_newsroom_holds_out_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(lines(TEN))
    trained = {one.text for one in bring(tmp_path / "rows.jsonl", tmp_path).snapshot.examples(TRAIN)}
    made = bring(tmp_path / "rows.jsonl", tmp_path, held_out_texts=[min(trained) + " And more."])
    assert {one.text for one in made.snapshot.examples(TRAIN)} == trained - {min(trained)}
    assert made.left_out == {"its story is nearly the same as a held-out one": 1}


def test_a_database_is_asked_and_not_changed(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/theirs.db"
    with create_engine(address).begin() as theirs:
        theirs.execute(text("CREATE TABLE news (headline TEXT, body TEXT, day DATE)"))
        for row in TEN:
            theirs.execute(text("INSERT INTO news VALUES (:title, :text, '2020-02-03')"), row)
    columns = Columns(text="body", target="headline", time="day")
    made = import_rows(query(address, "SELECT * FROM news"), columns, tmp_path, came_from="a query")
    assert len(everything(made)) == 10
    assert everything(made)[0].at == datetime(2020, 2, 3, tzinfo=UTC)
    for statement, words in (
        ("SELECT * FROM nowhere", "no such table: nowhere"),
        ("DELETE FROM news", "gives no rows"),
        ("nonsense", "syntax error"),
    ):
        with pytest.raises(Invalid, match=words):
            list(query(address, statement))
    assert len(list(query(address, "SELECT * FROM news"))) == 10


@pytest.mark.parametrize("address", ["", "not an address", "mystery://secret@host/db"])
def test_an_address_of_no_database_is_told_without_repeating_it(address: str) -> None:
    with pytest.raises(Invalid, match="COPYDESK_DATASET_DATABASE_URL") as told:
        list(query(address, "SELECT 1"))
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("Title for {headline}: {text}", r"asks for \{headline\}; there are text, source, language, deck"),
        ("No text", "shows no text"),
        ("Broken {text", "cannot be read"),
        ("{text:>30}", "is not simply"),
        ("{} {text}", "is not simply"),
        ("{text.upper}", "asks for {text.upper}"),
    ],
)
def test_a_template_that_cannot_work_is_refused(template: str, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        check(template, ["deck"])


def test_braces_in_a_text_and_doubled_ones_in_a_template_are_only_braces(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(lines([article(1, text="A {source} of {text}")]))
    one = everything(bring(tmp_path / "rows.jsonl", tmp_path))[0]
    assert render('{{"article": "{text}"}}', one) == '{"article": "A {source} of {text}"}'
    assert placeholders("{deck}: {text} {deck}") == ("deck", "text")


def test_values_of_other_kinds_become_words() -> None:
    row = {"text": 12, "title": 1.5, "when": date(2020, 2, 3), "empty": float("nan")}
    one = Columns(time="when", source="empty").example(row)
    assert (one.text, one.title, one.source, one.at) == ("12", "1.5", "", datetime(2020, 2, 3, tzinfo=UTC))


def test_reading_goes_on_by_lines_however_long_the_file(tmp_path: Path) -> None:
    rows = read(str(tmp_path / "endless.jsonl"))
    with (tmp_path / "endless.jsonl").open("wb") as file:
        file.write(lines(TEN))
        file.write(b"x" * 10_000)  # a line without end
    assert [isinstance(row, BadRow) for row in rows] == [False] * 10 + [True]


def test_a_field_longer_than_python_allows_by_itself_is_read(tmp_path: Path) -> None:
    with (tmp_path / "long.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["text", "title"], ["word " * 40_000, "A title"]])
    assert len(everything(bring(tmp_path / "long.csv", tmp_path))[0].text) == 199_999


FILES = st.sampled_from(["x.jsonl", "x.csv", "x.json", "x.parquet", "x.jsonl.gz", "x.tsv.bz2"])
PIECES = st.sampled_from(
    [b'{"text": "', b'", "title": "', b'"}', b"\n", b"\r\n", b'"', b",", b"[", b"text,title", b"\xff", b"\x00"]
)
CONTENT = st.lists(PIECES | st.binary(max_size=12), max_size=30).map(b"".join)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=FILES, content=CONTENT, encoding=st.sampled_from(["utf-8", "utf-16"]))
def test_whatever_is_in_a_file_is_read_or_refused_in_words(
    name: str, content: bytes, encoding: str, tmp_path: Path
) -> None:
    if name.endswith(".gz"):
        content = gzip.compress(content)
    if name.endswith(".bz2"):
        content = bz2.compress(content)
    (tmp_path / name).write_bytes(content)
    try:
        made = bring(tmp_path / name, tmp_path, encoding=encoding)
    except Invalid:
        return
    assert all(one.text and one.title for one in everything(made))
