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
