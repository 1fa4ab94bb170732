"""The Responses API, as far as a server without a memory of earlier responses has it, through the OpenAI SDK."""

import json
from typing import Literal

import jsonschema
import openai
from pydantic import BaseModel

from frame import HELLO, MODEL, STORY, check, refused
from openai_chat import chat, client, text_of

LIGHT = {
    "type": "function",
    "name": "set_light",
    "description": "Switches a light.",
    "parameters": {
        "type": "object",
        "properties": {"room": {"enum": ["kitchen", "hall"]}, "on": {"type": "boolean"}},
        "required": ["room", "on"],
        "additionalProperties": False,
    },
    "strict": True,
}
ASK = "Turn on the kitchen light."


def respond(content=HELLO, **options):
    return client.responses.create(model=MODEL, input=content, **{"max_output_tokens": 60, **options})


def call_of(response):
    return next(item for item in response.output if item.type == "function_call")


@check
def a_response():
    response = respond()
    assert response.object == "response" and response.id and response.status == "completed" and response.model == MODEL
    assert "Hello" in response.output_text and response.output[-1].role == "assistant"
    usage = response.usage
    assert usage.input_tokens > 0 and usage.output_tokens > 0 and usage.input_tokens_details.cached_tokens >= 0
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens


@check
def the_same_as_a_chat():
    items = [{"role": "user", "content": [{"type": "input_text", "text": HELLO}]}]
    expected = text_of(chat(temperature=0, max_tokens=60))
    assert respond(temperature=0).output_text == respond(items, temperature=0).output_text == expected
    system = [{"role": "system", "content": "Answer briefly."}, {"role": "user", "content": HELLO}]
    assert respond(temperature=0, instructions="Answer briefly.").output_text == text_of(
        chat(system, temperature=0, max_tokens=60)
    )


@check
def several_turns():
    first = respond()
    items = [{"role": "user", "content": HELLO}, *first.output, {"role": "user", "content": "What is GGUF?"}]
    second = respond([item if isinstance(item, dict) else item.model_dump(exclude_none=True) for item in items])
    assert second.output_text and second.usage.input_tokens > first.usage.input_tokens + first.usage.output_tokens


@check
def the_limit_of_tokens():
    response = respond(STORY, max_output_tokens=16)
    assert response.status == "incomplete" and response.incomplete_details.reason == "max_output_tokens"
    assert response.usage.output_tokens == 16


@check
def a_stream():
    events = list(respond(temperature=0, stream=True))
    kinds = [event.type for event in events]
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    order = [
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
    ]
    places = [kinds.index(kind) for kind in order]
    assert places == sorted(places)
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == events[-1].response.output_text == respond(temperature=0).output_text


@check
def a_call_and_its_result():
    response = respond(ASK, tools=[LIGHT], tool_choice="required")
    call = call_of(response)
    assert call.name == "set_light" and call.call_id
    jsonschema.validate(json.loads(call.arguments), LIGHT["parameters"])
    items = [
        {"role": "user", "content": ASK},
        {"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments},
        {"type": "function_call_output", "call_id": call.call_id, "output": "done"},
    ]
    assert respond(items, tools=[LIGHT], tool_choice="none").output_text


@check
def the_stream_of_a_call():
    choice = {"type": "function", "name": "set_light"}
    events = list(respond(ASK, tools=[LIGHT], tool_choice=choice, stream=True))
    deltas = [event for event in events if event.type == "response.function_call_arguments.delta"]
    done = next(event for event in events if event.type == "response.function_call_arguments.done")
    assert "".join(event.delta for event in deltas) == done.arguments == call_of(events[-1].response).arguments
    jsonschema.validate(json.loads(done.arguments), LIGHT["parameters"])


class Lamp(BaseModel):
    room: Literal["kitchen", "hall"]
    on: bool


@check
def a_text_in_a_form():
    assert isinstance(client.responses.parse(model=MODEL, input=ASK, text_format=Lamp).output_parsed, Lamp)


@check
def what_needs_a_memory_is_refused_by_name():
    for field, options in {
        "previous_response_id": {"previous_response_id": "resp_1"},
        "conversation": {"conversation": "conv_1"},
        "background": {"background": True},
        "input": {"content": []},
        "type": {"content": [{"type": "no_such_item"}]},
        "web_search": {"tools": [{"type": "web_search"}]},
    }.items():
        with refused(openai.BadRequestError, field):
            respond(**options)
