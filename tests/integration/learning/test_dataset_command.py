"""`copydesk dataset` as a stranger types it, from an empty data folder on."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlmodel import Session
from typer.testing import CliRunner, Result

from copydesk.main import app
from infra.database import make_engine, migrate
from infra.settings import Settings, get_settings
from schemas.errors import Mendable
from schemas.records import CorrectionRow
from tests.learning_samples import article_row, correction_row, fill, tale

Command = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("COPYDESK_HOME", str(tmp_path / "home"))
    get_settings.cache_clear()
    yield tmp_path / "home"
    get_settings.cache_clear()


@pytest.fixture
def command(home: Path) -> Command:
    return lambda *words: CliRunner().invoke(app, ["dataset", *map(str, words)])


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    values = [{"id": str(n), "text": tale(n).text, "title": tale(n).house_title, "source": "A"} for n in range(60)]
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    return path


@pytest.fixture
def curated(home: Path) -> None:
    engine = make_engine(Settings(home=home))
    migrate(engine)
    fill(engine, articles=40, corrections=30)


def told(result: Result) -> str:
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def trouble(result: Result) -> str:
    assert isinstance(result.exception, Mendable), (result.output, result.exception)
    return str(result.exception)


def test_from_a_file_to_a_named_data_set_and_out_again(command: Command, rows: Path, tmp_path: Path) -> None:
    words = told(command("import", rows, "--name", "news", "--source-column", "source"))
    assert "60 rows read, 0 of them bad." in words
    facts = json.loads(told(command("show", "news", "--json", "--rows", 1)))
    assert sum(facts["examples"].values()) == 60
    assert all(facts["examples"].values())
    assert facts["by"]["source"] == {"A": facts["examples"]}
    assert "news" in told(command("show"))
    assert tale(0).house_title[:20] in told(command("show", "news", "--rows", 60))
    for form in ("jsonl", "csv", "parquet", "hf", "chat"):
        told(command("export", "news", tmp_path / form, "--format", form))
    assert "0 came, 0 went, 0 changed, 60 stayed" in told(command("diff", "news", facts["hash"][:8]))


def test_a_dry_run_of_an_import_gone_wrong_leaves_the_name_alone(command: Command, rows: Path) -> None:
    told(command("import", rows, "--name", "news"))
    before = told(command("show", "--json"))
    with rows.open("a") as file:
        file.write("broken\n")
    assert "rows.jsonl:61: broken JSON" in trouble(command("import", rows, "--name", "news", "--strict"))
    assert "there is no column 'headline'" in trouble(command("import", rows, "--target-column", "headline"))
    assert told(command("show", "--json")) == before
    assert "rows.jsonl:61: broken JSON" in told(command("import", rows, "--name", "news"))


def test_a_damaged_data_set_does_not_hide_the_others(command: Command, rows: Path, home: Path) -> None:
    told(command("import", rows, "--limit", 30))
    (broken,) = (home / "datasets").glob("*/manifest.json")
    broken.write_text("{")
    told(command("import", rows, "--name", "whole"))
    words = told(command("show"))
    assert "whole" in words
    assert f"{broken} cannot be read" in words


@pytest.mark.parametrize(
    ("words", "told_so"),
    [
        ("import", "one of them"),
        ("import rows.jsonl --sql SELECT", "one of them"),
        ("import rows.jsonl --origin approval", "there are import and teacher"),
        ("import rows.jsonl --format xls", "there are jsonl, csv, parquet and hf"),
        ("import rows.jsonl --name ../x", "cannot be a data set's name"),
        ("import rows.jsonl --template @nowhere", "cannot be read"),
        ("import --sql SELECT", "COPYDESK_DATASET_DATABASE_URL is not set"),
        ("build --without nonsense", "there are approval, audit, correction, import, teacher"),
        ("build --since yesterday", "is not a time such as"),
        ("build --with nothing", "there is no data set 'nothing'"),
        ("build", "there is no example for a data set"),
        ("show nothing", "there is no data set 'nothing'"),
        ("export nothing out", "there is no data set 'nothing'"),
        ("export nothing out --format docx", "there are jsonl, csv, parquet, hf, chat"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(words: str, told_so: str, command: Command) -> None:
    assert told_so in trouble(command(*words.split()))


@pytest.mark.usefixtures("curated")
def test_corrections_become_a_data_set_from_which_a_source_can_be_left_out(command: Command, home: Path) -> None:
    with Session(make_engine(Settings(home=home))) as session:
        approved = article_row(100)
        session.add_all([approved, correction_row(approved, "Fine as it is", verdict="approved")])
        session.commit()
    dry = json.loads(told(command("build", "--dry-run", "--json")))
    assert not (home / "datasets").exists()
    made = json.loads(told(command("build", "--name", "all", "--json")))
    assert made["splits"] == dry["splits"]
    assert made["splits"]["train"]["correction"] + made["splits"]["holdout"]["correction"] >= 25
    without = told(command("build", "--without", "approval", "--validation", 0, "--name", "few"))
    assert "left out 1: origin approval is not wanted" in without
    difference = json.loads(told(command("diff", "all", "few", "--json")))
    assert [one["title"] for one in difference["went"]] == ["Fine as it is"]
    assert {tuple(one["fields"]) for one in difference["changed"]} <= {("split",)}
    assert told(command("build", "--without", "approval", "--validation", 0)).endswith(without.rpartition("(hash")[2])


@pytest.mark.usefixtures("curated")
def test_an_import_is_mixed_in_and_what_the_newsroom_holds_out_stays_out_of_it(command: Command, rows: Path) -> None:
    words = told(command("import", rows, "--name", "news", "--json"))
    assert json.loads(words)["left_out"]["its story is nearly the same as a held-out one"] >= 5
    made = json.loads(told(command("build", "--with", "news", "--older-share", 0.5, "--validation", 0, "--json")))
    train = made["splits"]["train"]
    assert train["import"] <= train["correction"]
    assert made["left_out"]["nearly the same text as another example"] >= 5


def test_a_web_server_and_a_database_are_sources_too(
    command: Command, rows: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(rows.parent))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        told(command("import", f"{address}/rows.jsonl", "--name", "web"))
        assert "there is no file or folder" in trouble(command("import", f"{address}/nothing.jsonl"))
        server.shutdown()
    assert "cannot be read" in trouble(command("import", f"{address}/rows.jsonl"))

    engine = make_engine(Settings(home=home))
    migrate(engine)
    fill(engine, articles=8, corrections=8)
    monkeypatch.setenv("COPYDESK_DATASET_DATABASE_URL", f"sqlite:///{home}/copydesk.db")
    get_settings.cache_clear()
    statement = "SELECT article_id, text, headline, source FROM articles"
    columns = ("--id-column", "article_id", "--target-column", "headline", "--source-column", "source")
    facts = json.loads(told(command("import", "--sql", statement, *columns, "--json")))
    assert facts["rows"] == {"read": 8, "bad": 0}


@pytest.mark.usefixtures("curated")
def test_a_later_correction_shows_in_the_difference(command: Command, home: Path) -> None:
    told(command("build", "--name", "before", "--validation", 0))
    engine = make_engine(Settings(home=home))
    with Session(engine) as session:
        row = session.get_one(
            CorrectionRow, correction_row(article_row(3), tale(3).house_title, minute=3).correction_id
        )
        session.add(CorrectionRow.model_validate(row.model_dump() | later(row)))
        session.commit()
    told(command("build", "--name", "after", "--validation", 0))
    words = told(command("diff", "before", "after"))
    assert "0 came, 0 went, 1 changed" in words
    assert "A better title" in words


def later(row: CorrectionRow) -> dict[str, object]:
    second = correction_row(article_row(3), "A better title", minute=90)
    return {"correction_id": second.correction_id, "title_after": "A better title", "decided_at": second.decided_at}
