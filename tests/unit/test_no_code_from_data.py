"""Nothing turns data into code: no pickle, no eval, no YAML that builds objects, no weights but safetensors."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGES = ("copydesk", "workers", "training", "editorial", "infra", "schemas")
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "code", "codeop"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "yaml.load", "yaml.unsafe_load", "yaml.full_load"}


def offences(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names if name.name.split(".")[0] in FORBIDDEN_MODULES)
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in FORBIDDEN_MODULES:
                yield module
            case ast.Call(func=called, keywords=words) if ast.unparse(called) == "torch.load":
                if not any(word.arg == "weights_only" and ast.unparse(word.value) == "True" for word in words):
                    yield "torch.load"
            case ast.Call(func=called) if ast.unparse(called) in FORBIDDEN_CALLS:
                yield ast.unparse(called)
            case ast.Call(keywords=keywords):
                given = {word.arg: ast.unparse(word.value) for word in keywords}
                yield from (
                    f"{name}={given[name]}"
                    for name, value in (("trust_remote_code", "True"), ("use_safetensors", "False"), ("shell", "True"))
                    if given.get(name) == value
                )
                yield from (
                    f"{name}={given[name]}"
                    for name in ("key_serializer", "value_serializer")
                    if given.get(name, "'raw'") != "'raw'"
                )


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_of_ours_turns_data_into_code(package: str) -> None:
    found = {str(path): found for path in Path(package).rglob("*.py") if (found := list(offences(path.read_text())))}
    assert found == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from shelve import open",
        "eval(x)",
        "yaml.load(x)",
        "torch.load(p)",
        "app.topic('x', value_serializer='pickle')",
        "from_pretrained(m, trust_remote_code=True)",
        "from_pretrained(m, use_safetensors=False)",
    ],
)
def test_the_search_finds_what_it_is_for(source: str) -> None:
    assert list(offences(source))


def test_the_streams_read_raw_bytes_only() -> None:
    source = Path("workers/stream.py").read_text()
    assert source.count('value_serializer="raw"') == source.count('key_serializer="raw"') == 2
