"""Every metric, its unit and its meaning. No other module makes one, so dashboard and alert rules have one list to fit.

Names follow Prometheus: `_total` counts, `_seconds`, `_bytes` and `_ratio` are base units, `_info` is always 1 and
speaks through its labels. Which worker a figure comes from is not in here: the scrape configuration says it as the
label `worker`. Counters start at 0 with each start of a process, as `rate()` expects.

Labels have few values, known in advance, but for `model_version` in an `_info`: one at a time.
"""

from __future__ import annotations

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, disable_created_metrics

from schemas.topics import TOPICS, Topic

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter that nobody asks for

_WAY = (1.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0)
_SHORT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 90.0)

# --- streams: set by workers/window.py and workers/stream.py -------------------------------------------------------
EVENTS_RECEIVED = Counter(
    "copydesk_events_received_total",
    "Events taken into the window, by the topic they lie on; one that is delivered again counts again.",
    ["topic"],
)
EVENTS_HANDLED = Counter(
    "copydesk_events_handled_total",
    "Events seen through by their handler, so that their offsets may be committed; dead letters not among them.",
    ["topic"],
)
EVENTS_SENT = Counter(
    "copydesk_events_sent_total", "Events that the broker has acknowledged, by the topic they were sent to.", ["topic"]
)
EVENTS_RETRIED = Counter(
    "copydesk_events_retried_total",
    "Tries that failed and are made again; reason is `transient` (counted against the message) or `unavailable`"
    " (a part that all messages need is down).",
    ["topic", "reason"],
)
DEAD_LETTERS = Counter(
    "copydesk_dead_letters_total",
    "Events put on the dead letter topic; reason is `invalid` or `transient` (tried too often).",
    ["topic", "reason"],
)
HANDLER_SECONDS = Histogram(
    "copydesk_handler_seconds",
    "Seconds that one try of one event took, its sends included.",
    ["topic"],
    buckets=_SHORT,
)
IN_FLIGHT = Gauge(
    "copydesk_in_flight_events", "Events in hand: with a handler, or resting between two tries; all uncommitted."
)
RESTING = Gauge("copydesk_resting_events", "Of the events in flight, those that wait for their next try.")
WINDOW_SIZE = Gauge("copydesk_window_size_events", "Most events that may be in flight.")
WINDOW_OCCUPANCY = Gauge(
    "copydesk_window_occupancy_ratio", "Share of the window in use, 0 to 1; at 1 the worker takes nothing new."
)
PAUSED = Gauge(
    "copydesk_paused", "1 while the worker takes no events because a part that it needs is down or full, else 0."
)
PARTITIONS = Gauge("copydesk_assigned_partitions", "Partitions that the consumer group has given to this process.")
LAG = Gauge(
    "copydesk_committed_lag_events",
    "Events between the group's committed offset and the end of the topic, all partitions: work not yet safe.",
    ["topic"],
)

# --- titles: set by generator, scorer, desk and archivist ----------------------------------------------------------
FETCHED_TO_PUBLISHED = Histogram(
    "copydesk_fetched_to_published_seconds",
    "Seconds from an article's page being fetched to its title being acknowledged on `published`; origin is `model`"
    " (straight through) or `curator` (after a person's verdict).",
    ["origin"],
    buckets=_WAY,
)
MODEL_SECONDS = Histogram(
    "copydesk_model_request_seconds",
    "Seconds that a request to the model server took, as the generator sees it; outcome is `answered`, `slow`,"
    " `unavailable`, `refused` or `failed`.",
    ["outcome"],
    buckets=_SHORT,
)
MODEL_TOKENS = Counter(
    "copydesk_model_tokens_total", "Tokens of answered requests; direction is `input` or `output`.", ["direction"]
)
MODEL_COST = Counter(
    "copydesk_model_cost_usd_total", "US dollars for answered requests, at the prices in the settings."
)
ADAPTER = Gauge(
    "copydesk_adapter_info",
    "The adapter that this generator writes titles with, and its base and prompt.",
    ["model_version", "base_model", "prompt_version"],
)
TITLES_SCORED = Counter(
    "copydesk_titles_scored_total",
    "Titles judged; decision is `published`, `flagged` (something spoke against it) or `audit` (a random sample).",
    ["decision"],
)
SCORE_BATCH = Histogram(
    "copydesk_score_batch_titles", "Titles that were judged together in one pass.", buckets=(1, 2, 4, 8, 16, 32, 64)
)
SCORE_SECONDS = Histogram(
    "copydesk_score_batch_seconds", "Seconds that one pass of the scoring model took.", buckets=_SHORT
)
STORE_SECONDS = Histogram(
    "copydesk_database_write_seconds",
    "Seconds that storing one event's rows took, waiting for a writer not included.",
    buckets=_SHORT,
)
VERDICTS = Counter("copydesk_verdicts_total", "Verdicts of curators that the broker has acknowledged.", ["verdict"])
REVIEW_WAITING = Gauge("copydesk_review_waiting_titles", "Titles that wait for a person; NaN while nobody can tell.")
FLAGGER_PRECISION = Gauge(
    "copydesk_flagger_precision_ratio",
    "Of the titles of the last 30 days that were flagged and judged, those that needed a correction; bound is"
    " `estimate`, `low` or `high` (95 % confidence). NaN while nobody can tell.",
    ["bound"],
)
FLAGGER_MISSED = Gauge(
    "copydesk_flagger_missed_ratio",
    "Of the titles of the last 30 days that were not flagged, those that needed a correction, by the random audit;"
    " bound is `estimate`, `low` or `high` (95 % confidence). NaN while nobody can tell.",
    ["bound"],
)
FLAGGER_RECALL = Gauge(
    "copydesk_flagger_recall_ratio",
    "Of all titles of the last 30 days that needed a correction, those that were flagged; bound is `estimate`, `low`"
    " or `high` (95 % confidence). NaN while nobody can tell.",
    ["bound"],
)
SHIFTED_SOURCES = Gauge("copydesk_shifted_sources", "Sources whose newest scores are not what they were before.")
COPIED = Gauge(
    "copydesk_copied_ratio",
    "Of the words of the serving version's newest titles, those that stand in the article as one stretch.",
)
NOVEL = Gauge(
    "copydesk_novel_ratio",
    "Of the pairs of words of the serving version's newest titles, those that the article does not have.",
)

# --- the press: set by the scraper ---------------------------------------------------------------------------------
FEED_POLLS = Counter(
    "copydesk_feed_polls_total",
    "Feeds asked; outcome is `news`, `nothing` (nothing new) or `failed`.",
    ["outcome"],
)
PAGES = Counter(
    "copydesk_pages_total",
    "Article pages asked for; outcome is `article`, `again` (failed, tried again later) or `given_up`.",
    ["outcome"],
)
PAGE_SECONDS = Histogram(
    "copydesk_page_seconds", "Seconds to fetch one page and take the article out, waiting included.", buckets=_SHORT
)

# --- learning: set by the retrainer --------------------------------------------------------------------------------
TRAINING_RUNS = Counter(
    "copydesk_training_runs_total",
    "Training runs that ended; outcome is `promoted`, `refused`, `failed` or `interrupted`.",
    ["outcome"],
)
TRAINING = Gauge("copydesk_training", "1 while a training runs, else 0.")
CORRECTIONS_WAITING = Gauge(
    "copydesk_corrections_waiting", "Corrected titles that no finished training has seen; enough of them start one."
)
CHAMPION = Gauge(
    "copydesk_champion_info", "The version that the registry wants to serve.", ["model_version", "sequence"]
)

# --- the embedded model server, on its own port --------------------------------------------------------------------
SERVER_REQUESTS = Counter(
    "copydesk_model_server_requests_total", "Requests for a title answered, by HTTP status.", ["status"]
)
SERVER_BATCH = Histogram(
    "copydesk_model_server_batch_requests", "Requests that went through the model together.", buckets=(1, 2, 4, 8, 16)
)
SERVER_SECONDS = Histogram(
    "copydesk_model_server_batch_seconds", "Seconds that the model took for one batch.", buckets=_SHORT
)
SERVER_QUEUE = Gauge("copydesk_model_server_waiting_requests", "Requests that wait for a batch.")
SERVER_ADAPTERS = Gauge("copydesk_model_server_adapters", "Adapters loaded beside the base model.")

# --- every process -------------------------------------------------------------------------------------------------
READY = Gauge("copydesk_ready", "What /readyz says: 1 ready, 0 not.")


_STREAM_WORKERS = ("generator", "scorer", "archivist")
_SPEAKERS: dict[tuple[str, ...], tuple[Counter | Gauge | Histogram, ...]] = {
    _STREAM_WORKERS: (IN_FLIGHT, RESTING, WINDOW_SIZE, WINDOW_OCCUPANCY, PAUSED, PARTITIONS),
    (*_STREAM_WORKERS, "desk", "retrainer", "scraper"): (READY,),
    ("generator",): (MODEL_COST,),
    ("scorer",): (SCORE_BATCH, SCORE_SECONDS),
    ("archivist",): (STORE_SECONDS,),
    ("desk",): (REVIEW_WAITING, SHIFTED_SOURCES, COPIED, NOVEL),
    ("scraper",): (PAGE_SECONDS,),
    ("retrainer",): (TRAINING, CORRECTIONS_WAITING),
    ("model-server",): (SERVER_BATCH, SERVER_SECONDS, SERVER_QUEUE, SERVER_ADAPTERS),
}
"""Who speaks of the metrics without labels."""
_VALUES: dict[tuple[str, Counter | Histogram], tuple[str, ...]] = {
    ("scorer", FETCHED_TO_PUBLISHED): ("model",),
    ("desk", FETCHED_TO_PUBLISHED): ("curator",),
    ("generator", MODEL_SECONDS): ("answered", "slow", "unavailable", "refused", "failed"),
    ("generator", MODEL_TOKENS): ("input", "output"),
    ("scorer", TITLES_SCORED): ("published", "flagged", "audit"),
    ("desk", VERDICTS): ("approved", "corrected", "spiked"),
    ("scraper", FEED_POLLS): ("news", "nothing", "failed"),
    ("scraper", PAGES): ("article", "again", "given_up"),
    ("retrainer", TRAINING_RUNS): ("promoted", "refused", "failed", "interrupted"),
    ("model-server", SERVER_REQUESTS): ("200",),
}
"""The values that the labels may have."""


def speak_as(process: str) -> None:
    """Say what this process knows from the start, and nothing about what only others know.

    A counter that first appears as 1 has not increased, for Prometheus: an alert would miss the first dead letter. And
    a metric without labels is 0 from the start, which is a statement.
    """
    for speakers, spoken_of in _SPEAKERS.items():
        if process not in speakers:
            for metric in spoken_of:
                REGISTRY.unregister(metric)
    for (speaker, labelled), values in _VALUES.items():
        for value in values if speaker == process else ():
            labelled.labels(value)
    for topic in TOPICS:
        if process in topic.writers:
            EVENTS_SENT.labels(topic.name)
        if process in topic.readers and process in _STREAM_WORKERS:
            _reads(topic)


def _reads(topic: Topic) -> None:
    for plain in (EVENTS_RECEIVED, EVENTS_HANDLED, HANDLER_SECONDS):
        plain.labels(topic.name)
    for reason in ("transient", "unavailable"):
        EVENTS_RETRIED.labels(topic.name, reason)
    for reason in ("invalid", "transient"):
        DEAD_LETTERS.labels(topic.name, reason)


def say(info: Gauge, **labels: str) -> None:
    """Give an `_info` its labels, and forget those it had."""
    info.clear()
    info.labels(**labels).set(1)


def series() -> dict[str, tuple[str, ...]]:
    """Every series of ours that a scrape may hold, with its labels."""
    found: dict[str, tuple[str, ...]] = {}
    for metric in list(globals().values()):
        match metric:
            case Counter():
                found[f"{metric._name}_total"] = tuple(metric._labelnames)
            case Histogram():
                name, labels = metric._name, tuple(metric._labelnames)
                found |= {f"{name}_bucket": (*labels, "le"), f"{name}_sum": labels, f"{name}_count": labels}
            case Gauge():
                found[metric._name] = tuple(metric._labelnames)
    return found
