"""The examples of the service's document, as written there, against the fleet at the real names.

Each runs in a namespace of its own in which `us-east-1.api.x.ai` and `api.x.ai` are the fleet on
port 443. The key comes from the environment, as the document supposes; the prologue only gives it
the name that the example uses. The xAI SDK's example is in that client's own tests.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.namespace import require_namespaces, run_inside
from tests.node import require_node_modules

PYTHON = """\
from openai import OpenAI

client = OpenAI(
api_key=XAI_API_KEY,
base_url="https://us-east-1.api.x.ai/v1",
)

completion = client.chat.completions.create(
model="grok-4",
messages=[
{"role": "user", "content": "What is the meaning of life?"}
]
)
"""

JAVASCRIPT = """\
import OpenAI from "openai";

const client = new OpenAI({
apiKey: XAI_API_KEY,
baseURL: "https://us-east-1.api.x.ai/v1",
});

const completion = await client.chat.completions.create({
model: "grok-4",
messages: [
{ role: "user", content: "What is the meaning of life?" }
]
});
"""

CURL = r"""curl https://us-east-1.api.x.ai/v1/chat/completions \\
-H "Content-Type: application/json" \\
-H "Authorization: Bearer $XAI_API_KEY" \\
-d '{
"messages": [
{
"role": "user",
"content": "What is the meaning of life, the universe, and everything?"
}
],
"model": "grok-4",
"stream": false
}'
"""


@dataclass(frozen=True)
class Language:
    """How an example runs: the file it goes into, who runs that, and how its outcome is shown."""

    example: str
    file: str
    command: tuple[str, ...]
    prologue: str
    shown: str
    streamed: tuple[str, str]
    shown_streamed: str

    def text(self, host: str, *, stream: bool) -> str:
        """The example for a host; streamed is the one change that the document's reader makes."""
        example = self.example.replace("us-east-1.api.x.ai", host)
        if stream:
            assert self.streamed[0] in example
            example = example.replace(*self.streamed)
        return f"{self.prologue}{example}{self.shown_streamed if stream else self.shown}"


LANGUAGES = {
    "OpenAI Python": Language(
        example=PYTHON,
        file="example.py",
        command=("PYTHON",),
        prologue='import os\nXAI_API_KEY = os.environ["XAI_API_KEY"]\n',
        shown="\nprint(completion.choices[0].message.content, completion.usage.total_tokens)\n",
        streamed=('model="grok-4",', 'model="grok-4",\nstream=True,'),
        shown_streamed='\nprint(*(c.choices[0].delta.content or "" for c in completion), "DONE")\n',
    ),
    "OpenAI JavaScript": Language(
        example=JAVASCRIPT,
        file="example.mjs",
        command=("node",),
        prologue="const XAI_API_KEY = process.env.XAI_API_KEY;\n",
        shown="\nconsole.log(completion.choices[0].message.content,"
        " completion.usage.total_tokens);\n",
        streamed=('model: "grok-4",', 'model: "grok-4",\nstream: true,'),
        shown_streamed="\nfor await (const chunk of completion)"
        ' console.log(chunk.choices[0].delta.content ?? "");\nconsole.log("DONE");\n',
    ),
    "curl": Language(
        example=CURL.replace("\\\\", "\\"),
        file="example.sh",
        command=("bash", "-e"),
        prologue="",
        shown="",
        streamed=('"stream": false', '"stream": true'),
        shown_streamed="",
    ),
}

INSIDE = """
import json, subprocess
from bench.simulator import Fleet
with Fleet.start(hosts="xai", bind="127.0.0.{n}:443") as fleet:
    env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    ca = str(fleet.ca)
    env |= {"XAI_API_KEY": fleet.key, "SSL_CERT_FILE": ca, "CURL_CA_BUNDLE": ca,
            "NODE_EXTRA_CA_CERTS": ca}
    command = [sys.executable if word == "PYTHON" else word for word in COMMAND]
    done = subprocess.run(command, env=env, cwd=FOLDER, capture_output=True, text=True)
    print(json.dumps({"code": done.returncode, "out": done.stdout, "err": done.stderr,
                      "truth": fleet.truth()}))
"""

NAMES = {"api.x.ai": "127.0.0.1", "us-east-1.api.x.ai": "127.0.0.2"}


@pytest.mark.parametrize("stream", [False, True], ids=["as written", "streamed"])
@pytest.mark.parametrize("host", ["us-east-1.api.x.ai", "api.x.ai"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_an_example_of_the_document_completes(
    language: str, host: str, stream: bool, tmp_path: Path
) -> None:
    """One request, answered by the model asked for, in the region that the host names."""
    require_namespaces()
    chosen = LANGUAGES[language]
    _supply(language, tmp_path)
    (tmp_path / chosen.file).write_text(chosen.text(host, stream=stream))
    command = (*chosen.command, chosen.file)
    code = f"COMMAND = {list(command)!r}\nFOLDER = {str(tmp_path)!r}\n{INSIDE}"
    done = run_inside(code, NAMES, tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["code"] == 0, told["err"]
    _check_answer(language, told["out"], stream=stream)
    (deed,) = told["truth"]
    assert (deed["status"], deed["model"]) == (200, "grok-4")
    if host != "api.x.ai":
        assert deed["region"] == "us-east-1"


def _supply(language: str, folder: Path) -> None:
    """What the example imports."""
    if language == "OpenAI Python" and not os.environ.get("CI"):
        pytest.importorskip("openai")
    if language == "OpenAI JavaScript":
        (folder / "node_modules").symlink_to(require_node_modules())


def _check_answer(language: str, out: str, *, stream: bool) -> None:
    if language != "curl":
        words = out.split()
        assert len(words) > 2, out
        assert words[-1] == "DONE" if stream else int(words[-1]) > 0
    elif stream:
        assert out.rstrip().endswith("data: [DONE]")
        assert '"content":' in out
    else:
        document = json.loads(out)
        assert document["choices"][0]["message"]["content"]
        assert document["choices"][0]["finish_reason"] == "stop"


def test_the_examples_are_those_of_the_document() -> None:
    """Where the document lies beside the repository, the copies here are compared with it."""
    document = Path(__file__).parents[2] / "shared" / "seeds" / "regional-endpoints.txt"
    if not document.exists():
        pytest.skip("the service's document is not at hand")
    text = document.read_text()
    for example in (PYTHON, JAVASCRIPT, CURL):
        assert example.rstrip() in text
