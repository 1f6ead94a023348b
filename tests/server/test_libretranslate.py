"""LibreTranslate's interface: by hand, and by its clients as they are."""

from __future__ import annotations

import urllib.error

import pytest

from started import Started

FORM = {"content-type": "application/x-www-form-urlencoded"}


def test_json_form_and_query(server: Started) -> None:
    asked = {"q": "abc", "source": "x", "target": "y"}
    assert server.post("/translate", asked).json == {"translatedText": "cba"}
    form = server.ask("POST", "/translate", "q=abc&source=x&target=y", FORM)
    assert form.json == {"translatedText": "cba"}
    query = server.ask("POST", "/translate?q=abc&source=x&target=y")
    assert query.json == {"translatedText": "cba"}


def test_addresses_and_methods_that_are_not_there(server: Started) -> None:
    for method, path, status in (("GET", "/translate", 405), ("POST", "/nothing", 404)):
        reply = server.ask(method, path)
        assert reply.status == status
        assert "must be" in reply.json["error"]
    assert server.ask("HEAD", "/languages").status == 200


def test_lists_alternatives_and_a_source_that_is_guessed(server: Started) -> None:
    asked = {"q": ["abc", "ca"], "source": "auto", "target": "y", "alternatives": 2}
    found = server.post("/translate", asked).json
    assert found["translatedText"] == ["cba", "ac"]
    assert found["detectedLanguage"] == [{"confidence": 100.0, "language": "und"}] * 2
    assert [len(own) for own in found["alternatives"]] == [2, 2]


def test_lines_and_spaces_stay(server: Started) -> None:
    text = " abc\n\n  ca\r\nbd \n"
    found = server.post("/translate", {"q": text, "source": "x", "target": "y"}).json
    assert found["translatedText"] == " cba\n\n  ac\r\ndb \n"


def test_html_keeps_its_tags(server: Started) -> None:
    text = '<p title="abc">abc <b>ca</b><script>abc</script><i translate="no">ab</i> &amp; </p>'
    asked = {"q": text, "source": "x", "target": "y", "format": "html"}
    found = server.post("/translate", asked).json["translatedText"]
    assert found == text.replace(">abc <", ">cba <").replace(">ca<", ">ac<")


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({"source": "x", "target": "y"}, 400, "Invalid request: missing q parameter"),
        ({"q": "abc", "target": "y"}, 400, "Invalid request: missing source parameter"),
        ({"q": "abc", "source": "x"}, 400, "Invalid request: missing target parameter"),
        ({"q": "abc", "source": "x", "target": "y", "format": "pdf"}, 400, "pdf format is not"),
        (
            {"q": 5, "source": "x", "target": "y"},
            400,
            "q must be text, or a list of texts; got",
        ),
        ({"q": "abc", "source": [], "target": "y"}, 400, "missing source"),
        ({"q": "abc", "source": "x", "target": "y", "alternatives": 10_000}, 400, "at most 10"),
        ({"q": "abc", "source": "x", "target": "y", "alternatives": True}, 400, "whole number"),
        ({"q": "abc " * 600, "source": "x", "target": "y"}, 413, "at most 2,000 characters"),
    ],
)
def test_what_is_wrong_is_said(
    server: Started, fields: dict[str, object], status: int, message: str
) -> None:
    reply = server.post("/translate", fields)
    assert reply.status == status
    assert message in reply.json["error"]


def test_languages_and_settings(server: Started) -> None:
    assert server.ask("GET", "/languages").json == [
        {"code": "und", "name": "und", "targets": ["und"]}
    ]
    settings = server.ask("GET", "/frontend/settings").json
    assert settings["charLimit"] == 2000
    assert settings["keyRequired"] is False
    assert settings["language"]["source"] == {"code": "und", "name": "und"}


def test_libretranslatepy(server: Started) -> None:
    client = pytest.importorskip("libretranslatepy").LibreTranslateAPI(server.url)
    assert client.translate("abc", "en", "es") == "cba"
    assert client.detect("abc") == [{"confidence": 100.0, "language": "und"}]
    assert [one["code"] for one in client.languages()] == ["und"]
    with pytest.raises(urllib.error.HTTPError) as caught:
        client.translate("", "en", "es")
    assert caught.value.code == 400
    caught.value.close()


def test_deep_translator(server: Started) -> None:
    deep = pytest.importorskip("deep_translator")
    client = deep.LibreTranslator("en", "de", api_key="any", custom_url=f"{server.url}/")
    assert client.translate("abc") == "cba"
    assert client.translate_batch(["abc", "ca"]) == ["cba", "ac"]
    with pytest.raises(deep.exceptions.ServerException):
        client.translate("abc " * 600)
