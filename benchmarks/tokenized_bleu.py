"""BLEU as papers on Multi30k report it: over texts that Moses' tokenizer has cut.

    transduce predict runs/translate-en-de --beam 5 < test_2016_flickr.en > outputs.de
    python -m benchmarks.tokenized_bleu outputs.de test_2016_flickr.de --language de

It needs ``sacremoses`` (benchmarks/requirements-peers.txt). Wu et al. 2021 score the tokens of
their own data files with fairseq: 12,103 reference tokens for test 2016. Moses' tokenizer without
the splitting of hyphens gives 12,102 for the raw file, so that is how they were cut. Whether they
are in lower case their files do not say here; both figures are printed, and sacreBLEU's 13a, which
cuts by itself, beside them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sacrebleu.metrics.bleu import BLEU
from sacremoses import MosesPunctNormalizer, MosesTokenizer


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("outputs", type=Path)
    parser.add_argument("references", type=Path)
    parser.add_argument("--language", default="de", help="code of the targets' language")
    options = parser.parse_args()
    outputs, references = (
        path.read_text(encoding="utf-8").split("\n")[:-1]
        for path in (options.outputs, options.references)
    )
    if len(outputs) != len(references):
        parser.error(
            f"outputs must be as many as references; got {len(outputs)} and {len(references)}"
        )
    tokenized = _tokenized(outputs, options.language), _tokenized(references, options.language)
    count = sum(len(line.split()) for line in tokenized[1])
    print(f"{len(references):,} sentences, {count:,} reference tokens")
    for name, lowercase in (("tokenized", False), ("tokenized, lower case", True)):
        print(f"{name:24}{_bleu(*tokenized, tokenizer='none', lowercase=lowercase):6.2f}")
    for name, lowercase in (("13a", False), ("13a, lower case", True)):
        print(f"{name:24}{_bleu(outputs, references, tokenizer='13a', lowercase=lowercase):6.2f}")


def _tokenized(lines: list[str], language: str) -> list[str]:
    normalizer, tokenizer = MosesPunctNormalizer(language), MosesTokenizer(language)
    return [tokenizer.tokenize(normalizer.normalize(line), return_str=True) for line in lines]


def _bleu(outputs: list[str], references: list[str], *, tokenizer: str, lowercase: bool) -> float:
    metric = BLEU(lowercase=lowercase, tokenize=tokenizer, force=True)
    return float(metric.corpus_score(outputs, [references]).score)


if __name__ == "__main__":
    main()
