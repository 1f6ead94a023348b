"""Every number, text and list of the config has an upper bound, which its error names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from transduce.config import Config, parse_override
from transduce.errors import ConfigError

Node = Mapping[str, Any]
SCHEMA: Node = Config.model_json_schema()


def resolved(node: Node) -> Node:
    reference = node.get("$ref")
    return node if reference is None else SCHEMA["$defs"][reference.rpartition("/")[2]]


def leaves(node: Node, way: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Node]]:
    """All of the schema that a person sets, with the way there; an int is a place in a list.

    A name in angle brackets says which of several kinds of section it is.
    """
    node = resolved(node)
    for choice in (*node.get("anyOf", ()), *node.get("oneOf", ())):
        yield from leaves(choice, way)
    if "properties" in node:
        kind = node["properties"].get("kind", {})
        name = kind.get("const") or kind.get("enum", [None])[0]
        tagged = (*way, f"<{name}>") if name else way
        for key, inner in node["properties"].items():
            yield from leaves(inner, (*tagged, key))
    elif isinstance(node.get("additionalProperties"), Mapping):
        yield way, node
        yield from leaves(node["additionalProperties"], (*way, "ice"))
    elif node.get("type") == "array":
        yield way, node
        for number, inner in enumerate(node.get("prefixItems", ())):
            yield from leaves(inner, (*way, number))
        if "items" in node:
            yield from leaves(node["items"], (*way, 0))
    elif node.get("type") in ("integer", "number", "string"):
        yield way, node


LEAVES = list(leaves(SCHEMA, ()))
BOUND = {"integer": "maximum", "number": "maximum", "string": "maxLength", "array": "maxItems"}


def is_free(node: Node) -> bool:
    """Whether a person may write what they like there."""
    return "enum" not in node and "const" not in node


@pytest.mark.parametrize(
    ("way", "node"), LEAVES, ids=[".".join(map(str, way)) for way, _ in LEAVES]
)
def test_every_value_has_an_upper_bound(way: tuple[str | int, ...], node: Node) -> None:
    if node.get("type") == "object":
        assert "maxProperties" in node
    elif is_free(node) and "enum" not in node.get("items", {}):
        bound = BOUND[node["type"]]
        assert bound in node or "exclusiveMaximum" in node
        if node["type"] in ("integer", "number"):
            assert "minimum" in node or "exclusiveMinimum" in node


def beyond(node: Node) -> Iterator[tuple[Any, int | float]]:
    """Values that are just not permitted any more, with the bound that they break."""
    kind = node.get("type")
    if kind == "object":
        most = node["maxProperties"]
        yield {f"p{n}": {"train": "a"} for n in range(most + 1)}, most
    elif kind == "array" and "prefixItems" not in node and "maxItems" in node:
        yield [_least(node["items"])] * (node["maxItems"] + 1), node["maxItems"]
    elif kind == "string" and is_free(node):
        yield "a" * (node["maxLength"] + 1), node["maxLength"]
    elif kind in ("integer", "number"):
        step = 1 if kind == "integer" else 1e-9
        if "maximum" in node:
            yield node["maximum"] + step * max(1, abs(node["maximum"])), node["maximum"]
        if "exclusiveMaximum" in node:
            yield node["exclusiveMaximum"], node["exclusiveMaximum"]
        if "minimum" in node:
            yield node["minimum"] - step * max(1, abs(node["minimum"])), node["minimum"]
        if "exclusiveMinimum" in node:
            yield node["exclusiveMinimum"], node["exclusiveMinimum"]


def _least(node: Node) -> Any:
    """Some value that is right, by its kind."""
    node = resolved(node)
    if "anyOf" in node:
        return _least(node["anyOf"][0])
    if node["type"] == "array":
        return [_least(inner) for inner in node["prefixItems"]]
    return "a" if node["type"] == "string" else 1


CASES = [
    (way, value, limit)
    for way, node in LEAVES
    for value, limit in beyond(node)
    if way[-1] != "preset"  # one of those that there are, whatever its length
]


def recipe(way: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """A recipe that is right but for one value."""
    built = value
    for place in reversed(way):
        if isinstance(place, int):
            first = 0.5 if "betas" in way else 1
            built = [first, built] if place else [built, first][: 1 + ("betas" in way)]
        elif place.startswith("<"):
            built = {"kind": place[1:-1], **built}
        else:
            built = {place: built}
            if {"train", "dev", "test"} & set(way) and place in ("source", "target"):
                built = {"source": "a", "target": "b", **built}
            if place == "separator":
                built["tags"] = 0
    assert isinstance(built, dict)
    return built


def shown(limit: int | float) -> str:
    return f"{int(limit):,}" if float(limit).is_integer() else f"{limit:g}"


@pytest.mark.parametrize(
    ("way", "value", "limit"), CASES, ids=[f"{'.'.join(map(str, w))} {s}" for w, _, s in CASES]
)
def test_what_is_beyond_a_bound_is_refused_by_name(
    way: tuple[str | int, ...], value: Any, limit: int | float
) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.from_mapping(recipe(way, value))
    message = str(caught.value)
    key = ".".join(str(place) for place in way if not str(place).startswith("<"))
    # lists that have a description are named as a whole
    assert message.partition(" must be ")[0] in (key, key.removesuffix(".0"), "training.betas")
    assert shown(limit) in message
    assert len(message) < 300


DESCRIBED = {"source", "target", "tags", "betas", "strides", "feedforward", "memory_heads"}
DESCRIBED |= {"heads", "key_value_heads"}  # numbers, or a list of them


def test_true_is_no_number() -> None:
    """YAML reads ``height: yes`` as true, which Python counts as 1."""
    numbers = [(way, node) for way, node in LEAVES if node.get("type") in ("integer", "number")]
    assert len(numbers) > 100
    for way, node in numbers:
        with pytest.raises(ConfigError) as caught:
            Config.from_mapping(recipe(way, True))
        key, _, expected = str(caught.value).partition(" must be ")
        assert key == ".".join(str(p) for p in way if not str(p).startswith("<"))[: len(key)]
        if key.split(".")[-1] in DESCRIBED:
            assert "True" in expected  # these are described as a whole
        else:
            kind = "a whole number" if node["type"] == "integer" else "a number"
            assert expected == f"{kind}; got True"


@pytest.mark.parametrize("beam", [2**60, 2**64 + 1, 10**4000])
def test_no_beam_overflows(beam: int) -> None:
    with pytest.raises(ConfigError, match=r"^search.beam must be at most 1,024; got [1-9]"):
        Config().updated({"search.beam": beam})


def test_a_number_too_long_to_show_is_refused_too() -> None:
    """Python shows no number of more than 4,300 digits; YAML reads one of hexadecimal digits."""
    key, value = parse_override(f"search.beam=0x{'f' * 5000}")
    with pytest.raises(ConfigError) as caught:
        Config().updated({key: value})
    assert str(caught.value) == "search.beam must be at most 1,024; got a int too large to show"


FILES = (
    {"train": "a" * 5000},
    {"train": ["a", "b\0c"]},
    {"dev": {"source": "\ud800", "target": "b"}},
)


@pytest.mark.parametrize("data", FILES)
def test_a_path_that_no_file_can_have_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.from_mapping({"data": data})
    assert "must be a path of at most 4,096 bytes, none of them NUL; got '" in str(caught.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"search": {"required": ["a" * 900] * 12}}, "search.required: phrases must have at most "
         "10,000 characters together; got 10,800"),
        ({"data": {"input": {"kind": "image", "height": 4096, "max_width": 65536}}},
         "data.input: height times max_width must be at most 67,108,864; got 4,096 x 65,536"),
        ({"data": {"input": {"kind": "audio", "sampling_rate": 48000, "window": 1}}},
         "data.input: window must be at most 16,384 samples; got 48,000 (1.0 seconds)"),
        ({"data": {"parts": {"a" * 2000: {"train": "a"}}}}, "data.parts must be names, each text "
         "of at most 1,000 characters; got 'aaa"),
    ],
)  # fmt: skip
def test_what_is_too_much_together_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.from_mapping(values)
    assert str(caught.value).startswith(message)
