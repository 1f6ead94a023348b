"""Tiny random models as transformers itself saves them, with small tokenizers of every sort."""

from __future__ import annotations

import json
from pathlib import Path

import sentencepiece
import torch
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from transduce.interfaces import Source
from transduce.pretrained.published_model import read_pretrained
from transduce.workflow.trained import TrainedModel

transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()

SPACE = "\u2581"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
TEXTS = ["hello world", "abc", "xyz foo bar baz", "a"]
SENTENCES = [
    "the cat sat on the mat", "a small house by the sea", "we read old books", "rain and snow",
    "they sing at night", "green fields", "the train leaves at nine", "bread and cheese",
    "my dog runs fast", "she wrote a long letter", "stars shine over the lake", "a wooden door",
]  # fmt: skip


def unigram(special: list[str]) -> Tokenizer:
    """Letters, and letters after a space; ``special`` first."""
    names = [*special, SPACE, *LETTERS, *(SPACE + letter for letter in LETTERS)]
    scores = [(name, -number / 10) for number, name in enumerate(names)]
    tokenizer = Tokenizer(models.Unigram(scores, special.index("<unk>"), False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(SPACE, "always")
    tokenizer.decoder = decoders.Metaspace(SPACE, "always")
    tokenizer.add_special_tokens(special)
    return tokenizer


def byte_level(special: list[str]) -> Tokenizer:
    """BART's: pieces of bytes, here single ones; ``special`` first."""
    names = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    numbers = {name: number for number, name in enumerate(names)}
    tokenizer = Tokenizer(models.BPE(numbers, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(name, normalized=False) for name in special])
    return tokenizer


def train_pieces(path: Path, kind: str = "unigram", size: int = 60, **options: object) -> None:
    """A SentencePiece model learnt from a few sentences."""
    sentencepiece.set_min_log_level(3)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES),
        model_prefix=str(path.with_suffix("")),
        vocab_size=size,
        model_type=kind,
        hard_vocab_limit=False,
        **options,
    )
    path.with_suffix(".vocab").unlink()
    made = path.with_suffix(".model")
    if made != path:
        made.rename(path)


def randomized(model: torch.nn.Module, seed: int = 0, *, scale: float = 0.3) -> torch.nn.Module:
    """Weights large enough that every part of the model matters to its logits."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "Sinusoidal" in type(model.get_submodule(name.rpartition(".")[0])).__name__:
                continue
            if parameter.dim() > 1:
                parameter.normal_(0, scale)
            else:
                parameter.uniform_(0.5, 1.5)
    return model.eval()


def saved(model: torch.nn.Module, tokenizer: Tokenizer | None, folder: Path) -> Path:
    """Write both as they are published."""
    model.save_pretrained(folder)
    if tokenizer is not None:
        tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def write_json(path: Path, values: object) -> None:
    path.write_text(json.dumps(values), encoding="utf-8")


class Pair:
    """A published model and what we read of its directory, side by side."""

    def __init__(self, theirs: torch.nn.Module, folder: Path, **options: str) -> None:
        self.theirs = theirs
        self.ours: TrainedModel = read_pretrained(folder, device="cpu", **options)
        self.ours.config = self.ours.config.updated({"engine": "reference"})
        self.options = options
        self.source = self.ours.source_tokenizer._imported
        self.target = self.ours.target_tokenizer._imported

    def rows(self, texts: list[str]) -> list[list[int]]:
        """Their numbers of sources, with their end."""
        theirs = self.source.numbering.rows()
        end = self.source.numbering.end
        return [[*(theirs[n] for n in row), end] for row in self.encoded(texts)]

    def encoded(self, texts: list[str]) -> list[list[int]]:
        return self.ours.source_tokenizer.encode_batch(texts)

    def inputs(self, texts: list[str]) -> dict[str, torch.Tensor]:
        rows = self.rows(texts)
        width = max(map(len, rows))
        padding = self.source.numbering.padding or 0
        tokens = torch.tensor([row + [padding] * (width - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        return {"input_ids": tokens, "attention_mask": mask}

    def logits(self, texts: list[str], steps: int = 7) -> tuple[torch.Tensor, torch.Tensor]:
        """Ours and theirs, ``[B, T, V]`` in our order, of the same random targets."""
        generator = torch.Generator().manual_seed(5)
        numbering = self.target.numbering
        special = (numbering.padding, numbering.unknown, numbering.end, numbering.start)
        ordinary = [n for n in range(numbering.size) if n not in special]
        drawn = torch.randint(len(ordinary), (len(texts), steps), generator=generator)
        target = torch.tensor(ordinary)[drawn]
        start = torch.full((len(texts), 1), numbering.start)
        ours = torch.tensor([[2, *numbering.translate(row)] for row in target.tolist()])
        with torch.no_grad():
            theirs = self.theirs(
                **self.inputs(texts), decoder_input_ids=torch.cat([start, target], 1),
                use_cache=False,
            ).logits  # fmt: skip
            found = self.ours.model(Source.of_tokens(self.encoded(texts)), ours)
        known = [n for n in range(len(numbering.rows())) if n not in numbering.invented()]
        return found[..., known], numbering.permuted(theirs.movedim(-1, 0)).movedim(0, -1)[
            ..., known
        ]

    def generate(
        self, texts: list[str], suppressed: list[int] | None = None, **options: object
    ) -> list[list[tuple[list[int], float]]]:
        """Their outputs: our numbers of the text's tokens, and the score of a beam."""
        numbering = self.target.numbering
        banned = {numbering.padding, numbering.unknown, numbering.start} - {numbering.end, None}
        banned |= {*(suppressed or [])}
        found = self.theirs.generate(
            **self.inputs(texts), suppress_tokens=sorted(banned), do_sample=False,
            return_dict_in_generate=True, output_scores=True, **options,
        )  # fmt: skip
        scores = getattr(found, "sequences_scores", None)
        outputs = []
        for number, row in enumerate(found.sequences.tolist()):
            kept = self.written(row[1:])
            outputs.append((kept, 0.0 if scores is None else scores[number].item()))
        each = len(outputs) // len(texts)
        return [outputs[n * each : (n + 1) * each] for n in range(len(texts))]

    def written(self, row: list[int]) -> list[int]:
        """What comes before the end, in our numbers."""
        numbering = self.target.numbering
        if numbering.end in row:
            row = row[: row.index(numbering.end)]
        return numbering.translate([n for n in row if n != numbering.padding])

    def decode(self, texts: list[str], **options: object) -> list[list[tuple[list[int], float]]]:
        """Our outputs in the same form."""
        changed = {f"search.{name}": value for name, value in options.items()}
        search = self.ours.config.updated(changed).search
        found = list(self.ours.predict(texts, search))
        symbols = self.ours.target_tokenizer.symbols(range(self.ours.target_tokenizer.size))
        numbers = {symbol: number for number, symbol in enumerate(symbols)}
        return [[([numbers[t] for t in h.tokens], h.score) for h in outputs] for outputs in found]
