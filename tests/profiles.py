"""Profiles of fleets that several tests and benchmarks start."""

from __future__ import annotations

_NEAR = """
edge_rtt_ms = {edge_rtt_ms}
[defaults]
latitude = 0
longitude = 0
rtt_ms = 1.0
"""


def _common(about: str, edge_rtt_ms: float = 1.0) -> str:
    """How it begins: everything at one place."""
    return f'about = "{about}"' + _NEAR.format(edge_rtt_ms=edge_rtt_ms)


def _model(tokens: int) -> str:
    """The one model, ``m``, that answers in so many tokens and does not think."""
    return f"""
[[models]]
id = "m"
created = 1
fingerprint = "fp"
usd_per_million = {{ input = 1, cached_input = 1, output = 1 }}
completion_tokens = {tokens}
reasoning_tokens = 0
"""


TWO_REGIONS = f"""
{_common("Two quick regions.")}
models = ["m"]
service = {{ ttft_ms = 5.0, sigma = 0.2, token_ms = 0.5 }}
[router]
regions = ["near", "far"]
{_model(4)}
[[regions]]
name = "near"
[[regions]]
name = "far"
longitude = 10
service = {{ ttft_ms = 9.0 }}
"""
"""Two quick regions, the second slower by 4 ms: for tests that need many answers soon."""

FAULTY = f"""
{_common("A region for each fault that may cost money.")}
models = ["grok-4"]
service = {{ ttft_ms = 5.0, sigma = 0.5, token_ms = 0.5 }}
[router]
regions = ["well"]
[[models]]
id = "grok-4"
created = 1
fingerprint = "fp"
usd_per_million = {{ input = 3, cached_input = 0.75, output = 15 }}
efforts = ["none", "low"]
completion_tokens = 8
reasoning_tokens = 0
[[regions]]
name = "well"
[[regions]]
name = "failing"
failure_rate = 0.5
[[regions]]
name = "limited"
rate_limited_rate = 0.3
[[regions]]
name = "cut"
truncated_rate = 0.5
[[regions]]
name = "faltering"
stream_error_rate = 0.5
"""
"""Each region but the first fails now and then in its own way."""

THREE_REGIONS = f"""
{_common("Three quick regions, equally fast.", 0.0)}
models = ["m"]
service = {{ ttft_ms = 5.0, sigma = 0.1, token_ms = 0.2 }}
{_model(2)}
[[regions]]
name = "alpha"
[[regions]]
name = "beta"
longitude = 10
[[regions]]
name = "gamma"
longitude = 20
"""
"""Three alike: which of them is best is decided by the way there alone."""


def steady(ttft_ms: float, token_ms: float) -> str:
    """One region that takes so long to its first token, and so long for each of four more."""
    return f"""
{_common("One region of known slowness.")}
models = ["m"]
service = {{ ttft_ms = {ttft_ms}, sigma = 0.0, token_ms = {token_ms}, token_sigma = 0.0 }}
[router]
regions = ["slow"]
{_model(5)}
[[regions]]
name = "slow"
"""


def at_once(tokens: int, token_ms: float) -> str:
    """The region ``near``, which answers after a millisecond, and a token every so often."""
    return f"""
about = "One region that answers at once: what remains is the client."
edge_rtt_ms = 0.0
[defaults]
capacity = 64
cache_factor = 1.0
service = {{ ttft_ms = 1.0, sigma = 0.0, token_ms = {token_ms}, token_sigma = 0.0 }}
background_load = {{ calm = 0.0 }}
[[regions]]
name = "near"
latitude = 0.0
longitude = 0.0
rtt_ms = 0.0
models = ["quick"]
[[models]]
id = "quick"
created = 1775001600
fingerprint = "fp_0000000000"
usd_per_million = {{ input = 1.0, cached_input = 1.0, output = 1.0 }}
efforts = ["none"]
reasoning_tokens = 0
completion_tokens = {tokens}
"""
