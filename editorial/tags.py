"""The error tags: what a curator says is wrong with a title, and what the house rules say in the same words."""

from __future__ import annotations

TAGS: dict[str, str] = {
    "jargon_or_acronym": "It uses a specialist word or an acronym that our readers would have to look up.",
    "compilation_missed": "The article is a list of several things, but the title speaks of one of them.",
    "dataset_missed": "The article presents a dataset, but the title does not say so or not what it is good for.",
    "too_long": "It is longer than 60 characters.",
    "quoted": "It has quotation marks around it or inside it.",
    "not_in_article": "It names something, or gives a figure, that the article does not have.",
    "dull": "It is right, but nobody would click on it.",
    "other": "Something else is wrong; please say what in the note.",
}
"""Every tag with the sentence that the desk shows beside it, in the order of the form."""

TAG_OF_RULE: dict[str, str] = {
    "empty": "other",
    "too_long": "too_long",
    "quotation_marks": "quoted",
    "prompt_leakage": "other",
    "several_lines": "other",
    "language": "other",
    "acronym": "jargon_or_acronym",
    "jargon": "jargon_or_acronym",
    "number_not_in_article": "not_in_article",
    "name_not_in_article": "not_in_article",
    "compilation": "compilation_missed",
    "dataset": "dataset_missed",
    "copied": "dull",
    "repeated": "dull",
    "clickbait": "other",
}
"""The tag that a broken house rule stands for."""
