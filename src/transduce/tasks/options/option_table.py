"""Every option of the pipelines and of ``generate`` of transformers, and what becomes of it here.

One record an option; ``docs/pretrained.md`` has a table that is made of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

__all__ = ["OPTIONS", "Kind", "Option", "Place", "Use", "as_markdown", "found_option", "names_of"]

Use = Literal["honoured", "harmless", "refused"]
Place = Literal["constructor", "call", "generate"]
# What a pipeline turns into text: texts, prompts that a decoder alone goes on from, recordings,
# pictures. Translation is of texts, and has languages.
Kind = Literal["text", "prompt", "speech", "picture"]
_ALL: tuple[Kind, ...] = ("text", "prompt", "speech", "picture")


@dataclass(frozen=True, slots=True)
class Option:
    """An option of theirs. ``says``: what it does here, or why it is refused.

    One that is refused is accepted at the values ``idle``, which say nothing. A ``place`` is where
    it is given: to ``pipeline``, in a call, or in a call among those of ``generate``; all but
    those of the constructor may be given to ``pipeline`` too, for all calls.
    """

    name: str
    place: Place
    use: Use
    says: str
    kinds: tuple[Kind, ...] = _ALL
    idle: tuple[object, ...] = (None,)

    def is_idle(self, value: object) -> bool:
        """Whether a value says nothing."""
        empty = isinstance(value, list | tuple | Mapping) and not value
        return empty or any(type(value) is type(idle) and value == idle for idle in self.idle)


def _rows(
    place: Place,
    use: Use,
    options: Mapping[str, str],
    kinds: tuple[Kind, ...] = _ALL,
    idle: tuple[object, ...] = (None,),
) -> Iterator[Option]:
    for names, says in options.items():
        for name in names.split():
            yield Option(name, place, use, says, kinds, idle)


_HONOURED = {
    "do_sample": "whether outputs are sampled; for prompts the default is true",
    "num_beams": "the beam; with sampling, a beam that is sampled",
    "num_return_sequences": "the number of answers",
    "max_length": "largest number of tokens, including the decoder's first one (or the prompt)",
    "max_new_tokens": "largest number of new tokens; takes precedence over `max_length`",
    "min_length min_new_tokens": "smallest number of tokens, counted in the same way",
    "early_stopping length_penalty": "as there (`search.stopping`, `length_alpha`)",
    "no_repeat_ngram_size": "`search.no_repeat_ngram`",
    "temperature top_k top_p": "for sampling; `top_k` is 50 by default",
    "min_p typical_p epsilon_cutoff eta_cutoff": "for sampling: limits to probable tokens",
    "repetition_penalty": "`search.repetition_penalty`",
    "encoder_repetition_penalty encoder_no_repeat_ngram_size": "for the tokens of the source",
    "num_beam_groups diversity_penalty": "diverse beam search, which stops by Transduce's rule",
    "renormalize_logits": "scores are normalized again after all rules",
    "exponential_decay_length_penalty": "the end becomes more probable with the length",
    "bad_words_ids suppress_tokens begin_suppress_tokens": "in addition to those of the checkpoint",
    "sequence_bias": "a mapping, or a list of pairs",
    "force_words_ids": "required phrases; without alternatives, without sampling",
    "forced_bos_token_id": "the first token, instead of the model's choice",
    "forced_decoder_ids": "the first tokens, one for each position from 1",
    "forced_eos_token_id": "the end at the maximum length; only the end token",
    "eos_token_id": "one or several tokens that end an output",
    "stop_strings": "the text ends after one of them; not with a beam",
    "decoder_start_token_id": "that of the checkpoint; others are refused",
    "generation_config": "its options, where they differ from the defaults",
    "seed": "for sampling; by default, `torch.manual_seed` decides",
}
_HARMLESS = {
    "use_cache cache_implementation cache_config max_cache_len return_legacy_cache": (
        "keys and values are always kept"
    ),
    "low_memory prefill_chunk_size disable_compile compile_config continuous_batching_config": (
        "how it is computed; here `engine` and `search.batch_tokens` control this"
    ),
    "num_assistant_tokens num_assistant_tokens_schedule assistant_confidence_threshold": (
        "for assisted generation, which gives the same outputs"
    ),
    "assistant_early_exit assistant_lookbehind target_lookbehind is_assistant": (
        "for assisted generation, which gives the same outputs"
    ),
    "assistant_ensemble_weight speculation_type prompt_lookup_num_tokens use_mtp": (
        "for assisted generation, which gives the same outputs"
    ),
    "max_matching_ngram_size assistant_model assistant_tokenizer": (
        "for assisted generation, which gives the same outputs"
    ),
    "remove_invalid_values": "scores that are not numbers are an error here",
    "pad_token_id bos_token_id": "answers contain no padding, and decoders have a start",
    "transformers_version _from_model_config synced_gpus use_model_defaults": "no effect",
    "tokenizer is_multilingual": "the model has its own",
}
_REFUSED = {
    "penalty_alpha dola_layers custom_generate": "a kind of search that Transduce does not have",
    "guidance_scale negative_prompt_ids negative_prompt_attention_mask": (
        "there is no search with a second prompt"
    ),
    "watermarking_config": "outputs get no watermark",
    "top_h": "not available: use min_p, typical_p or eta_cutoff",
    "max_time": "answers would depend on the load of the machine: use max_new_tokens",
    "constraints logits_processor stopping_criteria prefix_allowed_tokens_fn streamer": (
        "code of the caller that uses tensors of transformers"
    ),
    "decoder_input_ids decoder_attention_mask attention_mask input_ids inputs_embeds": (
        "sources are texts, recordings or pictures"
    ),
    "encoder_outputs past_key_values": "sources are texts, recordings or pictures",
}
_SWITCHES = {
    "output_scores output_logits output_attentions output_hidden_states": (
        "answers are texts; Transducer also gives scores"
    ),
    "return_dict_in_generate": "answers are texts; Transducer also gives scores",
    "token_healing": "prompts are read as they are",
}
_UNFORCED = {"condition_on_prev_tokens": "no segment of a recording depends on the one before"}
_FALLBACK = {
    "prompt_ids prompt_condition_type": "no segment of a recording depends on the one before",
    "compression_ratio_threshold logprob_threshold no_speech_threshold": (
        "no answer is repeated because of its scores"
    ),
    "num_segment_frames time_precision time_precision_features": (
        "recordings are cut where they are quiet"
    ),
}
_SILENT = {
    "return_token_timestamps return_segments force_unique_generate_call monitor_progress": (
        "use return_timestamps for words with times"
    ),
}
_OFF = (None, False)
_TEXTS: tuple[Kind, ...] = ("text", "prompt")

OPTIONS: tuple[Option, ...] = (
    *_rows("generate", "honoured", _HONOURED),
    *_rows("generate", "harmless", _HARMLESS),
    *_rows("generate", "refused", _REFUSED, idle=(None, 1.0, 1, 0.0, 0)),
    *_rows("generate", "refused", _SWITCHES, idle=_OFF),
    *_rows(
        "generate",
        "honoured",
        {"language": "what is spoken, by code or name", "task": "transcribe, or translate"},
        ("speech",),
    ),
    *_rows("generate", "refused", _UNFORCED, ("speech",), _OFF),
    *_rows("generate", "refused", _FALLBACK, ("speech",)),
    *_rows("generate", "refused", _SILENT, ("speech",), _OFF),
    *_rows(
        "call",
        "honoured",
        {
            "generate_kwargs": "options of `generate`, together",
            "part": "only in Transduce: a part of a mixture",
        },
    ),
    *_rows("call", "harmless", {"batch_size num_workers": "answers do not depend on batches"}),
    *_rows(
        "call",
        "honoured",
        {
            "return_tensors return_text return_type": "texts, or token numbers",
            "clean_up_tokenization_spaces": "removes spaces before punctuation",
            "truncation": "longer sources are cut to what the model can read",
            "prefix": "a text in front of each source",
            "stop_sequence": "a text that ends the output; for *text*, its first token",
        },
        _TEXTS,
    ),
    *_rows(
        "call",
        "honoured",
        {"src_lang tgt_lang": "languages, for one call or all; of recordings, the spoken one"},
        ("text", "speech"),
    ),
    *_rows(
        "call",
        "honoured",
        {
            "return_full_text": "whether the answer begins with the prompt",
            "handle_long_generation": "`hole` cuts the beginning of a prompt that is too long",
        },
        ("prompt",),
    ),
    *_rows("call", "harmless", {"padding": "answers do not depend on batches"}, _TEXTS),
    *_rows(
        "call",
        "refused",
        {
            "add_special_tokens tokenizer_encode_kwargs": "prompts are split into plain tokens",
            "continue_final_message tools documents": (
                "chat templates are programs, and programs of a checkpoint are not run"
            ),
        },
        ("prompt",),
        (None, False),
    ),
    *_rows(
        "call",
        "refused",
        {"skip_special_tokens": "special symbols are never shown"},
        ("prompt",),
        (None, True),
    ),
    *_rows(
        "call",
        "honoured",
        {
            "return_timestamps": "`word`: each word with its times; true: each sentence",
            "return_language": "the language that the model recognized, for each chunk",
            "chunk_length_s": "recordings are cut at quiet places into chunks no longer than this",
        },
        ("speech",),
    ),
    *_rows(
        "call",
        "harmless",
        {
            "stride_length_s": "chunks need no overlap, because they are cut at quiet places",
            "ignore_warning": "there is no such warning",
        },
        ("speech",),
    ),
    *_rows("call", "refused", {"decoder_kwargs": "there is no second language model"}, ("speech",)),
    *_rows("call", "harmless", {"timeout": "nothing is downloaded"}, ("picture",)),
    *_rows("call", "refused", {"prompt": "models of pictures have no prompt"}, ("picture",)),
    *_rows(
        "constructor",
        "honoured",
        {
            "task model": "the task, and a folder or a name on the hub",
            "device device_map": "`cpu`, `cuda`, a number (-1: the CPU), or `auto`",
            "torch_dtype dtype": "float32: exactly those numbers; bfloat16; `auto`: the fastest",
            "model_kwargs": "options of this table",
            "load_in_8bit": "int8",
            "legacy_weights": "only in Transduce: allows pytorch_model.bin, read as data",
            "download": "only in Transduce: allows a download from the hub",
            "revision token use_auth_token cache_dir local_files_only": "for a name on the hub",
        },
    ),
    *_rows(
        "constructor",
        "honoured",
        {
            "config tokenizer feature_extractor image_processor processor": (
                "those beside the model; others are refused"
            ),
            "framework": "`pt`; others are refused",
        },
    ),
    *_rows(
        "constructor",
        "harmless",
        {
            "use_fast use_safetensors low_cpu_mem_usage attn_implementation": (
                "how files are read and numbers computed"
            ),
            "trust_remote_code": "no code of a checkpoint is run, and none is needed",
            "modelcard args_parser video_processor": "no effect",
        },
    ),
    *_rows(
        "constructor",
        "refused",
        {
            "pipeline_class": "code of the caller that uses tensors of transformers",
            "decoder": "there is no second language model",
            "binary_output": "answers are not pickled",
            "load_in_4bit quantization_config": "weights have at least 8 bits: use torch_dtype",
        },
        idle=_OFF,
    ),
)


def _by_name(options: Iterable[Option]) -> Mapping[tuple[str, Kind], Option]:
    """Options of a call; those of a call itself go before those of ``generate``."""
    found: dict[tuple[str, Kind], Option] = {}
    for option in options:
        for kind in option.kinds if option.place != "constructor" else ():
            if option.place == "call" or (option.name, kind) not in found:
                found[option.name, kind] = option
    return MappingProxyType(found)


_CALLED = _by_name(OPTIONS)


def found_option(name: str, kind: Kind) -> Option | None:
    """The record of an option that is given in a call, or to the constructor for all calls."""
    return _CALLED.get((name, kind))


def names_of(kind: Kind) -> list[str]:
    """The options that do something in calls of a pipeline, in the order of the table."""
    own = [o.name for o in OPTIONS if o.place != "constructor" and o.use == "honoured"]
    return [name for name in dict.fromkeys(own) if (name, kind) in _CALLED]


def as_markdown() -> str:
    """All options as tables, a row for those of which the same is to be said."""
    lines: list[str] = []
    for title, place in (
        ("Given to `pipeline`", "constructor"),
        ("Given in a call, or to `pipeline` for all calls", "call"),
        ("Of `generate`, given likewise or as `generate_kwargs`", "generate"),
    ):
        lines += [
            f"**{title}**",
            "",
            "| option | task | here | meaning or reason |",
            "|---|---|---|---|",
        ]
        rows: dict[tuple[str, str, str], list[str]] = {}
        for option in OPTIONS:
            if option.place == place:
                of = "all" if option.kinds == _ALL else ", ".join(option.kinds)
                rows.setdefault((of, option.use, option.says), []).append(f"`{option.name}`")
        for (of, use, says), names in rows.items():
            lines.append(f"| {', '.join(names)} | {of} | {use} | {says} |")
        lines.append("")
    return "\n".join(lines)
