"""DeepL's interface, by its clients as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from started import Keyed


@pytest.fixture(scope="module")
def deepl():
    return pytest.importorskip("deepl")


@pytest.fixture(scope="module")
def client(keyed: Keyed, deepl):
    own = deepl.Translator(keyed.key, server_url=keyed.url)
    yield own
    own.close()


def test_texts_and_lists(client) -> None:
    found = client.translate_text("abc", target_lang="DE")
    assert found.text == "cba"
    assert found.detected_source_lang == "UND"
    assert found.billed_characters == 3
    both = client.translate_text(["abc", "ca"], source_lang="EN", target_lang="DE")
    assert [one.text for one in both] == ["cba", "ac"]
    tagged = client.translate_text("<b>abc</b> ca", target_lang="DE", tag_handling="html")
    assert tagged.text == "<b>cba</b> ac"


def test_languages_and_usage(client) -> None:
    assert [one.code for one in client.get_source_languages()] == ["UND"]
    assert [one.code for one in client.get_target_languages()] == ["UND"]
    before = client.get_usage().character.count
    client.translate_text("abcd", target_lang="DE")
    assert client.get_usage().character.count == before + 4
    assert not client.get_usage().any_limit_reached


def test_a_glossary_is_held_to(client, deepl, keyed: Keyed) -> None:
    made = client.create_glossary("terms", "EN", "DE", {"abc": "dd", "zz": "a"})
    assert made.entry_count == 2
    assert client.get_glossary(made.glossary_id).name == "terms"
    assert client.get_glossary_entries(made) == {"abc": "dd", "zz": "a"}
    assert client.get_glossary_languages()
    plain = client.translate_text(["abc", "ca"], source_lang="EN", target_lang="DE")
    held = client.translate_text(
        ["abc", "ca"], source_lang="EN", target_lang="DE", glossary=made.glossary_id
    )
    assert "dd" not in plain[0].text
    assert "dd" in held[0].text
    assert held[1].text == plain[1].text
    assert [one.glossary_id for one in client.list_glossaries()] == [made.glossary_id]
    client.delete_glossary(made)
    with pytest.raises(deepl.exceptions.GlossaryNotFoundException):
        client.get_glossary(made.glossary_id)
    bad = {"name": "x", "source_lang": "a", "target_lang": "b", "entries": "one"}
    reply = keyed.started.post("/v2/glossaries", bad, keyed.bearer)
    assert reply.status == 400
    assert reply.json["message"] == "entries must be lines of two terms; got another"


def test_documents(client, deepl, keyed: Keyed, tmp_path: Path) -> None:
    times = "1\n00:00:01,000 --> 00:00:02,000\n{}\n\n"
    texts = {".txt": "abc\n\n ca\n", ".html": "<p>abc <b>ca</b></p>", ".srt": times.format("abc")}
    turned = {".txt": "cba\n\n ac\n", ".html": "<p>cba <b>ac</b></p>", ".srt": times.format("cba")}
    for suffix, text in texts.items():
        source, target = tmp_path / f"source{suffix}", tmp_path / f"target{suffix}"
        source.write_bytes(text.encode())
        status = client.translate_document_from_filepath(source, target, target_lang="DE")
        assert (status.status.value, status.billed_characters) == ("done", len(text))
        assert target.read_bytes().decode() == turned[suffix]
    handle = client.translate_document_upload(b"abc", filename="../a.txt", target_lang="DE")
    wrong = deepl.DocumentHandle(handle.document_id, "0" * 64)
    with pytest.raises(deepl.DeepLException, match="Not found"):
        client.translate_document_get_status(wrong)
    assert client.translate_document_get_status(handle).done
    assert client.translate_document_download(handle).content == b"cba"
    with pytest.raises(deepl.DeepLException, match="Not found"):  # it is fetched once
        client.translate_document_get_status(handle)
    for name, other, message in (
        ("a.pdf", {}, "file must be one of .txt"),
        ("a.txt", {"output_format": "html"}, "output_format must be that of the file"),
    ):
        with pytest.raises(deepl.DeepLException, match=message):
            client.translate_document_upload(b"abc", filename=name, target_lang="DE", **other)


def test_errors(client, deepl, keyed: Keyed) -> None:
    other = deepl.Translator("wrong", server_url=keyed.url)
    with pytest.raises(deepl.exceptions.AuthorizationException):
        other.translate_text("abc", target_lang="DE")
    other.close()
    with pytest.raises(deepl.exceptions.DeepLException, match="413"):
        client.translate_text("abc " * 20_000, target_lang="DE")
    reply = keyed.started.post("/v2/translate", {"text": "abc"}, keyed.bearer)
    assert (reply.status, reply.json["message"]) == (400, "target_lang must be given; got none")
    reply = keyed.started.post("/v2/translate", {"target_lang": "DE"}, keyed.bearer)
    assert "text must be text, or a list of texts" in reply.json["message"]


def test_deep_translator(keyed: Keyed) -> None:
    deep = pytest.importorskip("deep_translator")
    client = deep.DeeplTranslator("de", "en", api_key=keyed.key)
    client._base_url = f"{keyed.url}/v2/"  # it has no argument for that
    assert client.translate("abc") == "cba"
    assert client.translate_batch(["abc", "ca"]) == ["cba", "ac"]
    wrong = deep.DeeplTranslator("de", "en", api_key="wrong")
    wrong._base_url = client._base_url
    with pytest.raises(deep.exceptions.AuthorizationException):
        wrong.translate("abc")
