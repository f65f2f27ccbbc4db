"""What is shipped to start a cluster with: each recipe as far as one machine can try it."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from dockerfile_parse import DockerfileParser

from bench.errors import UsageError
from bench.vantage.kit import FILES, content, write_recipes

KUBERNETES = "1.31"
_HERE = {"host": "127.0.0.1", "port": 0}


def documents() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(content("kubernetes.yaml")))


def pods() -> dict[str, dict[str, Any]]:
    deployments = [one for one in documents() if one["kind"] == "Deployment"]
    return {one["metadata"]["name"]: one["spec"]["template"]["spec"] for one in deployments}


def test_recipes_are_written_once_and_never_over_an_edited_one(tmp_path: Path) -> None:
    """People edit them."""
    paths = write_recipes(tmp_path / "recipes")
    assert [path.name for path in paths] == list(FILES)
    assert write_recipes(tmp_path / "recipes") == paths
    paths[0].write_text("mine")
    with pytest.raises(UsageError, match="is there and is another"):
        write_recipes(tmp_path / "recipes")


@pytest.mark.parametrize("number", range(5))
def test_kubernetes_manifests_hold_their_schema(number: int) -> None:
    """Strictly: no key that the API does not know."""
    kubernetes_validate.validate(documents()[number], KUBERNETES, strict=True)


def test_the_schema_finds_what_is_wrong() -> None:
    """The control: a misspelt key is refused."""
    broken = documents()[0]
    broken["spec"]["replica"] = broken["spec"].pop("replicas")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, KUBERNETES, strict=True)


def test_only_workers_are_given_the_key() -> None:
    """The scheduler's pod names no secret but its certificate."""
    found = {name: "xai" in json.dumps(pod) for name, pod in pods().items()}
    assert found.pop("regionbench-scheduler") is False
    assert found
    assert all(found.values())


def test_every_pod_speaks_tls_and_is_locked_down() -> None:
    """No root, no token of the cluster's, no pages, no plain text."""
    for pod in pods().values():
        (container,) = pod["containers"]
        words = container["command"]
        assert not pod["automountServiceAccountToken"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert not container["securityContext"]["allowPrivilegeEscalation"]
        assert "--no-dashboard" in words
        assert any(word.startswith("--tls-ca-file=") for word in words)
        assert not any("tcp://" in word for word in words)
        assert container["image"].endswith(f":{version('regionbench')}")


def test_dask_knows_every_option_of_the_recipes() -> None:
    """An option that it does not know would end a pod at once."""
    for part in ("scheduler", "worker"):
        command = [sys.executable, "-m", f"distributed.cli.dask_{part}", "--help"]
        known = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        for pod in pods().values():
            words = pod["containers"][0]["command"]
            if words[1] == part:
                options = [word.partition("=")[0] for word in words if word.startswith("--")]
                assert not [name for name in options if name not in known and name != "--no-nanny"]


def test_the_container_file_is_of_this_version_without_root_and_key() -> None:
    """Parsed, not built: no registry is at hand."""
    parser = DockerfileParser(fileobj=_file(content("Containerfile")))
    steps = [(one["instruction"], one["value"]) for one in parser.structure]
    names = [name for name, _ in steps]
    assert names[names.index("FROM")] == "FROM"
    assert ("USER", "10001") in steps
    assert f'"regionbench[dask]=={version("regionbench")}"' in dict(steps[::-1])["RUN"] + str(steps)
    assert "ARG" not in names
    assert not [value for name, value in steps if name == "ENV" and "KEY" in value]


def _file(text: str) -> Any:
    from io import BytesIO

    return BytesIO(text.encode())


@pytest.mark.parametrize("name", ["one_machine.py", "over_ssh.py"])
def test_python_recipes_name_things_that_exist(name: str) -> None:
    """Every import is one, and every option is one of the function that it is given to."""
    tree = ast.parse(content(name))
    lines = [
        ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    exec("\n".join(lines), {})  # noqa: S102 — our own file's imports
