"""What is exported writes the titles that the served version writes: in vLLM's format, as an adapter, in llama.cpp."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from editorial import prompts
from infra.database import make_engine, migrate
from infra.model_server.engine import BASE, Engine
from infra.registry import ModelRegistry, base_identity, digest_folder
from infra.settings import Settings
from schemas.records import ModelVersionRow
from tests.learning_samples import NOW, article_row, correction_row, tale
from training.artefact import Kind, Model, UnfitModel, UnknownModel, base_digests, find_model
from training.dataset import TRAIN, select_examples
from training.evaluate import write_titles
from training.export import CannotExport, write_adapter, write_gguf, write_merged
from training.finetune import finetune, write_manifest
from training.recipe import Recipe

TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ '[INST] ' + message['content'] + ' [/INST]' }}{% else %}{{ message['content'] + eos_token }}{% endif %}"
    "{% endfor %}"
)
ARTICLES = [tale(number).text[:200] for number in range(40, 52)]


@pytest.fixture(scope="module")
def sentencepiece_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random two-layer Llama with a SentencePiece vocabulary and the template form of Llama 2 and Mistral."""
    import sentencepiece
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, LlamaTokenizerFast

    folder = tmp_path_factory.mktemp("sentencepiece") / "base"
    folder.mkdir()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([line for number in range(30) for line in tale(number).text.splitlines() if line]),
        model_prefix=str(folder / "tokenizer"),
        vocab_size=600,
        model_type="bpe",
        character_coverage=1.0,
        byte_fallback=True,
        split_digits=True,
        pad_id=-1,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        minloglevel=2,
    )
    tokenizer = LlamaTokenizerFast.from_pretrained(str(folder))
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.1,
        max_position_embeddings=512,
        bos_token_id=1,
        eos_token_id=2,
    )
    model = LlamaForCausalLM(config)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        model.lm_head.weight[3:259] = 0  # never a lone byte: engines do not agree on how to show what is no UTF-8
    model.save_pretrained(folder)
    return folder


def trained(base: Path, out: Path) -> Model:
    """A version that was really trained on `base`, as an artefact with its manifest."""
    articles = [article_row(number) for number in range(12)]
    rows = [correction_row(article, tale(number).house_title) for number, article in enumerate(articles)]
    recipe = Recipe(learning_rate=1e-2, epochs=25, batch_size=4, max_tokens=512)
    log = finetune(
        recipe,
        select_examples(rows, articles).of(TRAIN),
        base_model=str(base),
        base_revision="main",
        base_name="tiny",
        parent=None,
        out=out,
        cut=lambda text: text[:150],
        threads=1,
        progress=lambda _: None,
    )
    digests = base_digests(str(base), "main")
    base_name, base_revision = base_identity(Settings(base_model=str(base)))
    facts: dict[str, object] = {
        "version": "v2",
        "kind": Kind.adapter,
        "base_model": base_name,
        "base_revision": base_revision,
        "prompt_version": "v3",
        "prompt_digest": prompts.digest("v3"),
        "tokenizer_digest": digests.tokenizer,
        "chat_template_digest": digests.chat_template,
    }
    write_manifest(out, log, facts)
    return Model("v2", str(base), "main", "tiny", out, "", "", "v3")


@pytest.fixture(scope="module")
def model(sentencepiece_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Model:
    return trained(sentencepiece_base, tmp_path_factory.mktemp("artefacts") / "v2")


def titles(base: Path, adapter: Path | None) -> list[str]:
    """As the embedded model server writes them."""
    engine = Engine.load(str(base), "main", 1)
    if adapter is not None:
        engine.load_adapter("v2", adapter)
    name = "v2" if adapter is not None else BASE
    return write_titles(engine, name, ARTICLES, prompt_version="v3", max_title_tokens=24, progress=lambda _: None)


@pytest.fixture(scope="module")
def served(model: Model) -> list[str]:
    written = titles(Path(model.base_model), model.adapter)
    assert written != titles(Path(model.base_model), None)  # the adapter has learned something
    assert len(set(written)) > 1
    return written


def test_the_merged_model_writes_the_titles_of_the_served_version(
    model: Model, served: list[str], tmp_path: Path
) -> None:
    write_merged(model, tmp_path / "merged")
    assert titles(tmp_path / "merged", None) == served
    assert not list((tmp_path / "merged").glob("*.bin"))
    facts = json.loads((tmp_path / "merged" / "copydesk.json").read_text())
    assert facts["version"] == "v2"
    assert "{text}" in facts["prompt"]


def test_the_exported_adapter_writes_the_titles_of_the_served_version(
    model: Model, served: list[str], tmp_path: Path
) -> None:
    write_adapter(model, tmp_path / "adapter")
    assert titles(Path(model.base_model), tmp_path / "adapter") == served


def test_llama_cpp_writes_the_titles_of_the_served_version(model: Model, served: list[str], tmp_path: Path) -> None:
    write_gguf(model, tmp_path / "model.gguf", "float32")
    assert in_llama_cpp(tmp_path / "model.gguf", ARTICLES) == served


def in_llama_cpp(file: Path, articles: Sequence[str]) -> list[str]:
    import xllamacpp

    from editorial import answers

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(file)
    parameters.n_ctx = 512
    parameters.cpuparams.n_threads = 1
    parameters.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED  # it rounds to 16 bits
    parameters.cache_type_k = parameters.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    server = xllamacpp.Server(parameters)
    written = []
    for article in articles:
        answer = server.handle_chat_completions(
            {
                "messages": [{"role": "user", "content": prompts.render("v3", article)}],
                "max_tokens": 24,
                "temperature": 0,
            }
        )
        written.append(answers.clean(answer["choices"][0]["message"]["content"]))
    return written


def test_a_tokenizer_that_llama_cpp_does_not_know_is_refused_in_words(
    tiny_base: Path, adapters: dict[str, Path], tmp_path: Path
) -> None:
    unknown = Model("v1", str(tiny_base), "main", "tiny", adapters["v1"], "", "", "v3")
    with pytest.raises(CannotExport, match="knows no tokenizer like this one"):
        write_gguf(unknown, tmp_path / "model.gguf")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("write", [write_adapter, write_merged, write_gguf])
def test_nothing_is_overwritten(write: Callable[[Model, Path], str], model: Model, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    with pytest.raises(CannotExport, match="exists already"):
        write(model, tmp_path / "kept")


@pytest.fixture
def artefact(model: Model, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    assert model.adapter is not None
    return Path(shutil.copytree(model.adapter, tmp_path / "artefact"))


def settings(base: str, tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", base_model=base)


def test_an_artefact_is_found_by_its_folder_and_exported(model: Model, artefact: Path, tmp_path: Path) -> None:
    found = find_model(str(artefact), settings(model.base_model, tmp_path))
    assert (found.version, found.adapter, found.prompt_version) == ("v2", artefact, "v3")
    write_adapter(found, tmp_path / "exported")


def test_a_version_of_another_base_is_refused(artefact: Path, tiny_base: Path, tmp_path: Path) -> None:
    with pytest.raises(UnfitModel, match="COPYDESK_BASE_MODEL"):
        find_model(str(artefact), settings(str(tiny_base), tmp_path))


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        ("prompt_digest", "another text of prompt 'v3'"),
        ("tokenizer_digest", "another tokenizer"),
        ("chat_template_digest", "another chat template"),
    ],
)
def test_a_version_that_was_trained_with_another_text_around_the_article_is_refused(
    model: Model, artefact: Path, tmp_path: Path, fact: str, words: str
) -> None:
    manifest = json.loads((artefact / "manifest.json").read_text())
    (artefact / "manifest.json").write_text(json.dumps(manifest | {fact: "0" * 64}))
    with pytest.raises(UnfitModel, match=words):
        find_model(str(artefact), settings(model.base_model, tmp_path))


def test_an_artefact_without_its_manifest_is_refused(model: Model, artefact: Path, tmp_path: Path) -> None:
    (artefact / "manifest.json").unlink()
    with pytest.raises(UnfitModel, match="not a complete artefact"):
        find_model(str(artefact), settings(model.base_model, tmp_path))


def test_an_artefact_with_a_pickle_is_refused(model: Model, artefact: Path, tmp_path: Path) -> None:
    (artefact / "optimizer.pt").write_bytes(b"")
    with pytest.raises(UnfitModel, match="is a pickle"):
        find_model(str(artefact), settings(model.base_model, tmp_path))


def test_a_registered_version_whose_files_were_changed_is_refused(model: Model, artefact: Path, tmp_path: Path) -> None:
    here = settings(model.base_model, tmp_path)
    engine = make_engine(here)
    migrate(engine)
    base_name, base_revision = base_identity(here)
    registry = ModelRegistry(engine)
    row = ModelVersionRow(
        version="v2",
        artefact_uri=str(artefact),
        digest=digest_folder(artefact),
        base_model=base_name,
        base_revision=base_revision,
        dataset_hash="",
        prompt_version="v3",
        prompt_digest=prompts.digest("v3"),
        parent=None,
        config={},
        metrics={},
        created_at=NOW,
    )
    registry.register(row)
    assert find_model("v2", here).digest == row.digest
    with (artefact / "adapter_model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x01")
    with pytest.raises(UnfitModel, match="changed or damaged"):
        find_model("v2", here)
    with pytest.raises(UnknownModel, match="registered versions: v2"):
        find_model("v9", here)


def test_an_empty_house_knows_only_the_base(model: Model, tmp_path: Path) -> None:
    here = settings(model.base_model, tmp_path)
    assert find_model("base", here).adapter is None
    with pytest.raises(UnknownModel, match="none yet"):
        find_model("champion", here)
