"""Catalogues are data: what is wrong with one is said with the key and the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.catalogue import Price, load_catalogue, shipped
from bench.errors import CatalogueError, KeyMissing
from bench.key import Key, find_key

MINIMAL = """
[provider]
name = "mine"
key_env = "MY_KEY"
[[endpoints]]
name = "global"
url = "https://llm.example.org/openai"
"""


def write(tmp_path: Path, text: str) -> str:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    return str(file)


def test_the_shipped_catalogue_names_the_documents_endpoints() -> None:
    """Global and regional hosts as the service's document writes them, each with its evidence."""
    xai = load_catalogue("xai")
    urls = {endpoint.name: endpoint.url for endpoint in xai.endpoints}
    assert urls["global"] == "https://api.x.ai"
    assert urls["us-east-1"] == "https://us-east-1.api.x.ai"
    assert {"eu-west-1", "us-west-2", "us"} < set(urls)
    assert all(endpoint.evidence for endpoint in xai.endpoints)
    assert all(model.evidence for model in xai.models)
    assert xai.provider.key_env == "XAI_API_KEY"
    assert "xai" in shipped()


def test_a_catalogue_of_ones_own_needs_only_a_url(tmp_path: Path) -> None:
    """Any OpenAI-compatible provider is a few lines of TOML."""
    mine = load_catalogue(write(tmp_path, MINIMAL))
    assert mine.endpoints[0].url == "https://llm.example.org/openai"
    assert mine.endpoints[0].region is None


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("https://", "http://"), "https://"),
        (('url = "', 'ulr = "'), "ulr"),
        (('name = "mine"', ""), "provider.name: missing"),
        (('name = "mine"', 'name = "mine"\nkey = "secret"'), "simulated"),
        (("[[endpoints]]", "[[endpoint"), "not valid TOML"),
        (('name = "global"', 'name = "a/b"'), "endpoints.0.name"),
        (("[provider]", '[[endpoints]]\nname="global"\nurl="https://b.test"\n[provider]'), "twice"),
        (("https://llm", "https://user:pw@llm"), "host, port and path only"),
    ],
)
def test_a_wrong_catalogue_is_named_with_its_key(
    change: tuple[str, str], complaint: str, tmp_path: Path
) -> None:
    """One sentence: file, key, what is the matter."""
    with pytest.raises(CatalogueError, match=r"mine\.toml") as caught:
        load_catalogue(write(tmp_path, MINIMAL.replace(*change)))
    assert complaint in str(caught.value)
    assert "secret" not in str(caught.value)


def test_two_endpoints_of_one_name_are_refused(tmp_path: Path) -> None:
    """Or their rows would be one endpoint's."""
    twice = MINIMAL + '[[endpoints]]\nname = "global"\nurl = "https://b.test"\n'
    with pytest.raises(CatalogueError, match="twice"):
        load_catalogue(write(tmp_path, twice))


def test_a_missing_catalogue_names_those_there_are() -> None:
    """A typo is answered with the choices."""
    with pytest.raises(CatalogueError, match="fleet, xai"):
        load_catalogue("xia")


def test_an_endpoint_that_is_not_there_is_answered_with_those_that_are() -> None:
    """A typo in --endpoints as well."""
    with pytest.raises(CatalogueError, match="us-east-1, eu-west-1"):
        load_catalogue("xai").choose(("us-esat-1",))


@given(st.binary(max_size=300))
def test_no_bytes_crash_the_reader(data: bytes) -> None:
    """Whatever the file holds: a catalogue or one sentence."""
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".toml") as file:
        file.write(data)
        file.flush()
        with pytest.raises(CatalogueError, match=r"\S"):
            load_catalogue(file.name)


def test_cached_tokens_cost_less_and_reasoning_costs_as_output() -> None:
    """Prices are per million; a million of each is the sum of the prices."""
    price = Price(input=1.25, cached_input=0.20, output=2.50)
    assert price.usd(1_000_000, 1_000_000) == pytest.approx(3.75)
    assert price.usd(1_000_000, 0, cached=1_000_000) == pytest.approx(0.20)


@pytest.mark.parametrize("text", ["", "  ", "\n", "a b", "a\nb", "clé", "a\x00b", "x" * 5000])
def test_what_cannot_be_a_key_is_refused_without_echo(text: str, tmp_path: Path) -> None:
    """A key with a stray newline would otherwise travel into an error message of a library."""
    xai = load_catalogue("xai").provider
    with pytest.raises(KeyMissing) as caught:
        find_key(xai, environ={"XAI_API_KEY": text})
    if text.strip():
        assert text not in str(caught.value)


def test_a_key_loses_one_trailing_newline_and_never_prints() -> None:
    """`echo key > file` is how keys are written down."""
    key = find_key(load_catalogue("xai").provider, environ={"XAI_API_KEY": "xai-abc\n"})
    assert key is not None
    assert key.reveal() == "xai-abc"
    assert "abc" not in f"{key!r} {key!s} {key}"


def test_a_key_does_not_travel() -> None:
    """It cannot be pickled into a task, a log or a queue."""
    import pickle

    with pytest.raises(TypeError, match="does not travel"):
        pickle.dumps(Key("abc"))


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """With the command that mends it."""
    file = tmp_path / "key"
    file.write_text("xai-abc\n")
    file.chmod(0o644)
    with pytest.raises(KeyMissing, match="chmod 600"):
        find_key(load_catalogue("xai").provider, file)
    file.chmod(0o600)
    key = find_key(load_catalogue("xai").provider, file)
    assert key is not None
    assert key.reveal() == "xai-abc"
