"""A server under load: ours, ours without batching, and CTranslate2 behind a thin application.

    python -m benchmarks.serve runs/en-de --sources test.en --peer VENV/bin/python

On loopback, the load from a process of its own. ``--case`` chooses: ``clients`` (32 at once, each
asks again when it is answered), ``single`` (one client, in turn with ``Transducer.predict`` here),
``capacity`` (arrivals at 80 % of what 32 clients reached, at random, or all as far apart with
``--regular``), ``overload`` (four times that, for minutes with ``--seconds 300``; memory is looked
at all the while). All systems run at once and are asked in turn, ``--rounds`` times: a machine's
speed is not the same in every minute. Answers are compared with those of ``Transducer.predict``;
the peer's with its own first ones.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.serve_watching import ServerTimes, Watched, single

__all__ = ["main"]

ROOT = Path(__file__).parent.parent
_SYSTEMS = ("ours", "ours-unbatched", "ctranslate2", "ctranslate2-workers")
_STARTED = 120.0  # seconds that a server may take


def main() -> None:
    """Measure and report."""
    options = _arguments()
    texts = options.sources.read_text(encoding="utf-8").splitlines()[: options.texts]
    options.work.mkdir(parents=True, exist_ok=True)
    expected = _prepared(options, texts)
    servers = [Server(system, options) for system in options.systems]
    try:
        for case in options.case:
            for _ in range(options.rounds):
                for server in servers:
                    found = _measured(case, server, options, expected)
                    print(json.dumps({"system": server.system, "case": case, **found}), flush=True)
    finally:
        for server in servers:
            status, seconds = server.end()
            print(json.dumps({"system": server.system, "ended with": status, "after": seconds}))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="a trained model directory")
    parser.add_argument("--sources", type=Path, required=True, help="one sentence a line")
    parser.add_argument("--texts", type=int, default=200)
    parser.add_argument("--systems", nargs="+", choices=_SYSTEMS, default=_SYSTEMS[:2])
    parser.add_argument("--case", nargs="+", default=["clients"])
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--rate", type=float, help="of capacity; measured first if none")
    parser.add_argument("--regular", action="store_true", help="arrivals with no chance in them")
    parser.add_argument("--beam", type=int, default=1)
    parser.add_argument("--set", nargs="*", default=[], help="options of our server")
    parser.add_argument("--peer", help="the interpreter that has ctranslate2")
    parser.add_argument("--work", type=Path, default=Path("runs/serve"), help="exports, answers")
    return parser.parse_args()


def _prepared(options: argparse.Namespace, texts: Sequence[str]) -> dict[str, str]:
    """The model with the beam that is measured, the peer's export, and what ``predict`` says."""
    from transduce import Transducer
    from transduce.server.texts.sentence_cuts import pieces
    from transduce.workflow.trained import TrainedModel

    served: Path = options.work / f"beam-{options.beam}"
    if not served.exists():
        trained = TrainedModel.load(options.model)
        trained.config = trained.config.updated({"search.beam": options.beam})
        trained.save(served)
    if options.peer and not (options.work / "ct2").exists():
        command = [options.peer, "-m", "transduce", "export", str(options.model)]
        command += ["--output", str(options.work / "ct2"), "--quantization", "int8"]
        subprocess.run(command, check=True, cwd=ROOT)
    options.model, model = served, Transducer.load(served, device="cpu")
    found = {}
    for text in texts:
        cut = pieces(text)
        own = iter(model.predict([p.text for p in cut if p.is_sentence]))
        found[text] = "".join(next(own) if p.is_sentence else p.text for p in cut)
    return found


class Server:
    """One of the systems, running."""

    def __init__(self, system: str, options: argparse.Namespace) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.system = system
        environment = {**os.environ, "OMP_NUM_THREADS": "2"}
        self._log = (options.work / f"{system}.log").open("wb")
        self._process = subprocess.Popen(
            self._command(options), stderr=self._log, env=environment, cwd=ROOT
        )
        end = time.monotonic() + _STARTED
        while not self._ready():
            if time.monotonic() > end or self._process.poll() is not None:
                raise RuntimeError(f"{system} must start; see {self._log.name}")
            time.sleep(0.1)

    def _command(self, options: argparse.Namespace) -> list[str]:
        if self.system.startswith("ours"):
            own = [*options.set, *(["pack_tokens=1"] if "unbatched" in self.system else [])]
            command = [sys.executable, "-m", "transduce", "serve", str(options.model)]
            command += ["--port", str(self.port)]
            return command + [word for one in own for word in ("--set", one)]
        workers = 2 if "workers" in self.system else 1
        script, folder = ROOT / "benchmarks" / "serve_ctranslate2.py", options.work / "ct2"
        numbers = [str(number) for number in (self.port, options.beam, workers)]
        return [options.peer, str(script), str(folder), *numbers]

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ready", timeout=2):
                return True
        except OSError:
            return False

    def memory(self) -> float:
        """Megabytes in use now."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return 0.0

    def end(self) -> tuple[int, float]:
        """Its status after SIGTERM, and the seconds that it took."""
        begin = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        status = self._process.wait(60)
        self._log.close()
        return status, round(time.monotonic() - begin, 2)


def _measured(
    case: str, server: Server, options: argparse.Namespace, expected: Mapping[str, str]
) -> dict[str, Any]:
    if case == "single":
        return single(server.port, options.model, expected, options.seconds)
    ask: dict[str, Any] = {"port": server.port, "expected": expected, "clients": options.clients}
    _load({**ask, "seconds": min(2.0, options.seconds)})  # warm
    if case == "clients":
        return _load({**ask, "seconds": options.seconds})
    nominal = _load({**ask, "seconds": min(10.0, options.seconds)})
    rate = options.rate or nominal["a_second"]
    factor = {"capacity": 0.8, "overload": 4.0}[case]
    times = ServerTimes(server.port)
    ask |= {"rate": factor * rate, "regular": options.regular, "seconds": options.seconds}
    with Watched(server.memory) as watched:
        found = _load(ask)
    told = {"of": rate, "nominal": nominal["milliseconds"]}
    own = {"server_milliseconds": times.summary(), "megabytes": watched.summary()}
    return {**told, **found, **own}


def _load(request: Mapping[str, Any]) -> dict[str, Any]:
    script = ROOT / "benchmarks" / "serve_load.py"
    told = subprocess.run(
        [sys.executable, str(script)],
        input=json.dumps(request) + "\n",
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(told.stdout)
    return found


if __name__ == "__main__":
    main()
