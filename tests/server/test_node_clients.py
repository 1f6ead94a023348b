"""Clients of npm, where node is there and ``NODE_CLIENTS`` names a folder that has them.

npm install --prefix FOLDER translate deepl-node openai
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from recordings import write_recording
from started import Keyed
from transduce import Transducer

NODE = shutil.which("node")
FOLDER = os.environ.get("NODE_CLIENTS", "")


@pytest.mark.skipif(
    NODE is None or not FOLDER, reason="needs node, and NODE_CLIENTS=FOLDER with the packages"
)
def test_clients_of_npm(keyed: Keyed, tmp_path: Path) -> None:
    assert NODE is not None
    path = write_recording(tmp_path / "abc.wav", "abc")
    expected = Transducer.load(keyed.folders["hear"]).predict([path])[0]
    script = Path(shutil.copy(Path(__file__).with_name("clients.mjs"), tmp_path))
    (tmp_path / "node_modules").symlink_to(Path(FOLDER) / "node_modules")
    command = [NODE, str(script), keyed.url, keyed.key, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout) == {
        "translate": ["cba", "ba", "ac"],
        "translateError": "Error",
        "translateWrongKey": "Error",
        "deepl": ["cba", "ba", "ac"],
        "deeplError": "DeepLError",
        "deeplWrongKey": "AuthorizationError",
        "openai": expected,
        "openaiError": "404",
        "openaiWrongKey": "401",
    }
