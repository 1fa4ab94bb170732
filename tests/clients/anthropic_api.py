"""Anthropic's Messages API through its own SDK."""

import anthropic
import jsonschema

from frame import HAS_KEY, HELLO, KEY, MODEL, STORY, URL, check, key_check, refused

client = anthropic.Anthropic(base_url=URL, api_key=KEY, max_retries=0, timeout=50)
LIGHT = {
    "name": "set_light",
    "description": "Switches a light.",
    "input_schema": {
        "type": "object",
        "properties": {"room": {"enum": ["kitchen", "hall"]}, "on": {"type": "boolean"}},
        "required": ["room", "on"],
        "additionalProperties": False,
    },
}
ASK = "Turn on the kitchen light."
CERTAIN = {"temperature": 0}


def user(content):
    return [{"role": "user", "content": content}]


def send(messages=HELLO, **options):
    if isinstance(messages, str):
        messages = user(messages)
    certain = options.pop("certain", False)
    extra = {"extra_body": {**options.pop("extra_body", {}), **(CERTAIN if certain else {})}}
    return client.messages.create(model=MODEL, messages=messages, **{"max_tokens": 40, **options, **extra})


def text_of(message):
    return "".join(block.text for block in message.content if block.type == "text")


def call_of(message):
    return next(block for block in message.content if block.type == "tool_use")


@check
def a_message():
    message = send()
    assert message.type == "message" and message.role == "assistant" and message.id and message.model == MODEL
    assert "Hello" in text_of(message) and message.stop_reason == "end_turn" and message.stop_sequence is None
    assert message.usage.input_tokens > 0 and message.usage.output_tokens > 0


@check
def the_limit_of_tokens():
    message = send(STORY, max_tokens=3)
    assert message.stop_reason == "max_tokens" and message.usage.output_tokens == 3


@check
def system_and_blocks():
    cached = {"cache_control": {"type": "ephemeral"}}
    block = [{"type": "text", "text": HELLO, **cached}]
    assert text_of(send(user(block), certain=True)) == text_of(send(certain=True))
    plain = send(system="Answer briefly.", certain=True)
    blocks = send(system=[{"type": "text", "text": "Answer briefly.", **cached}], certain=True)
    assert text_of(plain) == text_of(blocks) and count(plain) == count(blocks)


def count(message):
    usage = message.usage
    return usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)


@check
def several_turns():
    first = send(certain=True)
    turns = [*user(HELLO), {"role": "assistant", "content": first.content}, *user("What is GGUF?")]
    second = send(turns)
    assert text_of(second) and count(second) > count(first)


@check
def stop_sequences():
    whole = text_of(send(certain=True))
    word = whole.split()[2]
    cut = send(stop_sequences=["never", word], certain=True)
    assert (cut.stop_reason, cut.stop_sequence, text_of(cut)) == ("stop_sequence", word, whole.partition(word)[0])


@check
def sampling():
    for extra in ({"temperature": 0.7, "top_p": 0.9, "top_k": 20}, {"metadata": {"user_id": "u-1"}}):
        assert text_of(send(extra_body=extra))


@check
def a_stream():
    events = list(send(certain=True, stream=True))
    kinds = [event.type for event in events if event.type != "ping"]
    deltas = kinds.count("content_block_delta")
    assert deltas > 3
    assert kinds == [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * deltas,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert count(events[0].message) > 0 and events[0].message.content == []
    text = "".join(event.delta.text for event in events if event.type == "content_block_delta")
    assert text == text_of(send(certain=True))
    ending = next(event for event in events if event.type == "message_delta")
    assert ending.delta.stop_reason == "end_turn" and ending.usage.output_tokens > 0


@check
def the_helper_for_streams():
    with client.messages.stream(model=MODEL, messages=user(HELLO), max_tokens=40) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == text_of(final) and final.stop_reason == "end_turn" and final.usage.output_tokens > 0


@check
def tools():
    for choice in ({"type": "any"}, {"type": "tool", "name": "set_light"}):
        message = send(ASK, tools=[LIGHT], tool_choice=choice, max_tokens=100)
        call = call_of(message)
        assert message.stop_reason == "tool_use" and call.name == "set_light" and call.id
        jsonschema.validate(call.input, LIGHT["input_schema"])
    message = send(ASK, tools=[LIGHT], max_tokens=100)
    assert message.stop_reason in ("tool_use", "end_turn", "max_tokens") and message.content
    assert all(block.type == "text" for block in send(ASK, tools=[LIGHT], tool_choice={"type": "none"}).content)


@check
def the_stream_of_a_call():
    options = {"tools": [LIGHT], "tool_choice": {"type": "any"}, "max_tokens": 100}
    with client.messages.stream(model=MODEL, messages=user(ASK), **options) as stream:
        kinds = [getattr(event.delta, "type", None) for event in stream if event.type == "content_block_delta"]
        call = call_of(stream.get_final_message())
    assert "input_json_delta" in kinds
    jsonschema.validate(call.input, LIGHT["input_schema"])


@check
def the_result_of_a_call():
    message = send(ASK, tools=[LIGHT], tool_choice={"type": "any", "disable_parallel_tool_use": True}, max_tokens=100)
    calls = [block for block in message.content if block.type == "tool_use"]
    assert len(calls) == 1
    for content in ("done", [{"type": "text", "text": "done"}]):
        result = {"type": "tool_result", "tool_use_id": calls[0].id, "content": content, "is_error": False}
        turns = [*user(ASK), {"role": "assistant", "content": message.content}, *user([result])]
        assert send(turns, tools=[LIGHT], max_tokens=10).content is not None


@check
def thinking():
    assert text_of(send(thinking={"type": "disabled"}))
    block = {"type": "thinking", "thinking": "It is dark.", "signature": ""}
    turns = [*user(ASK), {"role": "assistant", "content": [block, {"type": "text", "text": "Done."}]}, *user("Thanks.")]
    assert send(turns).content


@check
def tokens_are_counted():
    counted = client.messages.count_tokens(model=MODEL, messages=user(HELLO)).input_tokens
    assert counted == count(send(max_tokens=1))
    longer = client.messages.count_tokens(model=MODEL, messages=user(HELLO), system="Answer briefly.", tools=[LIGHT])
    assert longer.input_tokens > counted + 20


@check
def errors():
    with refused(anthropic.NotFoundError, "absent") as found:
        client.messages.create(model="absent", messages=user(HELLO), max_tokens=2)
    assert found[0].body["type"] == "error" and found[0].body["error"]["type"] == "not_found_error"
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
    for word, body in {
        "messages": {"max_tokens": 4},
        "max_tokens": {"messages": user(HELLO)},
        "role": {"max_tokens": 4, "messages": [{"role": "wizard", "content": "x"}]},
        "image": {"max_tokens": 4, "messages": user([image])},
        "temperature": {"max_tokens": 4, "messages": user(HELLO), "temperature": 7},
        "absent": {
            "max_tokens": 4,
            "messages": user(HELLO),
            "tools": [LIGHT],
            "tool_choice": {"type": "tool", "name": "absent"},
        },
    }.items():
        with refused(anthropic.BadRequestError, word) as found:
            client.post("/v1/messages", cast_to=object, body={"model": MODEL, **body})
        error = found[0].body
        assert error["type"] == "error" and error["error"]["type"] == "invalid_request_error", error
    with refused(anthropic.BadRequestError, "context"):
        send("camel " * 5000)


@key_check
def keys():
    bearer = anthropic.Anthropic(base_url=URL, auth_token=KEY, max_retries=0)
    assert text_of(bearer.messages.create(model=MODEL, messages=user(HELLO), max_tokens=40))
    with refused(anthropic.AuthenticationError) as found:
        anthropic.Anthropic(base_url=URL, api_key="wrong", max_retries=0).messages.create(
            model=MODEL, messages=user(HELLO), max_tokens=2
        )
    assert HAS_KEY and found[0].body["error"]["type"] == "authentication_error"
