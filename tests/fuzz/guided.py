"""One target under atheris, in a process of its own, which libFuzzer ends.

python -m tests.fuzz.guided NAME SECONDS FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

from tests.fuzz.table import corpus, find

WATCHED = ("bench", "tomllib", "h11", "h2", "hpack", "hyperframe", "httpcore", "email._parseaddr")
"""Whose branches guide."""

_HANG_S = 300
"""On the clock, for what waits and costs no processor."""


def main(name: str, seconds: int, folder: Path) -> None:
    """New inputs go to FOLDER/NAME, one that breaks the promise to FOLDER/NAME-crash-…"""
    with atheris.instrument_imports(include=list(WATCHED)):
        target = find(name)
        from tests.fuzz.promises import bounded

    def feed(data: bytes) -> None:
        with bounded():
            target.check(data)

    found = folder / name
    found.mkdir(parents=True, exist_ok=True)
    words = folder / f"{name}.words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words if word))
    options = [f"-max_total_time={seconds}", f"-max_len={target.max_bytes}", f"-dict={words}"]
    options += [f"-timeout={_HANG_S}", f"-artifact_prefix={folder / name}-", "-rss_limit_mb=3000"]
    atheris.Setup([name, *options, "-print_final_stats=1", str(found), str(corpus(name))], feed)
    atheris.Fuzz()


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
