"""CTranslate2 behind the thinnest application: each request is one call of its engine.

So LibreTranslate does it: a thread a request, in which tokenizer and ``translate_batch`` run.
Started by the interpreter of an environment that has ctranslate2, tokenizers, starlette, uvicorn:

    python benchmarks/serve_ctranslate2.py EXPORT PORT BEAM WORKERS
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

__all__ = ["main"]


def main() -> None:
    """Answer until the process is ended."""
    import ctranslate2
    import tokenizers
    import uvicorn
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    folder, port, beam, workers = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    source, target = (
        tokenizers.Tokenizer.from_file(str(folder / f"{side}.tokenizer.json"))
        for side in ("source", "target")
    )
    numbers = target.get_vocab()
    translator: Any = ctranslate2.Translator(
        str(folder),
        device="cpu",
        compute_type="int8",
        inter_threads=workers,
        intra_threads=2 // workers,
    )

    def translate(text: str) -> str:
        tokens = source.encode(text).tokens
        found = translator.translate_batch(
            [tokens], beam_size=beam, max_decoding_length=256, max_input_length=0
        )
        return str(target.decode([numbers[token] for token in found[0].hypotheses[0]]))

    async def answer(request: Request) -> Response:
        asked = json.loads(await request.body())
        text = await run_in_threadpool(translate, asked["q"])
        body = json.dumps({"translatedText": text}, ensure_ascii=False).encode()
        return Response(body, media_type="application/json")

    async def ready(request: Request) -> Response:
        return Response(b'{"status": "ready"}', media_type="application/json")

    app = Starlette(routes=[Route("/translate", answer, methods=["POST"]), Route("/ready", ready)])
    uvicorn.run(app, port=port, log_level="error", access_log=False, http="h11")


if __name__ == "__main__":
    main()
