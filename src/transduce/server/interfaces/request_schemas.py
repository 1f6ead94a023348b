"""Bodies of requests as JSON Schema: what a server with its limits takes, as far as that can say.

It cannot say what depends on the model (which of several tells times, which parts and languages it
has), on a file's content or name, or on two options together; ``docs/serve.md`` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transduce.config import SearchConfig
from transduce.config.base import Section
from transduce.server.interfaces.explain_interface import ExplainBody
from transduce.server.interfaces.huggingface import NESTED, OF_TEXTS, OPTIONS, PASSED_OVER
from transduce.server.interfaces.predict_interface import NOT_ASKED, PredictRequest
from transduce.server.limits.serve_config import ServeConfig

__all__ = [
    "ENTRIES",
    "beside_files",
    "explain_schema",
    "in_a_form",
    "nullable",
    "parameters_schema",
    "predict_schema",
]

Schema = Mapping[str, Any]

_SOURCES = ("source", "sources", "stream")
# What only a search that draws reads, as it stands where none does.
_DRAWN: Schema = {"temperature": [1.0, None], "top_k": [None], "top_p": [None]}
_WORD = r"[^\s\x00-\x1f\x7f-\x9f,\"]{1,50}"
_TERM = rf"{_WORD}( {_WORD}){{0,3}}"


def _lines_of(separator: str) -> dict[str, Any]:
    """A glossary's lines of two terms."""
    line = f"{_TERM}{separator}{_TERM}"
    return {"type": "string", "pattern": rf"^{line}(\n{line}){{0,100}}$"}


# Of a glossary: its lines are told apart by its format, tsv where none is named.
ENTRIES: Schema = {
    "oneOf": [
        {
            "properties": {"entries_format": {"const": "csv"}, "entries": _lines_of(",")},
            "required": ["entries_format"],
        },
        {"properties": {"entries_format": {"const": "tsv"}, "entries": _lines_of(r"\t")}},
    ]
}


def nullable(schema: Schema) -> dict[str, Any]:
    """It, or null as if nothing had been said."""
    return {"anyOf": [schema, {"type": "null"}]}


def in_a_form(schema: Schema) -> dict[str, Any]:
    """It as a value of a form, where nothing is null."""
    found = dict(schema)
    if "enum" in found:
        found["enum"] = [value for value in found["enum"] if value is not None]
    own = [dict(one) for one in found.get("anyOf", ()) if one != {"type": "null"}]
    return own[0] if len(own) == 1 else found


def beside_files(schema: Schema) -> dict[str, Any]:
    """A body of JSON as it stands in a form with files, which are the sources."""
    own = {name: s for name, s in schema["properties"].items() if name not in _SOURCES}
    return {"type": "object", "properties": own, "additionalProperties": False}


def predict_schema(config: ServeConfig, *, timed: bool) -> dict[str, Any]:
    """Of ``POST /predict``: one source or several, not both; ``timed``: some model tells times."""
    found = _of(PredictRequest, config)
    if not timed:
        found["properties"]["timings"]["enum"] = [False]
    found["properties"]["alternatives"]["maximum"] = config.alternatives
    for one in found["properties"]["sources"]["anyOf"]:
        if one["type"] == "array":
            one["maxItems"] = config.sources
    found["oneOf"] = [
        {"required": [name], "properties": {name: {"type": kind}}}
        for name, kind in (("source", "string"), ("sources", "array"))
    ]
    return found


def explain_schema(config: ServeConfig) -> dict[str, Any]:
    """Of ``POST /explain``: one source."""
    found = _of(ExplainBody, config)
    found["properties"]["source"] = {"type": "string", "minLength": 1}
    found["required"] = ["source"]
    most = min(config.alternatives, found["properties"]["alternatives"]["maximum"])
    found["properties"]["alternatives"]["maximum"] = most
    return found


def parameters_schema(config: ServeConfig) -> dict[str, Any]:
    """``parameters`` of Hugging Face for texts: their names, our bounds."""
    options = _search(config)["properties"]
    own: dict[str, Any] = {name: {} for name in PASSED_OVER}
    own |= {theirs: nullable(options[ours]) for theirs, ours in OPTIONS.items()}
    own |= {name: {"type": "string"} for name in OF_TEXTS}
    inner = {"type": "object", "maxProperties": 0}
    own |= {name: nullable(inner) for name in NESTED}
    return {
        "type": "object",
        "properties": own,
        "additionalProperties": False,
        "dependentRequired": {name: list(OF_TEXTS) for name in OF_TEXTS},
        "if": {"properties": {"do_sample": {"const": True}}, "required": ["do_sample"]},
        "then": {"properties": {"num_beams": {"enum": [1, None]}}},
        "else": {"properties": {name: {"enum": values} for name, values in _DRAWN.items()}},
    }


def _of(kind: type[Section], config: ServeConfig) -> dict[str, Any]:
    found = kind.model_json_schema()
    found["properties"]["search"] = _search(config)
    return found


def _search(config: ServeConfig) -> dict[str, Any]:
    """The options of a search that a client may name, within the server's limits."""
    found = SearchConfig.model_json_schema()
    own = {name: dict(option) for name, option in found["properties"].items()}
    for name in NOT_ASKED:
        del own[name]
    for name in ("beam", "nbest", "sample_beam"):
        own[name]["maximum"] = config.beam
    own["max_length"]["maximum"] = config.max_length
    return {"type": "object", "properties": own, "additionalProperties": False}
