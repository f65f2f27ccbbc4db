"""The page around its contents: policy, style, script, and the JSON that every number is of."""

from __future__ import annotations

import base64
import hashlib
import json

from bench.report.document import Document
from bench.report.page.markup import escape
from bench.report.page.script import SCRIPT
from bench.report.page.style import CSS

_JSON_UNSAFE = "<>&\x7f"
"""With what is not ASCII: a name that a server made may steer a terminal that shows the file."""


def page(doc: Document, body: str) -> str:
    """The whole file. What has no hash in its policy does not run, and nothing is ever fetched."""
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_digest(CSS)}'; "
        f"script-src '{_digest(SCRIPT)}'; base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(doc['answer']['sentence'])}</title>\n<style>{CSS}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n{_DIALOG}\n"
        f'<script type="application/json" id="data">{embedded(doc)}</script>\n'
        f"<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )


_DIALOG = (
    '<dialog id="zoom" aria-label="Enlarged figure"><button type="button">Close</button>'
    '<div class="stage" role="region" tabindex="0" aria-label="Figure, scrolls"></div></dialog>'
)


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def embedded(doc: Document) -> str:
    """The document as JSON that cannot end its script element."""
    text = json.dumps(doc, allow_nan=False, separators=(",", ":"))
    for char in _JSON_UNSAFE:
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text
