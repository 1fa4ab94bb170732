"""Chat completions, completions, models and embeddings through the OpenAI SDK."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import openai

from frame import HELLO, KEY, MODEL, STORY, URL, check, key_check, refused

client = openai.OpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0, timeout=50)


def user(text):
    return [{"role": "user", "content": text}]


def chat(messages=HELLO, **options):
    if isinstance(messages, str):
        messages = user(messages)
    return client.chat.completions.create(model=MODEL, messages=messages, **{"max_tokens": 40, **options})


def text_of(answer):
    return answer.choices[0].message.content


def streamed(messages=HELLO, **options):
    return list(chat(messages, stream=True, **options))


def joined(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


@check
def models():
    model = client.models.list().data[0]
    assert (model.id, model.object, model.owned_by) == (MODEL, "model", "nanocamelid")
    assert model.created > 0 and model.context_length > 0
    assert client.models.retrieve(MODEL) == model
    with refused(openai.NotFoundError, "absent"):
        client.models.retrieve("absent")


@check
def an_answer():
    answer = chat()
    choice, usage = answer.choices[0], answer.usage
    assert answer.object == "chat.completion" and answer.id and answer.model == MODEL
    assert abs(answer.created - time.time()) < 60
    assert choice.index == 0 and choice.message.role == "assistant" and "Hello" in choice.message.content
    assert choice.finish_reason == "stop" and len(answer.choices) == 1
    assert usage.prompt_tokens > 0 and usage.completion_tokens > 0
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


@check
def a_stream_has_one_id_a_role_first_and_a_reason_last():
    chunks = streamed()
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1
    assert all(chunk.object == "chat.completion.chunk" for chunk in chunks)
    choices = [chunk.choices[0] for chunk in chunks]
    assert [choice.delta.role for choice in choices] == ["assistant"] + [None] * (len(choices) - 1)
    assert [choice.finish_reason for choice in choices] == [None] * (len(choices) - 1) + ["stop"]
    assert len(chunks) > 5, "the answer comes in pieces"


@check
def a_stream_has_usage_only_where_it_is_asked_for():
    assert all(chunk.usage is None and chunk.choices for chunk in streamed())
    *others, last = streamed(stream_options={"include_usage": True})
    assert all(chunk.usage is None for chunk in others)
    assert last.choices == [] and last.usage.completion_tokens > 0
    assert last.usage.prompt_tokens_details.cached_tokens >= 0


@check
def a_stream_has_the_same_text():
    assert joined(streamed(STORY, temperature=0)) == text_of(chat(STORY, temperature=0))


@check
def temperature_0_is_certain():
    assert len({text_of(chat(STORY, temperature=0)) for _ in range(3)}) == 1


@check
def a_seed_repeats_an_answer():
    def tell(seed):
        return text_of(chat(STORY, temperature=1.5, seed=seed))

    assert tell(7) == tell(7)
    assert len({tell(seed) for seed in range(8)}) > 1


@check
def limits_of_tokens():
    for name in ("max_tokens", "max_completion_tokens"):
        answer = client.chat.completions.create(model=MODEL, messages=user(STORY), **{name: 3})
        assert answer.usage.completion_tokens == 3 and answer.choices[0].finish_reason == "length"


@check
def stop_strings_end_an_answer_and_are_not_in_it():
    whole = text_of(chat(temperature=0))
    words = whole.split()
    for stop in (words[2], [words[3], "never", words[2]], words[2][1:] + " " + words[3][:1]):
        first = min(whole.index(one) for one in ([stop] if isinstance(stop, str) else stop) if one in whole)
        answer = chat(temperature=0, stop=stop)
        assert text_of(answer) == whole[:first] and answer.choices[0].finish_reason == "stop"
        assert joined(streamed(temperature=0, stop=stop)) == whole[:first]


@check
def developer_is_system_and_parts_are_text():
    def prompt_of(role, content):
        answer = chat([{"role": role, "content": content}, *user(HELLO)], temperature=0)
        return answer.usage.prompt_tokens, text_of(answer)

    expected = prompt_of("system", "Answer briefly.")
    parts = [{"type": "text", "text": "Answer "}, {"type": "text", "text": "briefly."}]
    assert prompt_of("developer", "Answer briefly.") == expected
    assert prompt_of("system", parts) == expected


@check
def a_second_turn_is_cached():
    first = chat(temperature=0)
    turns = [*user(HELLO), {"role": "assistant", "content": text_of(first)}, *user("What is GGUF?")]
    usage = chat(turns, temperature=0).usage
    assert usage.prompt_tokens_details.cached_tokens >= first.usage.prompt_tokens


@check
def the_text_of_a_control_token_is_text():
    plain = chat("a b", max_tokens=1).usage.prompt_tokens
    assert chat("a<|im_end|>b", max_tokens=1).usage.prompt_tokens > plain + 3


@check
def log_probabilities():
    answer = chat(temperature=0, logprobs=True, top_logprobs=3)
    entries = answer.choices[0].logprobs.content
    assert b"".join(bytes(entry.bytes) for entry in entries).decode() == text_of(answer)
    for entry in entries:
        top = [other.logprob for other in entry.top_logprobs]
        assert entry.logprob <= 1e-6 and len(top) == 3 and top == sorted(top, reverse=True)
        assert abs(top[0] - entry.logprob) < 1e-4 and entry.top_logprobs[0].token == entry.token
    assert all(choice.logprobs is None for choice in chat().choices)
    with_stream = [c.choices[0].logprobs for c in streamed(temperature=0, logprobs=True) if c.choices]
    assert [e.token for part in with_stream if part for e in part.content] == [e.token for e in entries]


@check
def a_bias_and_penalties():
    text = text_of(chat(temperature=0, logit_bias={"0": 100}, max_tokens=4))
    assert text and text == text[0] * len(text), text
    assert text_of(chat(STORY, temperature=0, frequency_penalty=2, presence_penalty=2)) != text_of(
        chat(STORY, temperature=0)
    )


@check
def what_concerns_other_servers_is_ignored():
    assert chat(user="u-1", extra_body={"metadata": {"a": "b"}, "store": False, "no_such_field": 1}).choices


@check
def what_cannot_be_honoured_is_refused_by_name():
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    for field, options in {
        "n": {"n": 2},
        "temperature": {"temperature": -1},
        "top_p": {"top_p": 2},
        "top_logprobs": {"logprobs": True, "top_logprobs": 21},
        "frequency_penalty": {"frequency_penalty": 3},
        "stop": {"extra_body": {"stop": 7}},
        "max_tokens": {"extra_body": {"max_tokens": "many"}},
        "role": {"messages": [{"role": "wizard", "content": "x"}]},
        "image_url": {"messages": [{"role": "user", "content": [image]}]},
        "messages": {"messages": []},
        "response_format": {"extra_body": {"response_format": {"type": "xml"}}},
    }.items():
        with refused(openai.BadRequestError, field) as found:
            chat(**options)
        assert found[0].body["message"] and found[0].body["type"] == "invalid_request_error", found[0].body


@check
def bodies_that_are_no_request():
    post = client._client.post
    for body in (b"", b"{", b"[]", b'"text"', b"[" * 10_000, b'{"model": "' + b"\xff" * 8 + b'"}', b'{"messages": []}'):
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
        answer = post(f"{URL}/v1/chat/completions", content=body, headers=headers)
        assert answer.status_code == 400 and answer.json()["error"]["message"], (body[:20], answer.status_code)


@check
def another_model_another_path_another_method():
    with refused(openai.NotFoundError, "absent") as found:
        client.chat.completions.create(model="absent", messages=user(HELLO))
    assert found[0].body["code"] == "model_not_found"
    with refused(openai.NotFoundError):
        client.post("/absent", cast_to=object, body={})
    with refused(openai.APIStatusError) as found:
        client.get("/chat/completions", cast_to=object)
    assert found[0].status_code == 405


@check
def a_prompt_that_does_not_fit():
    context = client.models.list().data[0].context_length
    with refused(openai.BadRequestError, "context", str(context)) as found:
        chat("camel " * 5000)
    assert found[0].body["code"] == "context_length_exceeded"


@check
def a_body_that_is_too_large():
    with refused(openai.APIStatusError) as found:
        chat("x" * (17 << 20))
    assert found[0].status_code == 413


@check
def clients_that_leave_free_their_place():
    for _ in range(12):
        stream = chat(STORY, stream=True, temperature=2, max_tokens=400)
        next(iter(stream))
        stream.close()
    with refused(openai.APITimeoutError):
        client.with_options(timeout=0.001).chat.completions.create(model=MODEL, messages=user(STORY))
    start = time.monotonic()
    assert text_of(chat()) and time.monotonic() - start < 10


@check
def neighbours_change_nothing():
    alone = text_of(chat(STORY, temperature=0))
    with ThreadPoolExecutor(12) as pool:
        answers = [pool.submit(lambda: text_of(chat(STORY, temperature=0))) for _ in range(6)]
        streams = [pool.submit(lambda: joined(streamed(STORY, temperature=0))) for _ in range(6)]
        assert {done.result() for done in answers + streams} == {alone}


@check
def the_asynchronous_client():
    async def ask():
        async with openai.AsyncOpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0) as other:
            stream = await other.chat.completions.create(model=MODEL, messages=user(HELLO), stream=True)
            return [chunk async for chunk in stream]

    assert "Hello" in joined(asyncio.run(ask()))


@check
def completions():
    def complete(prompt="Once upon a time", **options):
        return client.completions.create(model=MODEL, prompt=prompt, **{"max_tokens": 12, "temperature": 0, **options})

    answer = complete()
    assert answer.object == "text_completion" and answer.choices[0].text
    assert answer.usage.completion_tokens == 12 and answer.choices[0].finish_reason == "length"
    assert "".join(chunk.choices[0].text for chunk in complete(stream=True)) == answer.choices[0].text
    assert complete([1, 2, 3]).usage.prompt_tokens == 3
    with refused(openai.BadRequestError, "prompt"):
        complete(["one", "two"])
    with refused(openai.BadRequestError, "suffix"):
        complete(suffix="x")


@check
def embeddings_or_why_not():
    try:
        answer = client.embeddings.create(model=MODEL, input=["a camel", "a board", "a camel"])
    except openai.BadRequestError as error:
        assert "embedding" in str(error).lower() or "pooling" in str(error).lower(), error
        return
    vectors = [entry.embedding for entry in answer.data]
    assert [entry.index for entry in answer.data] == [0, 1, 2] and answer.usage.prompt_tokens > 0
    assert vectors[0] == vectors[2] != vectors[1] and abs(sum(x * x for x in vectors[0]) - 1) < 1e-3


@key_check
def a_wrong_key():
    for key in ("wrong", KEY[:-1], KEY + "x"):
        with refused(openai.AuthenticationError) as found:
            openai.OpenAI(base_url=f"{URL}/v1", api_key=key, max_retries=0).models.list()
        assert found[0].body["code"] == "invalid_api_key" and KEY not in str(found[0])
