"""Catalogues from TOML: `bench.catalogue`."""

from __future__ import annotations

import math
from urllib.parse import urlsplit

from bench.catalogue import Catalogue, load_catalogue
from bench.errors import CatalogueError
from tests.fuzz import place
from tests.fuzz.promises import sentence
from tests.fuzz.target import Target


def check(data: bytes) -> None:
    """A catalogue that can be used, or a sentence."""
    file = place.file("own.toml", data)
    try:
        catalogue = load_catalogue(str(file))
    except CatalogueError as error:
        sentence(error, file)
        return
    _usable(catalogue)


def _usable(catalogue: Catalogue) -> None:
    names = [endpoint.name for endpoint in catalogue.endpoints]
    assert len(set(names)) == len(names)
    assert len(catalogue.choose(tuple(names))) == len(names)
    for endpoint in catalogue.endpoints:
        parts = urlsplit(endpoint.url)
        assert parts.scheme == "https"
        assert parts.hostname
        assert parts.port is None or 0 < parts.port < 65536
        assert endpoint.url.isprintable()
        if endpoint.connect is not None:
            assert 0 < int(endpoint.connect.rpartition(":")[2]) < 65536, endpoint.connect
        for model in catalogue.models:
            usd = catalogue.usd(endpoint.name, model.id, 1000, 1000)
            assert usd is None or (math.isfinite(usd) and usd >= 0), usd


TARGET = Target(
    "a catalogue whose endpoints can be reached and whose prices are finite, or one CatalogueError",
    check,
    (b"[provider]\n", b"[[endpoints]]\n", b"[[models]]\n", b'name = "a"\n', b'api = "/v1"\n')
    + (b'url = "https://a.test"\n', b'url = "https://', b":99999", b"[::1]", b'region = "a"\n')
    + (b'connect = "127.0.0.1:1"\n', b"latitude = 1.0\n", b"price_factor = ", b'id = "m"\n')
    + (b"usd_per_million = { input = 1, output = 1 }\n", b"simulated = true\n", b'key = "k"\n')
    + (b'ca = "ca.pem"\n', b"nan", b"inf", b"1e308", b"9" * 30, b"\\u0000", b"\xef\xbb\xbf")
    + (b"parameters = { a = nan }\n", b'evidence = "e"\n', b'note = "n"\n', b'key_env = "K"\n'),
)
