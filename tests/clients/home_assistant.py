"""The requests that Home Assistant makes: of its integrations for OpenAI-compatible servers, and of the one for Ollama.

Both list the models first, try the model they are given, and then send a conversation with tools over a stream, with
the results of the calls in further turns.
"""

import asyncio
import json

import jsonschema
import ollama
import openai

from frame import HAS_KEY, KEY, MODEL, URL, check

TURN_ON = {
    "type": "function",
    "function": {
        "name": "HassTurnOn",
        "description": "Turns on a device.",
        "parameters": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "maxLength": 12},
                "domain": {"type": "array", "items": {"enum": ["light", "switch"]}, "maxItems": 2},
            },
            "required": [],
        },
    },
}
TURNS = [
    {"role": "system", "content": "You are a voice assistant."},
    {"role": "user", "content": "Turn on the kitchen light."},
]
TASK = {
    "type": "object",
    "properties": {"level": {"type": "integer", "minimum": 0, "maximum": 9}, "mode": {"enum": ["eco", "heat"]}},
    "required": ["level", "mode"],
}


async def read(stream):
    """An answer from a stream: its role, its text, its calls in order."""
    role, text, calls = None, "", []
    async for chunk in stream:
        if not chunk.choices:
            continue
        delta = chunk.choices[0].delta
        role, text = role or delta.role, text + (delta.content or "")
        for part in delta.tool_calls or []:
            if part.index == len(calls):
                calls.append({"id": part.id, "name": part.function.name, "arguments": ""})
            calls[part.index]["arguments"] += part.function.arguments or ""
    return role, text, calls


def over_openai(conversation):
    async def run():
        async with openai.AsyncOpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0, timeout=80) as client:
            await conversation(client)

    asyncio.run(run())


def over_ollama(conversation):
    headers = {"Authorization": f"Bearer {KEY}"} if HAS_KEY else {}
    asyncio.run(conversation(ollama.AsyncClient(host=URL, headers=headers)))


@check
def set_up_over_openai():
    async def conversation(client):
        models = await client.with_options(timeout=10).models.list()
        assert MODEL in [model.id async for model in models]
        probe = [
            {"role": "system", "content": "Answer."},
            {"role": "user", "content": "What is the capital of France?"},
        ]
        tool = {"type": "function", "function": {"name": "probe", "parameters": {"type": "object", "properties": {}}}}
        options = {"model": MODEL, "messages": probe, "tools": [tool], "max_tokens": 3}
        whole = await client.chat.completions.create(**options, stream=False)
        assert whole.choices[0].finish_reason in ("length", "stop", "tool_calls")
        role, _, _ = await read(await client.chat.completions.create(**options, stream=True))
        assert role == "assistant"

    over_openai(conversation)


@check
def a_conversation_over_openai():
    async def conversation(client):
        messages = list(TURNS)
        for choice in ("required", "auto", "none"):
            stream = await client.chat.completions.create(
                model=MODEL,
                messages=messages,
                tools=[TURN_ON],
                tool_choice=choice,
                max_tokens=80,
                top_p=1.0,
                temperature=0.7,
                user="conversation-1",
                stream=True,
            )
            role, text, calls = await read(stream)
            assert role == "assistant" and (calls or text or choice == "auto")
            assert bool(calls) == (choice == "required") or choice == "auto"
            if not calls:
                continue
            for call in calls:
                jsonschema.validate(json.loads(call["arguments"]), TURN_ON["function"]["parameters"])
            functions = [
                {
                    "type": "function",
                    "id": call["id"],
                    "function": {"name": call["name"], "arguments": call["arguments"]},
                }
                for call in calls
            ]
            messages.append({"role": "assistant", "content": text or None, "tool_calls": functions})
            result = json.dumps({"data": {"success": True}, "error": None})
            messages += [{"role": "tool", "tool_call_id": call["id"], "content": result} for call in calls]

    over_openai(conversation)


@check
def more_tokens_than_the_context_has():
    async def conversation(client):
        answer = await client.chat.completions.create(
            model=MODEL, messages=TURNS, max_tokens=3000, stop=["."], temperature=0, stream=False
        )
        assert answer.choices[0].finish_reason == "stop"

    over_openai(conversation)


@check
def a_task_over_openai():
    async def conversation(client):
        form = {"type": "json_schema", "json_schema": {"name": "task", "strict": True, "schema": TASK}}
        stream = await client.chat.completions.create(
            model=MODEL, messages=TURNS, response_format=form, max_tokens=3000, stream=True
        )
        jsonschema.validate(json.loads((await read(stream))[1]), TASK)

    over_openai(conversation)


@check
def a_conversation_over_ollama():
    async def conversation(client):
        async with asyncio.timeout(5):
            assert (await client.list()).models
        messages = [ollama.Message(role=turn["role"], content=turn["content"]) for turn in TURNS]
        for tools in (None, [TURN_ON]):
            options = {"num_ctx": 8192, "num_predict": 48}
            stream = await client.chat(
                model=MODEL, messages=messages, tools=tools, stream=True, think=False, keep_alive=-1, options=options
            )
            parts = [part async for part in stream]
            assert parts[-1].done and not any(part.done for part in parts[:-1])
            for part in parts:
                for call in part.message.tool_calls or []:
                    jsonschema.validate(dict(call.function.arguments), TURN_ON["function"]["parameters"])
        task = await client.chat(model=MODEL, messages=messages, format=TASK, options={"num_predict": 80})
        jsonschema.validate(json.loads(task.message.content), TASK)

    over_ollama(conversation)
