"""How an article is laid out for a curator."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workers.desk.reading import READING_LIMIT, Span, lay_out, mark_strange


def marked(spans: tuple[Span, ...]) -> list[str]:
    return [span.text for span in spans if span.marked]


def test_the_evidence_is_marked_where_it_stands() -> None:
    paragraphs = lay_out("First things.\n\nShips sail. Ports  pay\nfor tides. Nobody minds.", "Ports pay for tides.")
    assert [marked(paragraph) for paragraph in paragraphs] == [[], ["Ports  pay"], ["for tides."]]


def test_evidence_that_is_not_there_marks_nothing() -> None:
    assert lay_out("One line.", "Another (line") == ((Span("One line.", False),),)


def test_a_very_long_article_is_cut() -> None:
    paragraphs = lay_out("word " * READING_LIMIT, "")
    assert sum(len(span.text) for paragraph in paragraphs for span in paragraph) <= READING_LIMIT


def test_words_that_the_article_does_not_have_are_marked() -> None:
    article = "Kelp & Sons has raised $18 million for robots that sort fish."
    assert marked(mark_strange("Kelp's robots for sorting fish raise $80 million in Bremen", article)) == [
        "80",
        "Bremen",
    ]


@given(st.text(max_size=80), st.text(max_size=80))
def test_marking_loses_no_character(title: str, article: str) -> None:
    assert "".join(span.text for span in mark_strange(title, article)) == title


@given(st.text(max_size=200), st.text(max_size=40))
def test_laying_out_loses_nothing_but_white_space(text: str, evidence: str) -> None:
    shown = "".join(span.text for paragraph in lay_out(text, evidence) for span in paragraph)
    assert "".join(shown.split()) == "".join(text.split())
