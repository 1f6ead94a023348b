"""Options of the pipelines: every one of transformers' has a record, and each does what it says."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from families import FAMILIES
from library_models import write_gpt2
from published import Pair, write_json
from transformers.pipelines.automatic_speech_recognition import AutomaticSpeechRecognitionPipeline
from transformers.pipelines.text_generation import TextGenerationPipeline

from transduce import pipeline
from transduce.errors import ConfigError, DataError, LanguageError
from transduce.tasks.options.option_table import OPTIONS, as_markdown, found_option

TEXT = "xyz foo bar baz"
PRETRAINED = Path(__file__).parents[2] / "docs" / "pretrained.md"

# Version 4's, which the installed one may not have any more: its pipelines' own parameters, what
# its GenerationConfig had, what generate took beside it, Whisper's generate.
TEXT_4 = (
    "return_tensors return_text return_type clean_up_tokenization_spaces truncation stop_sequence "
    "src_lang tgt_lang generate_kwargs"
)
PICTURE_4 = "max_new_tokens generate_kwargs prompt timeout"
PROMPT_4 = (
    "return_full_text return_tensors return_text return_type clean_up_tokenization_spaces prefix "
    "handle_long_generation stop_sequence truncation max_length add_special_tokens padding "
    "continue_final_message"
)
SPEECH_4 = (
    "chunk_length_s stride_length_s ignore_warning decoder_kwargs return_timestamps "
    "return_language generate_kwargs max_new_tokens"
)
GENERATE_4 = """
    max_length max_new_tokens min_length min_new_tokens early_stopping max_time stop_strings
    do_sample num_beams num_beam_groups penalty_alpha dola_layers use_cache cache_implementation
    cache_config
    return_legacy_cache temperature top_k top_p min_p typical_p epsilon_cutoff eta_cutoff
    diversity_penalty repetition_penalty encoder_repetition_penalty length_penalty
    no_repeat_ngram_size bad_words_ids force_words_ids renormalize_logits constraints
    forced_bos_token_id forced_eos_token_id remove_invalid_values exponential_decay_length_penalty
    suppress_tokens begin_suppress_tokens forced_decoder_ids sequence_bias token_healing
    guidance_scale low_memory watermarking_config num_return_sequences output_attentions
    output_hidden_states
    output_scores output_logits return_dict_in_generate pad_token_id bos_token_id eos_token_id
    encoder_no_repeat_ngram_size decoder_start_token_id is_assistant num_assistant_tokens
    num_assistant_tokens_schedule assistant_confidence_threshold prompt_lookup_num_tokens
    max_matching_ngram_size assistant_early_exit assistant_lookbehind target_lookbehind
    disable_compile compile_config prefill_chunk_size generation_config logits_processor
    stopping_criteria prefix_allowed_tokens_fn synced_gpus assistant_model streamer
    negative_prompt_ids negative_prompt_attention_mask use_model_defaults custom_generate
"""
WHISPER_4 = """
    language task return_timestamps is_multilingual prompt_ids prompt_condition_type
    condition_on_prev_tokens compression_ratio_threshold logprob_threshold no_speech_threshold
    num_segment_frames attention_mask time_precision time_precision_features
    return_token_timestamps    return_segments force_unique_generate_call monitor_progress
"""
CONSTRUCTOR_4 = """
    task model config tokenizer feature_extractor image_processor processor framework revision
    use_fast token use_auth_token device device_map torch_dtype trust_remote_code model_kwargs
    pipeline_class
    modelcard args_parser binary_output decoder
"""


def parameters(function: Any) -> set[str]:
    kinds = inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL
    found = inspect.signature(function).parameters.values()
    return {p.name for p in found if p.kind not in kinds} - {"self"}


def test_every_option_has_a_record() -> None:
    config = {*transformers.GenerationConfig().to_dict(), *vars(transformers.GenerationConfig())}
    config |= {
        *GENERATE_4.split(),
        *(parameters(transformers.GenerationMixin.generate) - {"inputs"}),
    }
    for kind, names in (
        ("text", TEXT_4.split()),
        ("picture", PICTURE_4.split()),
        ("prompt", {*PROMPT_4.split(), *parameters(TextGenerationPipeline._sanitize_parameters)}),
        ("speech", {*SPEECH_4.split(), *WHISPER_4.split()}),
        ("speech", parameters(AutomaticSpeechRecognitionPipeline._sanitize_parameters)),
        *((kind, {*config, "batch_size", "num_workers"}) for kind in ("text", "prompt")),
        *((kind, config) for kind in ("speech", "picture")),
    ):
        missing = sorted(n for n in names if found_option(n, kind) is None)
        assert not missing, kind
    built = {option.name for option in OPTIONS if option.place == "constructor"}
    theirs = parameters(transformers.pipeline) | set(CONSTRUCTOR_4.split())
    assert not theirs - built


def test_the_table_of_the_documents_is_made_of_the_records() -> None:
    assert as_markdown().strip() in PRETRAINED.read_text(encoding="utf-8")


@pytest.fixture(scope="module", params=["t5", "bart"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp(request.param)
    pair = FAMILIES[request.param](folder)
    return pair, pipeline("translation", model=folder, device="cpu", torch_dtype="float32")


HONOURED: list[dict[str, Any]] = [
    {},
    {"repetition_penalty": 1.5},
    {"encoder_repetition_penalty": 1.8},
    {"no_repeat_ngram_size": 2},
    {"encoder_no_repeat_ngram_size": 1},
    {"bad_words_ids": [[9], [12, 13]], "min_length": 5},
    {"begin_suppress_tokens": [20, 9, 14]},
    {"forced_bos_token_id": 7},
    {"sequence_bias": [[[11], 3.0], [[11, 12], -4.0], [[15], -2.5]]},
    {"exponential_decay_length_penalty": (2, 1.3)},
    {"eos_token_id": 25},
    {"eos_token_id": [2, 25, 26]},
    {"renormalize_logits": True, "bad_words_ids": [[9], [10], [11]], "length_penalty": 2.0},
    {"repetition_penalty": 1.3, "no_repeat_ngram_size": 3, "sequence_bias": [[[11], 3.0]]},
]


@pytest.mark.parametrize("options", HONOURED, ids=lambda options: " ".join(options) or "none")
def test_outputs_are_those_of_generate(both: tuple[Pair, Any], options: dict[str, Any]) -> None:
    pair, run = both
    numbering = pair.target.numbering
    never = {numbering.padding, numbering.unknown, numbering.start} - {numbering.end, None}
    for beams in (1, 4):
        expected = pair.theirs.generate(
            **pair.inputs([TEXT]), num_beams=beams, do_sample=False, max_length=12,
            suppress_tokens=sorted(never), **options,
        )  # fmt: skip
        found = run(TEXT, num_beams=beams, max_length=12, return_tensors=True, **options)
        assert found[0]["translation_token_ids"].tolist() == expected[0].tolist()


def test_prompts_count_as_in_generate(tmp_path: Path) -> None:
    model, tokenizer = write_gpt2(tmp_path)
    run = pipeline("text-generation", model=tmp_path, device="cpu")
    for options in (
        {"max_length": 14},
        {"min_length": 12, "max_length": 16},
        {"repetition_penalty": 1.6, "max_new_tokens": 6},
        {"no_repeat_ngram_size": 2, "max_new_tokens": 6, "num_beams": 3},
        {"encoder_no_repeat_ngram_size": 2, "max_new_tokens": 6},
    ):
        texts = ["abc", "hello world"]
        answers = run(texts, do_sample=False, return_tensors=True, **options)
        for text, [answer] in zip(texts, answers, strict=True):
            tokens = torch.tensor([tokenizer.encode(text).ids])
            expected = model.generate(input_ids=tokens, do_sample=False, pad_token_id=0, **options)
            assert answer["generated_token_ids"] == expected[0].tolist()
    with pytest.raises(ConfigError, match=r"max_length must be more than the tokens of the prompt"):
        run("hello world", max_length=5)
    # drawn anew in each call, as in theirs, and again after the same seed
    assert run._search({}).temperature == 0.7
    assert run._search({}).top_k == 50
    drawn = []
    for _ in range(2):
        torch.manual_seed(3)
        drawn.append(run("abc", max_new_tokens=9))
    assert drawn[0] == drawn[1] != run("abc", max_new_tokens=9)
    assert run("abc", max_new_tokens=9, seed=4) == run("abc", max_new_tokens=9, seed=4)
    [[full]] = run(["abc"], max_new_tokens=4, seed=1)
    [new] = run("abc", max_new_tokens=4, seed=1, return_full_text=False)
    assert full["generated_text"] == "abc" + new["generated_text"]
    whole = run("abc", do_sample=False, max_new_tokens=9, return_full_text=False)[0][
        "generated_text"
    ]
    stop = whole[2]
    [cut] = run(
        "abc", do_sample=False, max_new_tokens=9, return_full_text=False, stop_sequence=stop
    )
    assert cut["generated_text"] == whole[: whole.index(stop) + 1]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("bart")
    FAMILIES["bart"](folder)
    write_json(folder / "tokenizer_config.json", {"model_max_length": 20})
    return pipeline("text2text-generation", model=folder, device=-1)


def test_draws_are_as_many_and_as_wide_as_asked(run: Any) -> None:
    assert len(run("abc", do_sample=True, num_return_sequences=3, max_length=6)) == 3
    assert len(run("abc", do_sample=True, num_beams=4, num_return_sequences=3, max_length=6)) == 3
    search = run._search({"do_sample": True, "num_beams": 4, "top_p": 1.0, "typical_p": 0.9})
    assert (search.beam, search.sample_beam, search.top_k) == (1, 4, 50)
    assert (search.top_p, search.typical_p) == (None, 0.9)
    assert run._search({"do_sample": True, "top_k": 0}).top_k is None
    greedy = run("abc", max_length=8)
    assert run("abc", max_length=8, do_sample=True, top_p=0.0) == greedy
    assert run("abc", max_length=8, do_sample=True, num_beams=1, top_k=1) == greedy


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_return_sequences": 2}, r"num_return_sequences must be at most num_beams \(1\)"),
        ({"num_beams": 2, "num_return_sequences": 3}, "must be at most num_beams"),
        ({"num_beams": 0}, "num_beams must be at least 1; got 0"),
        ({"do_sample": True, "temperature": 0.0}, "temperature"),
        ({"max_length": 1}, "max_length must be at least 2"),
        ({"max_new_tokens": 0}, "max_new_tokens must be at least 1"),
        ({"max_length": "9"}, "max_length must be a whole number; got 9"),
        ({"bad_words_ids": [[9_999]]}, "bad_words_ids must be numbers of symbols"),
        ({"bad_words_ids": 3}, "bad_words_ids must be a list of lists"),
        ({"forced_eos_token_id": 9}, "forced_eos_token_id must be the model's own end; got 9"),
        ({"decoder_start_token_id": 9}, r"that of the checkpoint \(2\); got 9"),
        ({"output_scores": True}, "output_scores must be left out: answers are texts"),
        ({"penalty_alpha": 0.6}, "penalty_alpha must be left out"),
        ({"streamer": object()}, "streamer must be left out: code of the caller"),
        ({"num_beamz": 3}, r"got num_beamz; did you mean num_beams\?"),
        ({"return_timestamps": True}, "got return_timestamps, which is of pipelines of speech"),
        ({"torch_dtype": "auto"}, r"which is given to pipeline\(\) alone"),
        ({"num_beams": 4, "num_beam_groups": 2}, "diversity_penalty must be above 0"),
        ({"num_beams": 2, "stop_strings": "a"}, "stop_strings must be left out of a beam"),
        ({"truncation": "some"}, "truncation must be true or false; got some"),
        ({"return_type": 2}, r"return_type must be 0 \(tensors\) or 1 \(text\); got 2"),
        ({"sequence_bias": {(9,): "much"}}, "sequence_bias must give each list of numbers a float"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_refused_as_a_value_error_with_the_reason(
    run: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        run("abc", **{"max_new_tokens": 3, **options} if "max_length" not in options else options)
    assert isinstance(caught.value, ValueError)


def test_what_says_nothing_is_accepted(run: Any) -> None:
    expected = run("abc", max_new_tokens=5)
    for option in OPTIONS:
        if "text" not in option.kinds or option.place == "constructor":
            continue
        if option.use == "harmless":
            assert run("abc", max_new_tokens=5, **{option.name: 3}) == expected
        elif option.use == "refused":
            for value in option.idle:
                assert run("abc", max_new_tokens=5, **{option.name: value}) == expected
        elif option.name not in ("max_new_tokens", "top_k"):
            assert run("abc", max_new_tokens=5, **{option.name: None}) == expected
    config = transformers.GenerationConfig(max_new_tokens=5, num_beams=2)
    assert run("abc", generation_config=config) == run("abc", max_new_tokens=5, num_beams=2)
    assert run("abc", generate_kwargs={"max_new_tokens": 5}) == expected


def test_texts_are_cut_to_what_the_model_reads(run: Any) -> None:
    long = "one two three " * 10
    with pytest.raises(DataError):
        run(long, max_length=4)
    for cut in (True, "longest_first", "only_first"):
        # BART's <s>, 18 bytes, </s>
        assert run(long, truncation=cut, max_length=9) == run(long[:18], max_length=9)
    assert run._search({"truncation": False}).max_source_length is None


def test_sources_by_name_tuples_and_iterators(run: Any) -> None:
    expected = run("abc", max_new_tokens=3)
    assert run(text_inputs="abc", max_new_tokens=3) == expected
    answers = run((text for text in ("abc", "b")), max_new_tokens=3)
    assert next(answers) == expected
    assert run("a .", clean_up_tokenization_spaces=True, max_new_tokens=3)
    with pytest.raises(DataError, match="sources must be given; got none"):
        run(max_new_tokens=3)


def test_a_min_length_that_the_model_brings_gives_way(run: Any, caplog: Any) -> None:
    search = run._search({"min_length": 56, "max_length": 20})
    # the end is forced, so one token fewer is chosen
    assert (search.min_length, search.max_length, search.forced_end) == (18, 18, True)
    assert "min_length must be at most max_length" in caplog.text


def test_of_the_constructor(tmp_path: Path) -> None:
    FAMILIES["t5"](tmp_path)
    path = str(tmp_path)
    expected = pipeline("translation", model=path)("abc", max_new_tokens=4)
    for options in (
        {"device": -1}, {"device": torch.device("cpu")}, {"device_map": {"": "cpu"}},
        {"tokenizer": path}, {"framework": "pt"}, {"use_fast": True, "trust_remote_code": True},
        {"max_new_tokens": 4, "num_beams": 1}, {"model_kwargs": {"low_cpu_mem_usage": True}},
        {"config": None, "revision": "main", "batch_size": 8, "num_workers": 2},
    ):  # fmt: skip
        run = pipeline("translation", model=path, **options)
        assert run("abc", **({} if "max_new_tokens" in options else {"max_new_tokens": 4})) == (
            expected
        )
    run = pipeline("translation", model=path, torch_dtype=torch.float32)
    assert run.model.config.engine == "float32"
    for options, message in (
        ({"framework": "tf"}, "framework must be pt; got tf"),
        ({"tokenizer": "other"}, "tokenizer must be that of the model"),
        ({"pipeline_class": object}, "pipeline_class must be left out"),
        ({"torch_dtype": "int3"}, "torch_dtype must be one of auto"),
        ({"num_beamz": 3}, r"did you mean num_beams\?"),
        ({"model_kwargs": {"num_beams": 3}}, "model_kwargs must hold options of a constructor"),
    ):
        with pytest.raises(ValueError, match=message):
            pipeline("translation", model=path, **options)
    with pytest.raises(KeyError, match="task must be one of translation_XX_to_YY"):
        pipeline("fill-mask", model=path)


def test_languages_are_named_by_the_task(tmp_path: Path) -> None:
    FAMILIES["m2m-100"](tmp_path)
    told = pipeline("translation", model=tmp_path, src_lang="en", tgt_lang="fr", device="cpu")
    named = pipeline("translation_en_to_fr", model=tmp_path, device="cpu")
    assert named("abc", max_new_tokens=4) == told("abc", max_new_tokens=4)
    with pytest.raises(LanguageError) as caught:
        pipeline("translation_en_to_xx", model=tmp_path, device="cpu")
    assert isinstance(caught.value, ValueError)
    assert "fr" in caught.value.known


def test_pictures_of_any_mode(tmp_path: Path) -> None:
    from library_models import write_trocr
    from PIL import Image

    write_trocr(tmp_path)
    run = pipeline("image-to-text", model=tmp_path, device="cpu", max_new_tokens=3)
    noise = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    for mode in ("RGB", "RGBA", "L", "P", "1", "CMYK", "LA"):
        picture = Image.fromarray(noise).convert(mode)
        path = tmp_path / f"{mode}.{'jpg' if mode == 'CMYK' else 'png'}"
        picture.save(path)
        if mode != "CMYK":  # a JPEG has other pixels
            assert run(picture) == run(str(path))
        assert set(run([picture])[0][0]) == {"generated_text"}
    with pytest.raises(ConfigError, match="prompt must be left out: models of pictures"):
        run(noise, prompt="a")
    with pytest.raises(DataError, match="nothing is fetched from the network"):
        run("https://example.org/a.png")
