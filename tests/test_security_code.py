"""What the product's code may not contain, read from its syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import bench

FILES = sorted(Path(bench.__file__).parent.rglob("*.py"))
_MODULES = {"pickle", "cPickle", "dill", "marshal", "shelve", "yaml", "code", "xmlrpc", "telnetlib"}
_CALLS = {"eval", "exec", "compile", "__import__"}
_METHODS = {
    ("os", "system"),
    ("os", "popen"),
    ("tempfile", "mktemp"),
    ("pd", "read_pickle"),
    ("ssl", "_create_unverified_context"),
    ("ssl", "create_default_context"),  # obeys SSLKEYLOGFILE
}

_ON = ("shell", "allow_pickle", "follow_redirects", "trust_env")
_OFF = ("verify", "check_hostname")


def faults(source: str) -> list[str]:
    """What is forbidden and stands in ``source``."""
    return [fault for node in ast.walk(ast.parse(source)) for fault in _faults(node)]


def _faults(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (f"import {a.name}" for a in node.names if a.name.split(".")[0] in _MODULES)
    elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in _MODULES:
        yield f"from {node.module}"
    elif isinstance(node, ast.Call):
        yield from _call_faults(node)
    elif isinstance(node, ast.Attribute) and node.attr in ("CERT_NONE", "to_pickle"):
        yield node.attr


def _call_faults(call: ast.Call) -> Iterator[str]:
    made = call.func
    if isinstance(made, ast.Name) and made.id in _CALLS:
        yield f"{made.id}()"
    if isinstance(made, ast.Attribute) and isinstance(made.value, ast.Name):
        if (made.value.id, made.attr) in _METHODS:
            yield f"{made.value.id}.{made.attr}()"
        if made.value.id == "subprocess" and call.args and not _is_list(call.args[0]):
            yield "subprocess with something else than a list of arguments"
    for word in call.keywords:
        value = word.value.value if isinstance(word.value, ast.Constant) else None
        if (word.arg in _ON and value is True) or (word.arg in _OFF and value is False):
            yield f"{word.arg}={value}"


def _is_list(node: ast.expr) -> bool:
    """A list, or a name: the one function that takes a command says in its type what it is."""
    return isinstance(node, ast.List) or (isinstance(node, ast.Name) and node.id == "command")


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(FILES[0].parent)))
def test_no_code_is_made_of_data(file: Path) -> None:
    """Must: no pickle, eval, exec, yaml.load, shell=True; subprocesses get lists of arguments;
    certificates are checked."""
    assert faults(file.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import yaml.loader",
        "eval('1')",
        "exec(text)",
        "subprocess.run('ls', shell=True)",
        "subprocess.run('ls')",
        "subprocess.Popen(f'ls {x}')",
        "os.system('ls')",
        "np.load(f, allow_pickle=True)",
        "httpx.Client(verify=False)",
        "httpx.Client(follow_redirects=True)",
        "httpx.Client(trust_env=True)",
        "context.verify_mode = ssl.CERT_NONE",
        "df.to_pickle('x')",
        "tempfile.mktemp()",
    ],
)
def test_the_search_finds_each(source: str) -> None:
    """Control: of what it looks for."""
    assert faults(source)
