"""CTranslate2 as a program that translates the lines of a file, with our tokenizers' files.

python -m benchmarks.start_ctranslate2 HOME STORED FILE
"""

from __future__ import annotations

import os
import sys
import time

import ctranslate2
from tokenizers import Tokenizer

_LENGTH = 30


def main() -> None:
    """Greedily, one thread for each of ``OMP_NUM_THREADS``."""
    home, stored, file = sys.argv[1:]
    translator = ctranslate2.Translator(
        f"{home}/ctranslate2-{stored}",
        device="cpu",
        compute_type=stored,
        intra_threads=int(os.environ["OMP_NUM_THREADS"]),
    )
    sides = ("source", "target")
    source, target = (
        Tokenizer.from_file(f"{home}/ours-{stored}/{side}.tokenizer.json") for side in sides
    )
    with open(file, encoding="utf-8") as lines:
        rows = [source.encode(line, add_special_tokens=False).tokens for line in lines]
    found = translator.translate_batch(
        rows,
        beam_size=1,
        min_decoding_length=_LENGTH,
        max_decoding_length=_LENGTH,
        max_input_length=0,
    )
    for result in found:
        numbers = map(target.token_to_id, result.hypotheses[0])
        print(target.decode([number for number in numbers if number is not None]), flush=True)
    with open("/proc/self/status", encoding="utf-8") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    print(time.process_time(), peak / 1024, file=sys.stderr)


if __name__ == "__main__":
    main()
