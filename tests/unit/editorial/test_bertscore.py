"""BERTScore with the model that comes with the installation; loading it opens no socket."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from editorial.bertscore import MAX_WINDOWS, MINILM_LAYERS, Scorer, _baseline, minilm_folder
from infra.newsroom.stories import write_story
from schemas.errors import Invalid

STORIES = [write_story(3, number) for number in range(6)]
FILLER = "The weather was mild and the streets were quiet all day long. "
ANY_TEXT = st.one_of(
    st.integers(0, 10**6).map(lambda number: write_story(5, number).house_title),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60).map(lambda text: f"{text} harbour"),
)
"""Headlines, and whatever else a text may be; never empty, which the package does not bear."""
NEWS = "Harbor Labs opened a museum of clocks in Lisbon. "


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer("minilm", threads=1)


def package_scores(titles: list[str], articles: list[str], idf: bool = False) -> list[tuple[float, float, float]]:
    """The package's figures. It opens the model anew every time, which is why this is called with many pairs."""
    import bert_score

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        figures = bert_score.score(
            titles, articles, model_type=str(minilm_folder()), num_layers=MINILM_LAYERS, idf=idf, nthreads=1
        )
    return list(zip(*(values.tolist() for values in figures), strict=True))


def test_short_articles_score_as_the_package_scores_them(scorer: Scorer) -> None:
    titles = [story.house_title for story in STORIES] + ["Café 日本 🦊 &amp;", "a"]
    articles = [story.text for story in STORIES] + ["Naïve\n\n  text. ", "b " * 400]

    ours = scorer.score(titles, articles)

    for score, (precision, recall, f1) in zip(ours, package_scores(titles, articles), strict=True):
        assert score.precision == pytest.approx(precision, abs=1e-5)
        assert score.recall == pytest.approx(recall, abs=1e-5)
        assert score.f1 == pytest.approx(f1, abs=1e-5)


@pytest.mark.parametrize(("dtype", "allowed"), [("float32", 1e-5), ("bfloat16", 1e-3)])
def test_any_titles_and_articles_score_as_the_package_scores_them(dtype: str, allowed: float) -> None:
    import bert_score

    package = bert_score.BERTScorer(model_type=str(minilm_folder()), num_layers=MINILM_LAYERS, nthreads=1)
    ours = Scorer("minilm", threads=1, dtype=dtype, cache_bytes=0)

    @settings(max_examples=40, deadline=None, derandomize=True)
    @given(ANY_TEXT, st.lists(ANY_TEXT, min_size=1, max_size=12).map(" ".join))
    def same(title: str, article: str) -> None:
        # pair by pair: in a batch the package takes padding for tokens of cosine 0, which beat those of negative ones
        expected = [values.item() for values in package.score([title], [article])]
        (score,) = ours.score([title], [article])
        assert (score.precision, score.recall, score.f1) == pytest.approx(expected, abs=allowed)

    same()


def test_with_one_window_a_long_article_is_cut_as_the_package_cuts_it() -> None:
    titles, articles = ["Museum of clocks opens in Lisbon"] * 2, [FILLER * 60 + NEWS, NEWS + FILLER * 80]

    ours = Scorer("minilm", threads=1, windows=1)

    for score, expected in zip(ours.score(titles, articles), package_scores(titles, articles), strict=True):
        assert (score.precision, score.recall, score.f1) == pytest.approx(expected, abs=1e-5)


def test_with_idf_common_words_count_as_little_as_in_the_package() -> None:
    titles, articles = [story.house_title for story in STORIES], [story.text for story in STORIES]

    ours = Scorer("minilm", threads=1, idf_texts=articles)

    assert "_idf_" in ours.hash
    for score, expected in zip(ours.score(titles, articles), package_scores(titles, articles, idf=True), strict=True):
        assert (score.precision, score.recall, score.f1) == pytest.approx(expected, abs=1e-5)


def test_bfloat16_has_a_hash_of_its_own(scorer: Scorer) -> None:
    assert Scorer("minilm", threads=1, dtype="bfloat16").hash != scorer.hash


def test_a_baseline_is_the_package_s_and_a_model_without_one_is_refused() -> None:
    assert _baseline("roberta-large", 17) == pytest.approx((0.8315, 0.8315, 0.8312), abs=2e-3)
    with pytest.raises(Invalid, match="without rescaling"):
        Scorer("minilm", rescale=True)


def test_an_article_is_read_once_for_all_its_titles_until_others_push_it_out() -> None:
    small = Scorer("minilm", threads=1, cache_bytes=300_000)  # about 200 tokens
    read: list[int] = []
    small._model.register_forward_pre_hook(lambda model, given: read.append(given[0].numel()))  # tokens
    article, others = FILLER * 5, [FILLER * 5 + str(number) for number in range(3)]

    def tokens_for(titles: list[str], articles: list[str]) -> int:
        read.clear()
        small.score(titles, articles)
        return sum(read)

    first = tokens_for(["Quiet streets"], [article])

    assert tokens_for(["Quiet streets"], [article]) < first / 5  # the title alone
    tokens_for(["A"] * 3, others)
    assert tokens_for(["Quiet streets"], [article]) == first
    assert 0 < small._kept_bytes <= 300_000


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(), max_size=40), min_size=1, max_size=4))
def test_any_title_has_a_score_that_does_not_depend_on_its_neighbours(scorer: Scorer, titles: list[str]) -> None:
    together = scorer.score(titles, [NEWS * 3] * len(titles))
    alone = [scorer.score([title], [NEWS * 3])[0] for title in titles]

    for one, other in zip(together, alone, strict=True):
        assert one.precision == pytest.approx(other.precision, abs=1e-5)
        assert -1 <= one.precision <= 1 + 1e-5  # of a single letter even negative


def test_an_empty_title_or_article_scores_nothing(scorer: Scorer) -> None:
    scores = scorer.score(["", " \n", "A title", "\ufeff"], [NEWS, NEWS, "", NEWS])

    assert [score.precision for score in scores[:3]] == [0, 0, 0]
    assert [score.evidence for score in scores[:3]] == ["", "", ""]


def test_the_evidence_is_the_sentence_that_says_it(scorer: Scorer) -> None:
    article = FILLER * 4 + NEWS + FILLER * 4

    (score,) = scorer.score(["Museum of clocks opens in Lisbon"], [article])

    assert score.evidence == NEWS.strip()


def test_support_behind_the_512th_token_is_seen(scorer: Scorer) -> None:
    title = "Museum of clocks opens in Lisbon"

    with_news, without = scorer.score([title, title], [FILLER * 60 + NEWS, FILLER * 61])

    assert with_news.precision > without.precision + 0.2
    assert with_news.evidence == NEWS.strip()


def test_windows_cover_a_long_text_and_end_with_sentences(scorer: Scorer) -> None:
    text = (FILLER * 120).strip()

    windows = scorer._windows(text)
    starts = [start for window in windows for start in window.starts if start >= 0]

    assert len(windows) > 2
    assert all(len(window.ids) <= 512 for window in windows)
    assert starts == sorted(set(starts))
    assert len(starts) == len(scorer._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
    assert all(window.starts[1] % len(FILLER) == 0 for window in windows)


def test_an_article_without_end_is_read_to_a_bound(scorer: Scorer) -> None:
    assert len(scorer._windows("word " * 30_000)) == MAX_WINDOWS


def test_the_hash_names_model_layer_and_versions_but_no_folder(scorer: Scorer) -> None:
    assert scorer.hash.startswith("all-MiniLM-L6-v2_L6_no-idf_version=")
    assert "/" not in scorer.hash


def test_an_unknown_model_is_refused_with_the_way_out() -> None:
    with pytest.raises(Invalid, match="minilm"):
        Scorer("no-such-model")


def test_titles_and_articles_must_be_pairs(scorer: Scorer) -> None:
    with pytest.raises(ValueError):
        scorer.score(["one"], [])
