"""Topics as they will be asked for, without a broker."""

from __future__ import annotations

from infra.kafka import client_config, topic_specs
from infra.settings import Settings
from schemas.topics import ADAPTERS, ARTICLES, TOPICS


def test_every_topic_of_the_registry_has_its_dead_letters_beside_it() -> None:
    assert set(topic_specs(embedded=True)) == {name for topic in TOPICS for name in (topic.name, topic.dead_letters)}


def test_only_compacted_topics_are_compacted_and_their_dead_letters_never() -> None:
    specs = topic_specs(embedded=False)
    compacted = {name for name, spec in specs.items() if spec["configs"]["cleanup.policy"] == "compact"}
    assert compacted == {topic.name for topic in TOPICS if topic.compacted} == {ADAPTERS.name}


def test_a_cluster_gets_the_figures_of_the_registry_and_a_laptop_fewer() -> None:
    assert topic_specs(embedded=False)[ARTICLES.name]["num_partitions"] == ARTICLES.partitions
    assert topic_specs(embedded=True)[ARTICLES.name]["num_partitions"] < ARTICLES.partitions
    assert topic_specs(embedded=True)[ADAPTERS.name]["num_partitions"] == 1


def test_every_broker_of_a_list_is_asked() -> None:
    assert client_config(Settings(kafka_bootstrap="a:1,b:2"))["bootstrap_servers"] == ["a:1", "b:2"]
