"""Profiles of fleets that several tests start."""

_COMMON = """
edge_rtt_ms = 1.0
[defaults]
latitude = 0
longitude = 0
rtt_ms = 1.0
"""

TWO_REGIONS = (
    """
about = "Two quick regions."
"""
    + _COMMON
    + """
models = ["m"]
service = { ttft_ms = 5.0, sigma = 0.2, token_ms = 0.5 }
[router]
regions = ["near", "far"]
[[models]]
id = "m"
created = 1
fingerprint = "fp"
usd_per_million = { input = 1, cached_input = 1, output = 1 }
completion_tokens = 4
reasoning_tokens = 0
[[regions]]
name = "near"
[[regions]]
name = "far"
longitude = 10
service = { ttft_ms = 9.0 }
"""
)
"""Two quick regions, the second slower by 4 ms: for tests that need many answers soon."""

FAULTY = (
    """
about = "A region for each fault that may cost money."
"""
    + _COMMON
    + """
models = ["grok-4"]
service = { ttft_ms = 5.0, sigma = 0.5, token_ms = 0.5 }
[router]
regions = ["well"]
[[models]]
id = "grok-4"
created = 1
fingerprint = "fp"
usd_per_million = { input = 3, cached_input = 0.75, output = 15 }
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
)
"""Each region but the first fails now and then in its own way."""


THREE_REGIONS = """
about = "Three quick regions, equally fast."
edge_rtt_ms = 0.0
[[models]]
id = "m"
created = 1
fingerprint = "fp"
usd_per_million = { input = 1, cached_input = 1, output = 1 }
completion_tokens = 2
reasoning_tokens = 0
[defaults]
latitude = 0
longitude = 0
rtt_ms = 1.0
models = ["m"]
service = { ttft_ms = 5.0, sigma = 0.1, token_ms = 0.2 }
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
about = "One region of known slowness."
edge_rtt_ms = 1.0
[router]
regions = ["slow"]
[[models]]
id = "m"
created = 1
fingerprint = "fp"
usd_per_million = {{ input = 1, cached_input = 1, output = 1 }}
completion_tokens = 5
reasoning_tokens = 0
[defaults]
latitude = 0
longitude = 0
rtt_ms = 1.0
models = ["m"]
service = {{ ttft_ms = {ttft_ms}, sigma = 0.0, token_ms = {token_ms}, token_sigma = 0.0 }}
[[regions]]
name = "slow"
"""
