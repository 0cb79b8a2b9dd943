from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from editorial.sentences import sentence_spans


def test_sentences_end_where_a_reader_ends_them() -> None:
    text = 'Dr. Olsen paid $1.5 million. "Too much?" she asked. No!\nA new line'

    sentences = [text[start:end].strip() for start, end in sentence_spans(text)]

    assert sentences == ["Dr. Olsen paid $1.5 million.", '"Too much?" she asked.', "No!", "A new line"]


@given(st.text(alphabet="ab .!?\nA\"'。", max_size=200))
def test_sentences_cover_the_text_without_gaps(text: str) -> None:
    spans = sentence_spans(text)

    assert "".join(text[start:end] for start, end in spans) == text
    assert all(start < end for start, end in spans)
