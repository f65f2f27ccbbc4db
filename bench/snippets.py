"""Ready-to-paste configuration of one endpoint for the clients that people use. Pure text."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from bench.model import Endpoint


def snippets(endpoint: Endpoint, api: str = "/v1") -> Mapping[str, str]:
    """Client → the one line that sends its requests to ``endpoint``."""
    base = endpoint.url + api
    host = urlsplit(endpoint.url).netloc  # api_host takes no https://
    return {
        "xAI SDK": f'Client(api_key=os.getenv("XAI_API_KEY"), api_host="{host}")',
        "OpenAI SDK, Python": f'OpenAI(api_key=XAI_API_KEY, base_url="{base}")',
        "OpenAI SDK, JavaScript": f'new OpenAI({{ apiKey: XAI_API_KEY, baseURL: "{base}" }})',
        "curl": f'curl {base}/chat/completions -H "Authorization: Bearer $XAI_API_KEY" ...',
    }
