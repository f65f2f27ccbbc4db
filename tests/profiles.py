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
