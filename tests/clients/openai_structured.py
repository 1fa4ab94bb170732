"""Tools and constrained answers through the OpenAI SDK. A small model may say anything, but never in a wrong form."""

import json
from typing import Literal

import jsonschema
import openai
from pydantic import BaseModel

from frame import MODEL, check, refused
from openai_chat import chat, client, joined, streamed, text_of, user

ASK = user("Turn on the kitchen light.")


def tool(name, properties, **more):
    parameters = {"type": "object", "properties": properties, "required": list(properties), **more}
    return {"type": "function", "function": {"name": name, "description": f"Calls {name}.", "parameters": parameters}}


LIGHT = tool("set_light", {"room": {"enum": ["kitchen", "hall"]}, "on": {"type": "boolean"}})
TIME = tool("get_time", {})
CAMEL = '🐪 «ça» 漢字\n"\\'


def named(name):
    return {"type": "function", "function": {"name": name}}


def assert_fits(call, tool):
    assert call.type == "function" and call.id and call.function.name == tool["function"]["name"]
    jsonschema.validate(json.loads(call.function.arguments), tool["function"]["parameters"])


def structured(schema, **options):
    response_format = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}
    return chat(ASK, **{"response_format": response_format, "max_tokens": 200, **options})


@check
def a_tool_as_the_model_likes():
    answer = chat(ASK, tools=[LIGHT], max_tokens=100).choices[0]
    if answer.message.tool_calls:
        assert answer.finish_reason == "tool_calls"
        assert_fits(answer.message.tool_calls[0], LIGHT)
    else:
        assert answer.message.content and answer.finish_reason in ("stop", "length")


@check
def a_required_tool():
    for temperature in (0, 1.5):
        answer = chat(ASK, tools=[LIGHT], tool_choice="required", temperature=temperature, max_tokens=100).choices[0]
        assert answer.finish_reason == "tool_calls" and answer.message.content in (None, "")
        for call in answer.message.tool_calls:
            assert_fits(call, LIGHT)


@check
def a_named_tool():
    for choice in (LIGHT, TIME):
        name = choice["function"]["name"]
        answer = chat(ASK, tools=[LIGHT, TIME], tool_choice=named(name), max_tokens=100).choices[0]
        for call in answer.message.tool_calls:
            assert_fits(call, choice)


@check
def one_call_where_no_more_are_wanted():
    answer = chat(ASK, tools=[LIGHT], tool_choice="required", parallel_tool_calls=False, temperature=1.5).choices[0]
    assert len(answer.message.tool_calls) == 1


@check
def no_tool():
    answer = chat(ASK, tools=[LIGHT], tool_choice="none").choices[0]
    assert not answer.message.tool_calls and answer.message.content


@check
def the_stream_of_a_call():
    chunks = streamed(ASK, tools=[LIGHT], tool_choice=named("set_light"), max_tokens=100)
    deltas = [delta for chunk in chunks for delta in chunk.choices[0].delta.tool_calls or []]
    first, *others = [delta for delta in deltas if delta.index == 0]
    assert first.id and first.type == "function" and first.function.name == "set_light"
    assert not any(delta.id or delta.function.name for delta in others), "id and name come once"
    arguments = "".join(delta.function.arguments or "" for delta in [first, *others])
    jsonschema.validate(json.loads(arguments), LIGHT["function"]["parameters"])
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


@check
def several_turns_with_calls():
    messages, ids = list(ASK), set()
    for _ in range(2):
        message = chat(messages, tools=[LIGHT], tool_choice=named("set_light"), max_tokens=60).choices[0].message
        messages.append(message.model_dump(exclude_none=True))
        for call in message.tool_calls:
            assert call.id not in ids, "every call has an id of its own"
            ids.add(call.id)
            messages.append({"role": "tool", "tool_call_id": call.id, "content": '{"done": true}'})
    assert chat(messages, tools=[LIGHT], tool_choice="none", max_tokens=10).choices[0].message.content is not None


@check
def any_text_in_arguments():
    say = tool("say", {"text": {"const": CAMEL}})
    answer = chat(ASK, tools=[say], tool_choice=named("say"), max_tokens=120).choices[0]
    assert json.loads(answer.message.tool_calls[0].function.arguments) == {"text": CAMEL}


@check
def tools_that_cannot_be():
    with refused(openai.BadRequestError, "absent"):
        chat(ASK, tools=[LIGHT], tool_choice=named("absent"))
    with refused(openai.BadRequestError, "tool"):
        chat(ASK, tool_choice="required", extra_body={"tools": []})
    with refused(openai.BadRequestError, "name"):
        chat(ASK, tools=[{"type": "function", "function": {}}])


DATE = {"type": "string", "format": "date"}
ZOO = {
    "scalars": {
        "type": "object",
        "properties": {
            "a": {"type": "integer"},
            "b": {"type": "number"},
            "c": {"type": "boolean"},
            "d": {"type": "null"},
        },
        "required": ["a", "b", "c", "d"],
        "additionalProperties": False,
    },
    "enum of any types": {"enum": ["one", 2, 3.5, True, None, ["x"], {"y": 1}]},
    "const": {"const": {"a": [1, "two", None]}},
    "text that JSON escapes": {"const": CAMEL},
    "names that JSON escapes": {
        "type": "object",
        "properties": {CAMEL: {"type": "boolean"}, "a b": {"type": "boolean"}},
        "required": [CAMEL, "a b"],
        "additionalProperties": False,
    },
    "one of several types": {"type": ["boolean", "null"]},
    "any of": {"anyOf": [{"type": "boolean"}, {"enum": ["maybe"]}, {"type": "array", "items": DATE, "maxItems": 1}]},
    "nested": {
        "type": "object",
        "properties": {"in": {"type": "object", "properties": {"er": DATE}, "required": ["er"]}},
        "required": ["in"],
    },
    "lengths of arrays": {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 2, "maxItems": 3},
    "lengths of strings": {"type": "string", "minLength": 2, "maxLength": 4},
    "bounds of integers": {"type": "integer", "minimum": -3, "maximum": 12},
    "exclusive bounds": {"type": "integer", "exclusiveMinimum": 7, "exclusiveMaximum": 10},
    "bounds of numbers": {"type": "number", "minimum": 0, "maximum": 1},
    "a pattern": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{4}$"},
    "a date": DATE,
    "a time": {"type": "string", "format": "date-time"},
    "a uuid": {"type": "string", "format": "uuid"},
    "references": {
        "$defs": {"room": {"enum": ["kitchen", "hall"]}},
        "type": "object",
        "properties": {"from": {"$ref": "#/$defs/room"}, "to": {"$ref": "#/$defs/room"}},
        "required": ["from", "to"],
    },
    "optional properties": {
        "type": "object",
        "properties": {"a": {"type": "boolean"}, "b": {"type": "boolean"}},
        "required": ["b"],
        "additionalProperties": False,
    },
}


@check(seconds=180)
def every_document_fits_its_schema():
    checker = jsonschema.FormatChecker()
    for name, schema in ZOO.items():
        for options in ({"temperature": 0}, {"temperature": 1.5, "seed": 1}, {"temperature": 1.5, "seed": 2}):
            answer = structured(schema, **options).choices[0]
            where = f"{name}, {options}: {answer.message.content}"
            assert answer.finish_reason == "stop", where
            try:
                jsonschema.validate(json.loads(answer.message.content), schema, format_checker=checker)
            except (ValueError, jsonschema.ValidationError) as error:
                raise AssertionError(f"{where}: {error.args[0]}") from error


@check
def a_recursive_schema():
    list_of = {
        "$defs": {
            "node": {
                "anyOf": [
                    {"type": "null"},
                    {
                        "type": "object",
                        "properties": {"next": {"$ref": "#/$defs/node"}},
                        "required": ["next"],
                        "additionalProperties": False,
                    },
                ]
            }
        },
        "$ref": "#/$defs/node",
    }
    for seed in range(4):
        answer = structured(list_of, temperature=1.5, seed=seed).choices[0]
        if answer.finish_reason == "stop":
            jsonschema.validate(json.loads(answer.message.content), list_of)
        else:
            assert answer.message.content.startswith('{"next"') or answer.message.content.startswith("{"), answer


@check
def characters_are_never_cut():
    schema = {"type": "array", "items": {"const": "🐪é漢"}, "minItems": 3, "maxItems": 3}
    response_format = {"type": "json_schema", "json_schema": {"name": "camels", "strict": True, "schema": schema}}
    pieces = [
        chunk.choices[0].delta.content or "" for chunk in streamed(ASK, response_format=response_format, max_tokens=200)
    ]
    assert json.loads("".join(pieces)) == ["🐪é漢"] * 3
    assert not any("\ufffd" in piece for piece in pieces) and len([piece for piece in pieces if piece]) > 3


@check
def schemas_that_cannot_be():
    for schema, word in (
        ({"type": "no-such-type"}, "type"),
        ({"$ref": "#/absent"}, "$ref"),
        ({"type": "string", "pattern": "("}, "pattern"),
        ("no object", "schema"),
    ):
        with refused(openai.BadRequestError, word):
            structured(schema)


@check
def a_keyword_is_honoured_or_named():
    for keyword, schema in {
        "not": {"type": "boolean", "not": {"const": True}},
        "if": {"type": "boolean", "if": {"const": True}, "then": False},
        "uniqueItems": {
            "type": "array",
            "items": {"type": "boolean"},
            "minItems": 2,
            "maxItems": 2,
            "uniqueItems": True,
        },
        "patternProperties": {"type": "object", "patternProperties": {"^a$": {"type": "null"}}, "maxProperties": 1},
        "multipleOf": {"type": "integer", "minimum": 1, "maximum": 20, "multipleOf": 7},
        "oneOf": {"oneOf": [{"type": "boolean"}, {"const": True}]},
        "allOf": {"allOf": [{"type": "integer", "minimum": 3}, {"maximum": 5}]},
        "dependentRequired": {
            "type": "object",
            "properties": {"a": {"const": 1}, "b": {"const": 1}},
            "required": ["a"],
            "dependentRequired": {"a": ["b"]},
            "additionalProperties": False,
        },
    }.items():
        try:
            text = text_of(structured(schema, temperature=1.5, seed=1))
        except openai.BadRequestError as error:
            assert keyword in str(error), f"{keyword}: {error}"
        else:
            jsonschema.validate(json.loads(text), schema)


@check
def any_json_object():
    answer = chat("Answer in JSON.", response_format={"type": "json_object"}, max_tokens=200).choices[0]
    if answer.finish_reason == "stop":
        assert isinstance(json.loads(answer.message.content), dict)
    else:
        assert answer.message.content.lstrip().startswith("{")


class Lamp(BaseModel):
    room: Literal["kitchen", "hall"]
    brightness: Literal[0, 50, 100]
    on: bool


@check
def a_class_of_pydantic():
    answer = client.chat.completions.parse(model=MODEL, messages=ASK, response_format=Lamp, max_tokens=120)
    assert isinstance(answer.choices[0].message.parsed, Lamp)
    tools = [openai.pydantic_function_tool(Lamp)]
    answer = client.chat.completions.parse(
        model=MODEL, messages=ASK, tools=tools, tool_choice="required", max_tokens=120
    )
    assert isinstance(answer.choices[0].message.tool_calls[0].function.parsed_arguments, Lamp)


@check
def the_helper_for_streams():
    with client.chat.completions.stream(model=MODEL, messages=ASK, response_format=Lamp, max_tokens=120) as stream:
        kinds = {event.type for event in stream}
        assert isinstance(stream.get_final_completion().choices[0].message.parsed, Lamp)
    assert {"chunk", "content.delta", "content.done"} <= kinds


@check
def words_about_reasoning():
    plain = chat(reasoning_effort="none")
    assert text_of(plain) and getattr(plain.choices[0].message, "reasoning_content", None) in (None, "")
    assert text_of(chat(extra_body={"chat_template_kwargs": {"enable_thinking": False}}))
    with refused(openai.BadRequestError, "reasoning_effort"):
        chat(extra_body={"reasoning_effort": "endless"})
    # What a model thought earlier comes back in conversations of clients that keep it.
    turns = [*ASK, {"role": "assistant", "content": "Done.", "reasoning_content": "It is dark."}, *user("Thanks.")]
    assert joined(streamed(turns)) or text_of(chat(turns))
