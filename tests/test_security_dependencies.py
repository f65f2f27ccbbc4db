"""The lock of what is installed, and an audit of it that cannot pass by being blind."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
AUDIT = ROOT / ".ci" / "audit"
LOCK = (ROOT / ".ci" / "requirements.lock").read_text()
PIN = r"^([a-z0-9._-]+)==(\S+)((?: ;[^\\\n]*)?(?: \\\n {4}--hash=\S+)+)"
PINS = re.findall(PIN, LOCK, re.MULTILINE)
NAMES = sorted({name for name, _, _ in PINS})


def test_the_lock_has_hashes_and_no_addresses() -> None:
    """Must: every line is a pin with its hashes; there is no address of anything."""
    assert "://" not in LOCK
    assert "index-url" not in LOCK
    assert not re.search(r"^(-|@)|\.(com|org|net|io)\b", LOCK, re.MULTILINE)
    rest = LOCK
    for name, version, hashes in PINS:
        rest = rest.replace(f"{name}=={version}{hashes}\n", "", 1)
    assert not rest.strip()
    assert all(re.fullmatch(r"[0-9a-f]{64}", h) for h in re.findall(r"sha256:(\S+)", LOCK))


def test_the_lock_has_every_dependency_that_the_project_names() -> None:
    """Must: a new one is locked with it; `.ci/lock` does that."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    named = [*project["project"]["dependencies"]]
    for extra in project["project"]["optional-dependencies"].values():
        named += extra
    for group in project["dependency-groups"].values():
        named += [entry for entry in group if isinstance(entry, str)]
    wanted = {re.split(r"[^A-Za-z0-9._-]", entry)[0].lower() for entry in named}
    assert wanted <= set(NAMES)


def _audit(folder: Path, control: object, lock: object) -> subprocess.CompletedProcess[str]:
    """`.ci/audit` with a pip-audit that says these two things."""
    (folder / "control").write_text(json.dumps(control))
    (folder / "lock").write_text(json.dumps(lock))
    tool = folder / "pip-audit"
    tool.write_text(
        f"#!{sys.executable}\nimport pathlib, sys\n"
        f"which = 'lock' if 'requirements.lock' in sys.argv[-1] else 'control'\n"
        f"print(pathlib.Path({str(folder)!r}, which).read_text())\n"
    )
    tool.chmod(0o700)
    return subprocess.run(
        [sys.executable, str(AUDIT)],
        env={**os.environ, "PATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def _told(names: list[str], **vulnerable: str) -> dict[str, object]:
    bad = {name: [{"id": text}] for name, text in vulnerable.items()}
    return {"dependencies": [{"name": n, "version": "1", "vulns": bad.get(n, [])} for n in names]}


SEES = _told(["jinja2"], jinja2="PYSEC-1")
SKIPPED = {"dependencies": [{"name": "jinja2", "skip_reason": "not found"}]}


@pytest.mark.parametrize(
    ("control", "lock", "code", "words"),
    [
        (SEES, _told(NAMES), 0, "none known in"),
        (SEES, _told(NAMES, httpx="GHSA-2"), 1, "httpx: GHSA-2"),
        (SKIPPED, _told(NAMES), 2, "unknown: blind"),
        (_told(["jinja2"]), _told(NAMES), 2, "unknown: blind"),
        ({"dependencies": []}, {"dependencies": []}, 2, "unknown: blind"),
        ("no such service", _told(NAMES), 2, "unknown: blind"),
        (SEES, {"dependencies": []}, 2, "were not looked at"),
        (SEES, _told(NAMES[5:]), 2, "were not looked at"),
        (SEES, "down", 2, "were not looked at"),
    ],
)
def test_the_audit_passes_only_when_it_has_seen(
    control: object, lock: object, code: int, words: str, tmp_path: Path
) -> None:
    """Must: a known-vulnerable control has to be reported and every package named; else unknown."""
    done = _audit(tmp_path, control, lock)
    assert (done.returncode, done.stderr) == (code, "")
    assert words in done.stdout


def test_without_its_tool_the_audit_knows_nothing(tmp_path: Path) -> None:
    """Must: and says what to install."""
    done = subprocess.run(
        [sys.executable, str(AUDIT)],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "pip install pip-audit" in done.stdout
