"""How much of the engine's speed is left when the whole generator asks it. `make bench-generate`.

One model server, the demo's first champion, the same number of requests in flight, and articles of the simulated press
that were never asked for before, so that the server remembers no more than the fixed part of the prompt:

- `client`: the engine driven directly. vLLM by its own benchmark client; the embedded server, which does not stream, by
  a bare loop over the openai package.
- `generator`: the worker as a process, from real Kafka to real Kafka.
- `batches`: a worker that awaits one batch of requests after another.
- `merged`: the client again, the adapter summed into the base's weights.

Titles per second count from the first request to the last title. Rounds are interleaved, the medians count.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.request import urlopen
from uuid import UUID, uuid4

from editorial import prompts, rules
from editorial.answers import clean
from editorial.cut import cut
from editorial.embedding import Embedder
from editorial.similar import Curated, Shelf, shown
from infra.kafka import bounds, make_producer, read_whole, send_acked
from infra.newsroom.stories import write_story
from infra.prices import load_prices
from infra.registry import digest_folder
from infra.settings import DEMO_MODEL, Settings
from schemas.envelope import decode, encode
from schemas.events import Event, Title
from schemas.topics import ADAPTERS, ARTICLES, TITLES
from tests.engines import KINDS, VLLM_PYTHON, ServerProcess
from tests.ground import Broker, environment_for, wait_until
from tests.samples import NOW, make_adapter, make_article
from training.artefact import Model
from training.export import write_merged
from workers.generator.engine import Answer, Engine

SEED = 11
PATIENCE_S = 900
CLIENT, GENERATOR, BATCHES, MERGED = "client", "generator", "batches", "merged"
ADAPTER = DEMO_MODEL / "v1"
VERSION = "v1"
PROMPTED = 100
HOSTED = "gpt-6-luna"
"""Whose prices are put beside the tokens of each prompt."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="tests.bench.generate", description=__doc__)
    parser.add_argument("--engine", choices=KINDS, default="embedded")
    parser.add_argument("--titles", type=int, default=320)
    parser.add_argument("--in-flight", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Bench(Path(folder), args.engine, args.titles, args.in_flight).run(args.rounds)


class Bench:
    """A model server, a broker and the articles."""

    def __init__(self, folder: Path, kind: str, titles: int, in_flight: int) -> None:
        self.folder, self.kind, self.in_flight = folder, kind, in_flight
        self.server = ServerProcess(kind, folder / "server.log")
        self.broker = Broker(folder / "broker")
        self.settings = self.broker.settings.model_copy(
            update={"model_server_url": self.server.url, "window": in_flight, "home": folder}
        )
        self.count = titles
        self.seeds = itertools.count(SEED)

    def prompt(self, version: str, text: str) -> str:
        """As the generator asks."""
        return prompts.render(version, cut(text, self.settings.max_article_tokens))

    def texts(self) -> list[str]:
        """New articles, of one to four stories' length: news comes short and long."""
        seed = next(self.seeds)
        return [
            "\n\n".join(write_story(seed, 4 * number + part).text for part in range(1 + number % 4))
            for number in range(self.count)
        ]

    def asked(self) -> list[str]:
        """Prompts over new articles."""
        return [self.prompt("v3", text) for text in self.texts()]

    def run(self, rounds: int) -> None:
        """All contenders, interleaved; then the tables."""
        self.server.start()
        self.broker.start()
        try:
            asyncio.run(self.load())
            contenders = {CLIENT: self.client, GENERATOR: self.generator, BATCHES: self.batches}
            rates: dict[str, list[float]] = {name: [] for name in contenders}
            self.batches()  # nobody is warm at once
            for _ in range(rounds):
                for name, contender in contenders.items():
                    rates[name].append(contender())
                    print(f"{name}: {rates[name][-1]:.2f} titles/s", file=sys.stderr, flush=True)
            self.show(rates, rounds)
            self.show_prompts()
            self.server.stop()
            self.show_merged(rates, rounds)
        finally:
            self.server.stop()
            self.broker.stop()

    async def load(self) -> None:
        """The champion's adapter."""
        engine = Engine(self.settings)
        await engine.load(VERSION, str(ADAPTER), digest_folder(ADAPTER))
        await engine.close()

    def client(self, model: str = VERSION, server: ServerProcess | None = None) -> float:
        """Driven directly."""
        asked = self.asked()
        url = (server or self.server).url
        if self.kind == "embedded":
            began = time.monotonic()
            asyncio.run(self.ask(asked, model, url))
            return self.count / (time.monotonic() - began)
        data, out = self.folder / "prompts.jsonl", self.folder / "bench.json"
        limit = self.settings.max_title_tokens
        data.write_text("".join(json.dumps({"prompt": one, "output_tokens": limit}) + "\n" for one in asked))
        command = [str(VLLM_PYTHON), str(Path(__file__).with_name("vllm_client.py")), "--backend", "openai-chat"]
        command += ["--base-url", url.removesuffix("/v1"), "--endpoint", "/v1/chat/completions", "--model", model]
        command += ["--tokenizer", str(DEMO_MODEL / "base"), "--dataset-name", "custom", "--dataset-path", str(data)]
        command += ["--skip-chat-template", "--custom-output-len", str(limit), "--disable-shuffle"]
        command += ["--num-prompts", str(self.count), "--max-concurrency", str(self.in_flight)]
        command += ["--temperature", "0", "--num-warmups", "0", "--save-result", "--result-filename", str(out)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or not out.is_file():
            sys.exit(f"vLLM's benchmark client failed:\n{done.stderr[-3000:]}")
        result = json.loads(out.read_text())
        assert result["completed"] == self.count, result
        return float(result["request_throughput"])

    async def ask(self, asked: Sequence[str], model: str, url: str) -> list[Answer]:
        """As many in flight as are allowed, the next as soon as one is done."""
        engine = Engine(self.settings.model_copy(update={"model_server_url": url}))
        room = asyncio.Semaphore(self.in_flight)

        async def one(prompt: str) -> Answer:
            async with room:
                return await engine.complete(model, prompt)

        try:
            return await asyncio.gather(*(one(prompt) for prompt in asked))
        finally:
            await engine.close()

    def batches(self) -> float:
        """One batch after another."""

        asked = self.asked()

        async def work() -> float:
            engine = Engine(self.settings)
            began = time.monotonic()
            for start in range(0, self.count, self.in_flight):
                batch = asked[start : start + self.in_flight]
                await asyncio.gather(*(engine.complete(VERSION, prompt) for prompt in batch))
            took = time.monotonic() - began
            await engine.close()
            return self.count / took

        return asyncio.run(work())

    def generator(self) -> float:
        """The worker between its topics."""
        self.broker.empty()
        adapter = make_adapter(1, version=VERSION, artefact_uri=ADAPTER.as_uri())
        events: list[tuple[object, Event]] = [
            (ADAPTERS, adapter.model_copy(update={"digest": digest_folder(ADAPTER)})),
            *((ARTICLES, make_article(number, text=text)) for number, text in enumerate(self.texts())),
        ]
        producer = make_producer(self.settings, "bench")
        send_acked(producer, [(topic, encode(event, source="bench", time=NOW)) for topic, event in events])  # type: ignore[misc]
        producer.close()
        command = [sys.executable, "-m", "copydesk", "worker", "generator"]
        with (self.folder / "generator.log").open("ab") as log:
            worker = subprocess.Popen(command, env=environment_for(self.settings), stdout=log, stderr=log)
        try:
            wait_until(self.all_written, PATIENCE_S, every_s=1.0)
            worker.terminate()
            worker.wait(60)
        finally:
            worker.kill()
        found = self.titles()
        began = min(at - title.latency_seconds for at, title in found)
        return len(found) / (max(at for at, _ in found) - began)

    def all_written(self) -> bool:
        """Whether the topic has a title for each article."""
        return sum(end for _, end in bounds(self.settings, TITLES.name).values()) >= self.count

    def titles(self) -> list[tuple[float, Title]]:
        """What is on the topic: when it was sent, in seconds since the epoch, and the title."""
        found = []
        for record in read_whole(self.settings, TITLES.name):
            envelope = decode(record.value, record.headers)
            if isinstance(envelope.event, Title):
                found.append((envelope.time.timestamp(), envelope.event))
        return found

    def show(self, rates: dict[str, list[float]], rounds: int) -> None:
        """The first table."""
        middle = {name: statistics.median(found) for name, found in rates.items()}
        print(f"\n{self.kind}, {self.count} titles, {self.in_flight} in flight, medians of {rounds} rounds\n")
        print("| | titles/s | of the client's |\n|---|---|---|")
        for name, rate in middle.items():
            print(f"| {name} | {rate:.2f} | {rate / middle[CLIENT]:.0%} |")
        print(f"\nthe generator against one batch after another: {middle[GENERATOR] / middle[BATCHES]:.2f} times")

    def show_prompts(self) -> None:
        """Tokens, price, the share that the server remembers and the titles that keep all house rules, by prompt."""
        price = load_prices(Settings()).find(HOSTED)
        assert price is not None
        print(
            f"\n| prompt, model | tokens in | tokens out | $ per 1,000 titles ({HOSTED}) | prefix-cache hits | kept |"
        )
        print("|---|---|---|---|---|---|")
        shelf, embedder = curated_shelf(), Embedder()
        for version, model, count in (("v2", "base", 0), ("v5", "base", 0), ("v5", "base", 3), ("v3", VERSION, 0)):
            seed = next(self.seeds)
            texts = [write_story(seed, number).text for number in range(PROMPTED)]
            vectors = embedder.embed(texts) if count else ()
            examples = [shown(shelf.nearest(one, count, 0.4, story_id=UUID(int=0))) for one in vectors] or [
                []
            ] * PROMPTED
            asked = [prompts.render(version, text, few) for text, few in zip(texts, examples, strict=True)]
            before = self.cached()
            answers = asyncio.run(self.ask(asked, model, self.server.url))
            hits, queries = (now - was for now, was in zip(self.cached(), before, strict=True))
            kept = sum(not rules.check(clean(one.text), text) for one, text in zip(answers, texts, strict=True))
            read = statistics.mean(answer.input_tokens for answer in answers)
            wrote = statistics.mean(answer.output_tokens for answer in answers)
            usd = float(price.usd(1000, 0)) * read + float(price.usd(0, 1000)) * wrote
            share = f"{hits / queries:.0%}" if queries else "–"
            name = f"{version}, {model}" + (
                f", {statistics.mean(map(len, examples)):.1f} similar examples" if count else ""
            )
            print(f"| {name} | {read:.0f} | {wrote:.1f} | {usd:.3f} | {share} | {kept / PROMPTED:.0%} |")

    def cached(self) -> tuple[float, float]:
        """vLLM's counters of prompt tokens that it found in its prefix cache, and that it looked for."""
        if self.kind != "vllm":
            return 0.0, 0.0
        with urlopen(self.server.url.removesuffix("/v1") + "/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return (
            sum(float(line.split()[-1]) for line in lines if line.startswith("vllm:prefix_cache_hits_total")),
            sum(float(line.split()[-1]) for line in lines if line.startswith("vllm:prefix_cache_queries_total")),
        )

    def show_merged(self, rates: dict[str, list[float]], rounds: int) -> None:
        """The adapter's price: the same titles by one model whose weights it was summed into."""
        folder = self.folder / MERGED
        base = str(DEMO_MODEL / "base")
        write_merged(Model(VERSION, base, "main", "demo", ADAPTER, "", "", "v3"), folder, precision="float32")
        server = ServerProcess(self.kind, self.folder / "merged.log", merged=folder, name=MERGED)
        server.start()
        try:
            if self.kind == "embedded":
                asyncio.run(_load_whole(self.settings.model_copy(update={"model_server_url": server.url}), folder))
            self.client(MERGED, server)
            rate = statistics.median(self.client(MERGED, server) for _ in range(rounds))
        finally:
            server.stop()
        times = rate / statistics.median(rates[CLIENT])
        print(f"\nmerged into the base: {rate:.2f} titles/s, {times:.2f} times the adapter's")


def curated_shelf() -> Shelf:
    """A hundred stories of the simulated press with the titles that its house would give them."""
    shelf, stories = Shelf(), [write_story(SEED - 1, number) for number in range(100)]
    for story, vector in zip(stories, Embedder().embed([story.text for story in stories]), strict=True):
        shelf.put(Curated(uuid4(), uuid4(), story.text, story.house_title), vector)
    return shelf


async def _load_whole(settings: Settings, folder: Path) -> None:
    engine = Engine(settings)
    await engine.load(MERGED, str(folder), digest_folder(folder))
    await engine.close()


if __name__ == "__main__":
    main()
