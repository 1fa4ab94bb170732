"""Ollama's API through its own SDK."""

import asyncio
import datetime
import json

import jsonschema
import ollama

from frame import HAS_KEY, HELLO, KEY, MODEL, STORY, URL, check, key_check, refused

HEADERS = {"Authorization": f"Bearer {KEY}"} if HAS_KEY else {}
client = ollama.Client(host=URL, headers=HEADERS, timeout=50)
NAMES = (MODEL, f"{MODEL}:latest")
SCHEMA = {
    "type": "object",
    "properties": {"size": {"enum": ["small", "large"]}, "ok": {"type": "boolean"}},
    "required": ["size", "ok"],
    "additionalProperties": False,
}


def user(text):
    return [{"role": "user", "content": text}]


def chat(messages=HELLO, model=MODEL, options=None, **more):
    if isinstance(messages, str):
        messages = user(messages)
    return client.chat(model=model, messages=messages, options={"num_predict": 40, **(options or {})}, **more)


def certain(text=HELLO, **more):
    return chat(text, options={"temperature": 0, **more}).message.content


def assert_measured(part):
    assert part.done and part.done_reason in ("stop", "length") and part.model in NAMES
    datetime.datetime.fromisoformat(part.created_at.replace("Z", "+00:00"))
    assert part.prompt_eval_count > 0 and part.eval_count > 0
    assert 0 < part.eval_duration <= part.total_duration < 60e9 and part.prompt_eval_duration >= 0
    assert part.load_duration >= 0


@check
def what_clients_look_for_first():
    assert client._request_raw("GET", "/").text == "Ollama is running"
    assert client._request_raw("HEAD", "/").status_code == 200
    assert client._request_raw("GET", "/api/version").json()["version"][0].isdigit()


@check
def the_model_is_listed():
    model = client.list().models[0]
    assert model.model in NAMES and model.size > 0 and model.digest and model.modified_at
    assert model.details.format == "gguf" and model.details.family == "llama" and model.details.quantization_level
    running = client.ps().models[0]
    assert running.model in NAMES and running.size > 0 and running.expires_at


@check
def the_model_is_shown():
    for name in NAMES:
        shown = client.show(name)
        assert "completion" in shown.capabilities
        assert shown.modelinfo["general.architecture"] == "llama" and shown.modelinfo["llama.context_length"] == 512
        assert shown.details.quantization_level and shown.template
    with refused(ollama.ResponseError, "absent") as found:
        client.show("absent")
    assert found[0].status_code == 404


@check
def an_answer():
    answer = chat()
    assert answer.message.role == "assistant" and "Hello" in answer.message.content
    assert_measured(answer)
    assert chat(model=NAMES[1]).message.content


@check
def a_stream():
    *parts, last = chat(stream=True, options={"temperature": 0})
    assert len(parts) > 5 and not any(part.done for part in parts)
    assert "".join(part.message.content or "" for part in [*parts, last]) == certain()
    assert_measured(last)


@check
def options_of_the_sampler():
    cut = chat(STORY, options={"num_predict": 3})
    assert cut.eval_count == 3 and cut.done_reason == "length"
    word = certain().split()[2]
    stopped = chat(options={"temperature": 0, "stop": [word]})
    assert stopped.message.content == certain().partition(word)[0] and stopped.done_reason == "stop"
    assert certain(STORY, seed=5, temperature=1.5) == certain(STORY, seed=5, temperature=1.5)
    many = {
        "top_k": 20,
        "top_p": 0.9,
        "min_p": 0.05,
        "repeat_penalty": 1.1,
        "repeat_last_n": 32,
        "num_ctx": 512,
        "num_thread": 2,
        "num_batch": 64,
        "num_predict": -1,
        "presence_penalty": 0.5,
        "frequency_penalty": 0.5,
    }
    assert chat(options=many).message.content


@check
def options_that_cannot_be():
    for name, value in {"temperature": "hot", "top_p": 7, "stop": 3, "num_predict": "many"}.items():
        with refused(ollama.ResponseError, name) as found:
            client._request_raw(
                "POST",
                "/api/chat",
                json={"model": MODEL, "messages": user(HELLO), "options": {name: value}, "stream": False},
            )
        assert found[0].status_code == 400


@check
def generate():
    def write(prompt=HELLO, **more):
        return client.generate(model=MODEL, prompt=prompt, **{"options": {"num_predict": 40, "temperature": 0}, **more})

    whole = write()
    assert whole.response == certain()
    assert_measured(whole)
    *parts, last = write(stream=True)
    assert "".join(part.response for part in [*parts, last]) == whole.response and last.done
    assert write(system="Answer briefly.").prompt_eval_count != whole.prompt_eval_count
    assert write("Once upon a time", raw=True).response


@check
def a_format():
    for temperature in (0, 1.5):
        answer = chat("A size?", format=SCHEMA, options={"num_predict": 100, "temperature": temperature})
        jsonschema.validate(json.loads(answer.message.content), SCHEMA)
    written = client.generate(model=MODEL, prompt="A size?", format=SCHEMA, options={"num_predict": 100})
    jsonschema.validate(json.loads(written.response), SCHEMA)
    answer = chat("Answer in JSON.", format="json", options={"num_predict": 200})
    assert answer.message.content.lstrip().startswith("{")
    if answer.done_reason == "stop":
        json.loads(answer.message.content)
    with refused(ollama.ResponseError, "format"):
        chat(format={"type": "no-such-type"})


@check
def tools():
    def set_light(room: str, on: bool) -> str:
        """Switches a light.

        Args:
          room: which room
          on: on or off
        """

    for call in chat("Turn on the kitchen light.", tools=[set_light]).message.tool_calls or []:
        assert call.function.name == "set_light" and isinstance(dict(call.function.arguments), dict)
    turns = [
        *user("Turn on the light."),
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"function": {"name": "set_light", "arguments": {"on": True}}}],
        },
        {"role": "tool", "content": "done", "tool_name": "set_light"},
    ]
    assert chat(turns, tools=[set_light], options={"num_predict": 10}).done


@check
def thinking():
    assert chat(think=False).message.content
    # The demonstration model does not reason: it answers, or the server says so.
    try:
        assert chat(think=True).message.content
    except ollama.ResponseError as error:
        assert error.status_code == 400 and "think" in str(error), error


@check
def how_long_to_keep_the_model_is_taken_and_means_nothing():
    for time in (-1, 0, "300s", "5m", 60):
        assert chat(keep_alive=time).message.content
    assert client.generate(model=MODEL, prompt="", keep_alive=0).done, "an empty prompt loads or unloads"


@check
def embeddings_or_why_not():
    try:
        answer = client.embed(model=MODEL, input=["a camel", "a board"])
    except ollama.ResponseError as error:
        assert error.status_code == 400 and ("embedding" in str(error) or "pooling" in str(error)), error
        return
    assert len(answer.embeddings) == 2 and answer.prompt_eval_count > 0


@check
def what_is_not_here():
    for status, ask in {
        404: lambda: chat(model="absent"),
        400: lambda: client._request_raw("POST", "/api/chat", json={"model": MODEL, "messages": "no list"}),
    }.items():
        with refused(ollama.ResponseError) as found:
            ask()
        assert found[0].status_code == status and found[0].error
    for ask in (lambda: client.pull("llama3.2"), lambda: client.delete(MODEL), lambda: client.copy(MODEL, "other")):
        with refused(ollama.ResponseError) as found:
            ask()
        assert 400 <= found[0].status_code < 600
    image = {"role": "user", "content": "What is this?", "images": ["aGVsbG8="]}
    with refused(ollama.ResponseError, "images"):
        chat([image])


@check
def the_asynchronous_client():
    async def ask():
        other = ollama.AsyncClient(host=URL, headers=HEADERS)
        return [part async for part in await other.chat(model=MODEL, messages=user(HELLO), stream=True)]

    assert asyncio.run(ask())[-1].done


@key_check
def a_missing_key():
    with refused(ollama.ResponseError) as found:
        ollama.Client(host=URL).list()
    assert found[0].status_code == 401
