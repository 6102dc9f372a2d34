"""Content blocks of every dialect become one of six types, and what they say beyond that stays beside them."""

import base64
import json
from typing import Any

import pytest

from storage.messages import conversation, shown
from tests.dashboards.steps import step
from tests.storage.messages.talk import parts, spoken

PIXEL = base64.b64encode(b"\x89PNG\r\n" + bytes(20)).decode()
IMAGE = {"type": "blob", "modality": "image", "mime_type": "image/png", "size": 26, "data": PIXEL}
LONG = base64.b64encode(bytes(range(256)) * 4).decode()


def of(block: Any) -> dict[str, Any]:
    """The only part of a user's message with this block."""
    [found] = parts({"gen_ai.input.messages": json.dumps([{"role": "user", "parts": [block]}])})
    return found


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ({"type": "text", "content": "x"}, {"type": "text", "text": "x"}),
        ({"type": "refusal", "refusal": "no"}, {"type": "text", "text": "no", "extra": {"type": "refusal"}}),
        ({"type": "compaction", "content": "so far"}, {"type": "text", "text": "so far", "extra": {"type": "compaction"}}),
        ({"type": "text", "text": {"value": "x"}}, {"type": "text", "text": "x"}),
        ({"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "reasoning", "text": "hm", "extra": {"signature": "s"}}),
        ({"type": "redacted_thinking", "data": "EqQ="}, {"type": "reasoning", "text": "EqQ=", "extra": {"type": "redacted_thinking"}}),
        ({"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}, {"type": "reasoning", "text": "hm"}),
        ({"text": "hm", "thought": True}, {"type": "reasoning", "text": "hm", "extra": {"thought": True}}),
        ({"reasoningContent": {"reasoningText": {"text": "hm"}}}, {"type": "reasoning", "text": "hm"}),
        (
            {"type": "web_search_call", "id": "ws", "action": {"query": "q"}},
            {"type": "tool_call", "id": "ws", "name": "web_search_call", "arguments": {"query": "q"}},
        ),
        (
            {"type": "tool_result", "tool_use_id": "c", "content": "no such file", "is_error": True},
            {"type": "tool_result", "id": "c", "result": "no such file", "is_error": True},
        ),
        (
            {"type": "tool_call_response", "id": "c", "response": {"sky": "sunny"}},
            {"type": "tool_result", "id": "c", "result": {"sky": "sunny"}},
        ),
        ({"functionCall": {"name": "f", "args": {}}}, {"type": "tool_call", "name": "f", "arguments": {}}),
        ({"type": "somethingNew", "payload": [1]}, {"type": "text", "text": '{"type": "somethingNew", "payload": [1]}'}),
    ],
)
def test_blocks_of_words(block, expected):
    assert of(block) == expected


@pytest.mark.parametrize(
    "block",
    [
        {"type": "blob", "modality": "image", "mime_type": "image/png", "content": PIXEL},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
        {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"},
        {"inlineData": {"mimeType": "image/png", "data": PIXEL}},
        {"type": "file", "data": PIXEL, "mediaType": "image/png"},
    ],
)
def test_images_in_every_spelling(block):
    assert of(block) == IMAGE


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ({"type": "uri", "modality": "image", "uri": "gs://b/x"}, {"type": "file", "uri": "gs://b/x", "modality": "image"}),
        ({"type": "file", "modality": "document", "file_id": "f1"}, {"type": "file", "id": "f1", "modality": "document"}),
        (
            {"type": "image", "source": {"type": "url", "url": "https://a/b.png"}},
            {"type": "file", "uri": "https://a/b.png", "modality": "image"},
        ),
        ({"type": "input_file", "file_id": "f1", "filename": "a.pdf"}, {"type": "file", "id": "f1", "name": "a.pdf"}),
        (
            {"fileData": {"fileUri": "gs://b/x.pdf", "mimeType": "application/pdf"}},
            {"type": "file", "uri": "gs://b/x.pdf", "modality": "document", "mime_type": "application/pdf"},
        ),
    ],
)
def test_files_are_named_and_not_repeated(block, expected):
    assert of(block) == expected


def test_long_content_is_its_size_and_its_digest():
    found = of({"type": "blob", "modality": "audio", "content": LONG})
    assert found == {"type": "blob", "modality": "audio", "size": 1024, "reference": found["reference"]}
    assert found["reference"].startswith("sha256:")


def test_what_redaction_put_there_stays():
    placeholder = f"<BLOB:image/png:2048:{'ab' * 32}>"
    expected = {"type": "blob", "modality": "image", "mime_type": "image/png", "size": 2048, "reference": placeholder}
    assert of({"type": "image_url", "image_url": {"url": placeholder}}) == expected
    assert of({"type": "blob", "modality": "image", "content": placeholder}) == expected
    words = "write to <EMAIL_ADDRESS>, key <WITHHELD:timeout>"
    assert of({"type": "text", "content": words})["text"] == words


def test_a_document_that_is_text_is_text():
    found = of({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "all of it"}, "title": "T"})
    assert found == {"type": "text", "text": "all of it", "extra": {"title": "T"}}


def test_results_with_images_have_parts():
    block = {
        "type": "tool_result",
        "tool_use_id": "c",
        "content": [{"type": "text", "text": "see"}, {"type": "image", "source": {"url": "https://a/b"}}],
    }
    assert of(block)["result"] == [{"type": "text", "text": "see"}, {"type": "file", "uri": "https://a/b", "modality": "image"}]


def test_openinference_images_and_thoughts():
    base = "llm.input_messages.0.message.contents"
    found = parts(
        {
            "llm.input_messages.0.message.role": "user",
            f"{base}.0.message_content.type": "reasoning",
            f"{base}.0.message_content.text": "hm",
            f"{base}.1.message_content.type": "image",
            f"{base}.1.message_content.image.image.url": "https://a/b.png",
        }
    )
    assert found == [{"type": "reasoning", "text": "hm"}, {"type": "file", "uri": "https://a/b.png", "modality": "image"}]


@pytest.mark.parametrize(
    "text",
    [
        '[{"role": ',
        '{"messages": [',
        "[REDACTED]",
        "[1] a footnote",
        "{not json}",
        '"half a string',
        "plain",
        "<WITHHELD:error>",
        "[" * 5000,
    ],
)
def test_what_is_no_json_is_shown_as_it_is(text):
    assert "".join(part["text"] for part in parts({"gen_ai.input.messages": text})).strip("[{") in text
    assert text.strip('[{"') in json.dumps(spoken({"gen_ai.input.messages": text}), ensure_ascii=False).replace('\\"', '"')


def test_a_list_that_was_cut_off_gives_its_messages_and_the_rest_as_text():
    whole = json.dumps([{"role": "user", "content": "first"}, {"role": "assistant", "content": "second, and long"}])
    found = spoken({"gen_ai.input.messages": whole[:-10] + "… (truncated)"})
    assert [part["text"] for part in found[0]["parts"]] == ["first"]
    assert found[1]["parts"][0]["text"].endswith("… (truncated)")


def test_halves_of_characters_do_not_stop_the_output():
    found = spoken({"gen_ai.input.messages": '[{"role": "user", "content": "a\\ud83d"}]'})
    assert json.dumps(found, ensure_ascii=False).encode()
    assert found[0]["parts"][0]["text"] == "a\ufffd"


def test_names_finish_reasons_and_the_rest_of_a_message_stay():
    message = {"role": "user", "name": "Ada", "content": "x", "weight": 0.5}
    [found] = spoken({"gen_ai.input.messages": json.dumps([message])})
    assert (found["name"], found["extra"]) == ("Ada", {"weight": 0.5})


def test_parts_are_shown_to_people():
    assert shown({"type": "tool_call", "name": "look", "arguments": {"q": 1}}) == 'look {\n  "q": 1\n}'
    assert shown({"type": "tool_result", "result": ["a"]}) == '[\n  "a"\n]'
    assert shown({"type": "blob", "modality": "image", "size": 26}) == "image · 26 bytes"
    assert shown({"type": "file", "uri": "gs://b/x"}) == "gs://b/x"


def test_a_reply_without_words_says_why_it_ended():
    answer = [{"role": "assistant", "parts": [], "finish_reason": "content_filter"}]
    [found] = conversation([step("m", 0, 1, kind="model", attributes={"gen_ai.output.messages": json.dumps(answer)})])
    assert (found["parts"], found["finish_reason"]) == ([], "content_filter")


@pytest.mark.parametrize("answer", ['{"text": "hello"}', '{"text": "hello", "language": "en"}', '[{"text": "a", "id": 1}]', "[]", "[1, 2]"])
def test_json_that_a_model_answers_with_is_its_answer(answer):
    """Only lists of what cannot be anything but content blocks are read as such."""
    [found] = spoken({"gen_ai.output.messages": json.dumps([{"role": "assistant", "content": answer}])})
    assert found["parts"] == [{"type": "text", "text": answer}]


def test_json_that_a_tool_gives_back_is_its_result():
    """Results of tools are not taken for content blocks, either."""
    rows = '[{"text": "a", "id": 1}]'
    [found] = spoken({"gen_ai.input.messages": json.dumps([{"role": "tool", "tool_call_id": "c", "content": rows}])})
    assert found["parts"] == [{"type": "tool_result", "id": "c", "result": rows}]
