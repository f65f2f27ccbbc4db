"""Profiles of fleets that several tests start."""

TWO_REGIONS = """
about = "Two quick regions."
edge_rtt_ms = 1.0
[router]
regions = ["near", "far"]
[[models]]
id = "m"
created = 1
fingerprint = "fp"
usd_per_million = { input = 1, cached_input = 1, output = 1 }
completion_tokens = 4
reasoning_tokens = 0
[defaults]
latitude = 0
longitude = 0
rtt_ms = 1.0
models = ["m"]
service = { ttft_ms = 5.0, sigma = 0.2, token_ms = 0.5 }
[[regions]]
name = "near"
[[regions]]
name = "far"
longitude = 10
service = { ttft_ms = 9.0 }
"""
"""Two quick regions, the second slower by 4 ms: for tests that need many answers soon."""


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
