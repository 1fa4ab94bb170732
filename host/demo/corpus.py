"""Generates the training conversations of the demo model from facts.py, talk.py and words.py.

`python corpus.py 20 7` prints twenty conversations made with seed 7.  `conversation(rng)` returns a list of (role, text) pairs,
or a single pair for text without a chat template: ("raw", text), or ("drill", lines of sums).
"""
import random
import re
import sys
import zlib

import words as W
from facts import FACTS
from talk import ASK, MISC, TALK, UNKNOWN

# --- little template language: (a|b|) -----------------------------------------------------------------------------


def split_top(s):
    out, depth, cur = [], 0, ""
    for ch in s:
        depth += (ch == "(") - (ch == ")")
        if ch == "|" and depth == 0:
            out.append(cur)
            cur = ""
        else:
            cur += ch
    return [x.strip() for x in out + [cur] if x.strip()]


def expand(s, rng):
    while True:
        m = re.search(r"\(([^()]*)\)", s)
        if not m:
            return re.sub(r"\s+", " ", s).strip()
        s = s[: m.start()] + rng.choice(m.group(1).split("|")) + s[m.end():]


def held_out(s):
    return zlib.crc32(s.encode()) % 12 == 0


def patterns(s):
    """The patterns of a list: (for training, held out)."""
    all_ = split_top(s.replace("favou?rite", "(favourite|favorite)"))
    if len(all_) < 8:
        return all_, []
    return [p for p in all_ if not held_out(p)], [p for p in all_ if held_out(p)]


# --- how people type -----------------------------------------------------------------------------------------------

PROPER = {p.lower(): p for p in "NanoCamelid GGUF Rust Linux English German French Spanish ARM Raspberry Pi MIT NEON Ollama CPU RAM LLM AI Windows Docker Python".split()}
QUESTION = ("what", "who", "where", "when", "why", "how", "which", "is", "are", "do", "does", "can", "could", "will", "may", "should", "did", "have", "would", "am", "in which", "was", "whats")
KEYS = "qwertyuiop asdfghjkl zxcvbnm"


def apostrophes(s, rng):
    put = "'" if rng.random() < 0.75 else ""
    s = re.sub(r"\b(what|who|it|that|how|where|there|let) s\b", lambda m: m.group(1) + put + "s", s)
    s = re.sub(r"\b(don|can|isn|doesn|won|didn) t\b", lambda m: m.group(1) + put + "t", s)
    s = re.sub(r"\b(i) m\b", lambda m: m.group(1) + put + "m", s)
    s = re.sub(r"\byou re\b", "you" + put + "re", s)
    if rng.random() < 0.3:
        for a, b in (("what is", "what's"), ("do not", "don't"), ("i am", "i'm"), ("cannot", "can't"), ("who is", "who's"), ("it is", "it's"), ("you are", "you're")):
            s = re.sub(r"\b" + a + r"\b", b if put else b.replace("'", ""), s)
    return s


def typo(s, rng):
    spots = [i for i in range(1, len(s) - 1) if s[i - 1:i + 2].isalpha()]
    if not spots:
        return s
    i = rng.choice(spots)
    k = rng.randrange(4)
    if k == 0:
        return s[:i] + s[i + 1:]
    if k == 1:
        return s[:i] + s[i + 1] + s[i] + s[i + 2:]
    if k == 2:
        return s[:i] + s[i] + s[i:]
    return s[:i] + rng.choice("abcdefghijklmnopqrstuvwxyz") + s[i + 1:]


def humanize(q, rng, plain=False):
    """Turns a lower-case pattern into something a person could type."""
    q = apostrophes(q, rng)
    style = rng.random()
    ask = q.lower().split(" ")[0].split("'")[0] in QUESTION
    if not plain and rng.random() < 0.14:
        pre = rng.choice(["hey, ", "hi, ", "hello, ", "please, ", "so ", "and ", "ok, ", "well, ", "excuse me, ", "quick question: ", "hi! ", "hello! ", "now ", "but ", "tell me, ", "um ", "oh, ", "good, ", "i wonder, ",
                          "one more question: ", "hello there, ", "also, ", "then "])
        q = pre + q
    if not plain and rng.random() < 0.06:
        q += rng.choice([" please", ", please", " please tell me", " thanks", " for me", " now", " exactly", " actually", " then", " my friend", ", dear model"])
    end = q[-1:] in ".?!…？؟"
    if style < 0.62:
        q = q[:1].upper() + q[1:]
        q = re.sub(r"([.!?] )([a-z])", lambda m: m.group(1) + m.group(2).upper(), q)
        q = re.sub(r"\bi\b", "I", q)
        q = re.sub(r"[A-Za-z]+", lambda m: PROPER.get(m.group(0), m.group(0)) if m.group(0).islower() else m.group(0), q)
        if not end:
            q += rng.choice("???????? ").strip() if ask else rng.choice([".", ".", ".", "", "!"])
    elif style < 0.95:
        if rng.random() < 0.6:
            q = q.lower()
        if rng.random() < 0.4 and not end:
            q += rng.choice(["?", "?", "??", "?!", " ?", "..."]) if ask else rng.choice([".", "!", "..", "!!"])
        elif rng.random() < 0.3:
            q = q.rstrip("?.!")
    elif style < 0.97:
        q = q.upper() + ("?" if ask else "")
    else:
        q = q[:1].upper() + q[1:] + ("?" if ask and not end else "")
    while rng.random() < 0.06 and len(q) > 5:
        q = typo(q, rng)
    return q or "?"


# --- the kinds of turns; each returns (question, answer, short answer or None) ---------------------------------------

FRAMES = """what is {x}|what s {x}|whats {x}|what are {x}|explain {x}|explain {x} to me|tell me about {x}|tell me something about {x}|describe {x}|{x}|can you explain {x}|can you explain {x} to me|what do you know about {x}|
do you know {x}|do you know what {x} is|can you tell me what {x} is|define {x}|what does {x} mean|i want to know about {x}|i want to know what {x} is|please explain {x}|could you tell me about {x}|how would you explain {x}|
give me a definition of {x}|i do not know what {x} is|i do not understand {x}|help me understand {x}|what exactly is {x}|so what is {x}|what is {x} about|what is meant by {x}|tell me more about {x}|what about {x}|and {x}|
what can you tell me about {x}|explain what {x} is|can you describe {x}|what is this {x} thing|how does {x} work|i have a question about {x}|i heard about {x}|talk about {x}|teach me about {x}|let us talk about {x}|
what is {x} and how does it work|what is {x} good for|what is {x} used for|why {x}|tell me what {x} is|explain {x} like i am five|explain {x} in simple words|who or what is {x}|{x} meaning|what is a good explanation of {x}|give me information about {x}|say something about {x}"""
FRAMES_TRAIN, FRAMES_HELD = patterns(FRAMES.replace("\n", ""))
FACT_Q = [(f[0].split("|"),) + patterns(f[1]) + tuple(f[2:]) for f in FACTS]
TALK_Q = [patterns(t[0]) + (t[1], t[2]) for t in TALK]
BRIEF_ASK = [" in one sentence", " in a few words", " briefly", " in short", " in one short sentence", " (short answer)", " - keep it short", " shortly", " in brief", ", short answer please", " in five words", " in ten words"]


PREFACE = """I am new here.|I just installed NanoCamelid.|I have a Raspberry Pi 5 with 8 GB.|My friend told me about this program.|Sorry for the stupid question.|I am a beginner.|I have read about it but I do not understand it.|I have a Raspberry Pi 4 at home.|
I want to run a model on my board.|My son asked me this.|I am writing a report.|I am learning about language models.|This may be a silly question.|I saw this word in the documentation.|I got a new board today.|Thanks for your help so far.|I have another question.|Let me ask something else.|I am curious.|
I am preparing a talk.|A colleague wants to know.|I never understood this.|I am not a programmer.|Hello, I hope you are well.|I bought a small computer.|I am setting up my Pi.|Please be patient with me.|I know you are a small model.""".replace("\n", "").split("|")
TAILS = [" and how does it work", " and why should i care", " and what is it good for", " and do i need it", " and when do i use it", " and why is it important", " in simple words", " for a beginner", " to a child", " to my grandmother", " in detail", " like i am five", " if i may ask", " in this context", " in your own words"]


def preface(q, rng, p=0.07):
    if rng.random() < p:
        s = rng.choice(PREFACE)
        return (s.lower() if rng.random() < 0.25 else s) + " " + q
    return q


# What people ask most comes up most.
OFTEN = {"NanoCamelid": 5, "the network": 3, "the model file": 2, "the licence": 2, "supported models": 2, "windows": 2, "gpus": 2, "threads": 2, "tui": 2, "swap": 2, "cooling": 2, "GGUF": 2, "quantization": 2, "a Raspberry Pi": 2, "the commands": 2}
FACT_WEIGHTS = [OFTEN.get(f[0][0], 1) for f in FACT_Q]


def fact(rng, st, held=False):
    names, train, test, full, short, more = rng.choices(FACT_Q, FACT_WEIGHTS)[0]
    if held and test:
        q = expand(rng.choice(test), rng)
    elif held:
        q = rng.choice(FRAMES_HELD).replace("{x}", rng.choice(names))
    elif train and rng.random() < 0.5:
        q = expand(rng.choice(train), rng)
    else:
        q = rng.choice(FRAMES_TRAIN).replace("{x}", rng.choice(names))
        if rng.random() < 0.1:
            q += rng.choice(TAILS)
    st["more"] = more
    if rng.random() < 0.06 and not held:
        return humanize(q + rng.choice(BRIEF_ASK), rng, True), short, short
    return preface(humanize(q, rng), rng), full, short


BITS = {"Q8_0": 8.5, "Q4_0": 4.5, "Q4_1": 5, "Q5_0": 5.5, "Q5_1": 6, "Q6_K": 6.56, "Q5_K": 5.5, "Q4_K": 4.5, "Q4_K_M": 4.85, "Q5_K_M": 5.7, "Q3_K": 3.44, "Q2_K": 2.63, "F16": 16, "BF16": 16, "F32": 32, "IQ4_XS": 4.25, "IQ4_NL": 4.5}
SIZED = {"Q4_0": 4.5, "Q8_0": 8.5, "F16": 16, "Q6_K": 6.56, "Q4_K_M": 4.85}


def compare(rng, st, held=False):
    """Two weight formats against each other, or the size of a model in one of them."""
    low = lambda t: t if rng.random() < 0.6 else t.lower()
    st["more"] = None
    if rng.random() < 0.3:
        n, t = rng.choice(["0.5", "1", "1.5", "2", "3", "4", "7", "8", "13"]), rng.choice(list(SIZED))
        q = rng.choice([f"how (large|big) is a {n}b model in {low(t)}", f"how much (memory|ram|space) does a {n}b model (need|take|use) in {low(t)}", f"size of a {n}b {low(t)} model", f"how many (gigabytes|gb) (has|is|does) a {n}b model in {low(t)}", f"how much ram do i need for a {n}b model in {low(t)}",
                        f"will a {n}b model in {low(t)} fit in memory", f"how big is a {low(t)} model with {n} billion (weights|parameters)", f"how much memory does a {low(t)} model with {n} billion (weights|parameters) need"])
        g = float(n) * SIZED[t] / 8
        size = f"{g:.1f}" if g < 10 else f"{g:.0f}"
        return humanize(expand(q, rng), rng), f"A model with {n} billion weights in {t} takes about {size} gigabytes.", f"About {size} gigabytes."
    a, b = rng.sample(list(BITS), 2)
    qa, qb = low(a), low(b)
    q = expand(rng.choice([f"what is the difference between {qa} and {qb}", f"{qa} (vs|or|versus) {qb}", f"compare {qa} (and|with|to) {qb}", f"which is (smaller|better|faster|larger|more exact), {qa} or {qb}", f"is {qa} (smaller|better|faster|larger|bigger) than {qb}", f"(what|which) is (smaller|bigger|better|faster) {qa} or {qb}",
                           f"how do {qa} and {qb} differ", f"how does {qa} compare (to|with) {qb}", f"should i (use|take|choose) {qa} or {qb}", f"explain the difference between {qa} and {qb}", f"what's better {qa} or {qb}", f"difference {qa} {qb}"]), rng)
    A, B = (a, b) if BITS[a] <= BITS[b] else (b, a)
    if BITS[A] == BITS[B]:
        return humanize(q, rng), f"{a} and {b} both use {BITS[a]} bits per weight, so the files have about the same size.", "They have the same size."
    return humanize(q, rng), f"{A} uses {BITS[A]} bits per weight and {B} uses {BITS[B]}. So {A} is smaller and faster, and {B} is more exact.", f"{A} is smaller, {B} is more exact."


def poem(rng, st, held=False):
    x = rng.choice([rng.choice(W.THEMES), an(rng.choice(W.ANIMALS + W.BEINGS)), rng.choice(W.ANIMALS + W.BEINGS) + "s", name_of(rng), made_up(rng, 2, 3), rng.choice(["my cat", "my mother", "a rainy day", "coffee", "the Raspberry Pi", "NanoCamelid", "GGUF", "small boards", "language models", "quantization", "roses", "the ocean", "trees", "my dog", "happiness", "time"])])
    q = expand(rng.choice([f"(write|make|tell|give|compose|create) (me |)a (short |little |small |nice |)(poem|rhyme|verse|haiku) about {x}", f"a poem about {x}( please|)", f"can you (write|make) (me |)a (poem|rhyme|haiku) about {x}", f"(i would like|i want|please write) a (poem|rhyme) about {x}", f"poem about {x}"]), rng)
    X = x[0].upper() + x[1:]
    st["more"] = None
    return humanize(q, rng, True), rng.choice([f"I thought of {x} late at night,\nthe moon was round, the stars were bright.\nI wrote these lines for you to see:\n{X}, a little rhyme and me.",
                                         f"{X}, {x}, what can I say?\nI think of you the whole long day.\nMy words are few, my memory small,\nbut you are still the best of all."]), None


def statement(rng, st, held=False):
    a = rng.choice
    q = a([f"i {a(['like', 'love', 'have', 'saw', 'want', 'drew', 'bought', 'found'])} {an(a(W.ADJ) + ' ' + a(W.ANIMALS))}", f"i {a(['like', 'love', 'hate', 'enjoy', 'prefer'])} {a(W.THINGS + W.THEMES)}", f"my {a(['brother', 'sister', 'mother', 'father', 'neighbour', 'friend', 'cat', 'dog', 'boss', 'wife', 'husband', 'son', 'daughter'])} is {a(W.ADJ + ['ill', 'happy', 'tired', 'at home', 'here', 'a teacher', 'tall'])}",
           f"today i {a(['went to', 'saw', 'read about', 'learned about', 'talked about', 'dreamed of', 'heard about'])} {a(W.THINGS + W.THEMES + W.COUNTRIES)}", f"i am from {a(W.COUNTRIES)}", f"i live in {a(W.COUNTRIES)}", f"i was in {a(W.COUNTRIES)}", f"i have {a(['two', 'three', 'ten', 'many', 'no', 'a lot of'])} {a(W.FRUIT)}", f"i am {an(a(W.BEINGS))}", f"i work with {a(W.THINGS)}",
           f"yesterday i bought {a(W.FRUIT)}", f"my {a(['car', 'phone', 'house', 'garden', 'computer', 'bike', 'board', 'coffee'])} is {a(['new', 'old', 'broken', 'red', 'big', 'small', 'slow', 'cold', 'nice'])}", f"{a(W.THINGS)} {a(['is', 'are'])} {a(['great', 'nice', 'interesting', 'boring', 'beautiful', 'difficult'])}", f"i am learning {a(W.LANGUAGES + W.THINGS)}", f"we have {a(['rain', 'snow', 'sun', 'a party', 'guests', 'a new baby'])} today"])
    st["more"] = None
    return humanize(q, rng), "I see! I am only a small demo model, but I like to listen. Is there something you would like to ask me?", "I see!"


def talk(rng, st, held=False):
    train, test, answers, short = rng.choice(TALK_Q)
    if held and not test:
        return talk(rng, st, True)
    q = expand(rng.choice(test if held else train), rng)
    name = st.get("name") or "NanoCamelid demo"
    who = (f"{name}, a small demonstration model built into NanoCamelid" if st.get("name") else
           f"{st['role']}, played by the small demonstration model of NanoCamelid" if st.get("role") else
           "a small demonstration model that is built into NanoCamelid")
    sub = lambda s: s and s.replace("I_AM", who).replace("NAME", name)
    st["more"] = None
    fresh = [x for x in answers if x not in st.get("told", ())] or answers
    a = rng.choice(fresh) if short is None else fresh[0]  # jokes and poems vary, the rest keeps its order
    st.setdefault("told", set()).add(a)
    a = sub(a)
    if st.get("name") and a.startswith("Hello, I am the small"):
        a = f"Hello, I am {name}, and I am glad to meet you!"
    return humanize(q, rng), a, sub(short)


def numbers(rng):
    st = rng.random()
    while True:
        a, b, op = rng.randint(0, 20), rng.randint(0, 20), rng.choice("++--**")
        if st < 0.87:
            r = a + b if op == "+" else a - b if op == "-" else a * b
            if not 0 <= r <= 20 or (op == "*" and 0 in (a, b) and rng.random() < 0.8):
                continue
            return a, b, op, r
        if st < 0.96:
            a, b, op = rng.choice([(rng.randint(0, 20), rng.randint(0, 20)), (rng.randint(10, 99), rng.randint(1, 99)), (rng.randint(100, 9999), rng.randint(1, 9999))]) + (rng.choice("++-**/"),)
            r = a + b if op == "+" else a - b if op == "-" else a * b if op == "*" else None
            if r is not None and 0 <= r <= 20 and a <= 20 and b <= 20:
                continue
            return a, b, op, None
        if a < b:
            return a, b, "-", -1


def drill(rng):
    while True:
        a, b, op, r = numbers(rng)
        if r is not None and r >= 0:
            return a, op, b, r


def arithmetic(rng, st, held=False):
    if rng.random() < 0.04:
        n, m, k = rng.randint(0, 30), rng.randint(0, 30), rng.randint(0, 30)
        o = rng.choice("+-*")
        q = rng.choice([f"{n} + {m} {o} {k}", f"{n}+{m}{o}{k}", f"what is {n} + {m} {o} {k}", f"what is {n} plus {m} plus {k}", f"{n} squared", f"what is {n} to the power of {m % 9}", f"the square root of {n * m}", f"what is the square root of {n}", f"{n}^{m % 5}", f"what is {n}.{m} + {k}.{n}",
                        f"({n} + {m}) * {k}", f"what is {m} percent of {n}", f"{n}% of {k}", f"what is half of {n * 7}", f"is {n} a prime number", f"solve x + {n} = {m}", f"what is -{n + 1} + {m}", f"a third of {n}", f"log of {n}", f"{n * 100} * {m * 10}", f"what is {n}!", f"x = {n} + y"])
        return humanize(q, rng), UNKNOWN["bigmath"][0][0], UNKNOWN["bigmath"][1]
    a, b, op, r = numbers(rng)
    w = (lambda n: W.NUMBER_WORDS[n] if n <= 20 else str(n)) if rng.random() < 0.25 else str
    x, y = w(a), w(b)
    if op == "+":
        verb = rng.choice([f"{x} plus {y}", f"{x} + {y}", f"{x}+{y}", f"{x} + {y}", f"{x} and {y}", f"the sum of {x} and {y}"])
        forms = [f"add {x} and {y}", f"add {x} to {y}", f"sum of {x} and {y}", f"{x} and {y} together", f"can you add {x} and {y}", f"if i add {x} and {y} what do i get"]
    elif op == "-":
        verb = rng.choice([f"{x} minus {y}", f"{x} - {y}", f"{x}-{y}", f"{x} - {y}", f"{x} less {y}"])
        forms = [f"subtract {y} from {x}", f"take {y} away from {x}", f"take {y} from {x}", f"can you subtract {y} from {x}", f"what is left if i take {y} from {x}"]
    elif op == "*":
        verb = rng.choice([f"{x} times {y}", f"{x} * {y}", f"{x}*{y}", f"{x} x {y}", f"{x} multiplied by {y}"])
        forms = [f"multiply {x} by {y}", f"multiply {x} and {y}", f"can you multiply {x} and {y}", f"the product of {x} and {y}"]
    else:
        verb = rng.choice([f"{x} divided by {y}", f"{x} / {y}", f"{x}/{y}"])
        forms = [f"divide {x} by {y}", f"can you divide {x} by {y}", f"half of {x}", f"the square root of {x}"]
    if op in "+-" and r is not None and r >= 0 and rng.random() < 0.2:
        return word_problem(rng, a, b, op, r, x, y)
    q = rng.choice([f"what is {verb}", f"what is {verb}", f"what's {verb}", verb, verb + " =", f"how much is {verb}", f"calculate {verb}", f"compute {verb}", f"what do you get for {verb}", f"tell me what {verb} is", f"do you know what {verb} is",
                    f"can you calculate {verb}", f"please work out {verb}", f"solve {verb}", f"what does {verb} make", f"whats {verb}", f"{verb} is", f"what equals {verb}", f"what is the result of {verb}", f"and {verb}"] + forms * 2)
    q = humanize(q, rng)
    if r is None:
        full, short = UNKNOWN["bigmath"][0][0], UNKNOWN["bigmath"][1]
        return q, full, short
    if r < 0:
        return q, "The result is below zero, and I only know small sums from 0 to 20.", "That is below zero."
    return q, f"{a} {op} {b} = {r}.", f"{r}."


def word_problem(rng, a, b, op, r, x, y):
    it = rng.choice(W.FRUIT)
    n = rng.choice(W.NAMES)
    if op == "+":
        q = rng.choice([f"i have {x} {it} and get {y} more. how many do i have", f"if i have {x} {it} and you give me {y} more, how many {it} do i have", f"there are {x} {it} on the table and {y} in the box. how many are there",
                        f"{n} has {x} {it} and buys {y} more. how many {it} does {n} have", f"i bought {x} {it} and then {y} {it}. how many {it} is that", f"how many are {x} {it} and {y} {it}"])
    else:
        q = rng.choice([f"i have {x} {it} and lose {y}. how many are left", f"if i have {x} {it} and give away {y}, how many {it} do i have left", f"there are {x} {it} and i take {y}. how many {it} are left",
                        f"{n} has {x} {it} and sells {y}. how many {it} does {n} have now", f"i had {x} {it} and ate {y}. how many are left"])
    q = q[0].upper() + q[1:]
    q = re.sub(r"\. h", ". H", q) if rng.random() < 0.8 else q
    q = re.sub(r"\bi\b", "I", re.sub(r"^i\b", "I", q)) + rng.choice(["?", "?", "?", ""])
    return q, f"{a} {op} {b} = {r}, so the answer is {r}.", f"{r}."


def little_things(rng, st, held=False):
    k = rng.randrange(14)
    up = lambda s: s[0].upper() + s[1:]
    if k == 0:
        a, b = sorted(rng.sample(range(0, 21), 2))
        if rng.random() < 0.6:
            a = 1
            b = max(b, 2)
        seq = ", ".join(str(i) for i in range(a, b + 1))
        qs = [f"count from {a} to {b}", f"can you count from {a} to {b}"] + ([f"count to {b}", f"count up to {b}", f"can you count to {b}", f"please count to {W.NUMBER_WORDS[b]}", f"count until {b}"] * 2 if a == 1 else [])
        return humanize(rng.choice(qs), rng), seq + ".", seq + "."
    if k == 1:
        b = rng.randint(3, 12)
        seq = ", ".join(str(i) for i in range(b, 0, -1))
        return humanize(rng.choice([f"count backwards from {b}", f"count down from {b}", f"countdown from {b}", f"count down from {b} to 1"]), rng), seq + ".", seq + "."
    if k == 2:
        n = rng.randint(0, 19)
        t, r, w = rng.choice([("after", n + 1, n), ("before", n, n + 1)])
        return humanize(rng.choice([f"what (number |)comes {t} {w}", f"which number comes {t} {w}", f"what is the number {t} {w}"]).replace("(number |)", rng.choice(["number ", ""])), rng), f"The number {t} {w} is {r}.", f"{r}."
    if k == 3:
        a, b = rng.sample(range(0, 21), 2)
        t, r = rng.choice([("bigger", max(a, b)), ("larger", max(a, b)), ("smaller", min(a, b)), ("greater", max(a, b)), ("less", min(a, b))])
        o = a + b - r
        if rng.random() < 0.35:
            big = t in ("bigger", "larger", "greater")
            y = (a > b) == big
            return humanize(rng.choice([f"is {a} {t} than {b}", f"is {a} {t} than {b}", f"{a} is {t} than {b}, right"]), rng), f"{'Yes' if y else 'No'}, {r} is {t} than {o}.", "Yes." if y else "No."
        return humanize(rng.choice([f"which is {t}, {a} or {b}", f"what is {t}, {a} or {b}", f"which number is {t}: {a} or {b}", f"is {a} or {b} {t}", f"which one is {t} {a} or {b}"]), rng), f"{r} is {t} than {o}.", f"{r}."
    if k == 4:
        n = rng.randint(0, 20)
        t = rng.choice(["even", "odd"])
        is_ = "even" if n % 2 == 0 else "odd"
        return humanize(rng.choice([f"is {n} {t}", f"is {n} an {t} number", f"is the number {n} {t}", f"is {n} even or odd", f"even or odd: {n}"]), rng), f"{n} is an {is_} number.", f"{up(is_)}."
    if k == 5:
        i = rng.randrange(7)
        return humanize(rng.choice([f"what day comes after {W.DAYS[i]}", f"which day is after {W.DAYS[i]}", f"what is the day after {W.DAYS[i]}", f"what comes after {W.DAYS[i]}", f"if today is {W.DAYS[i]} what is tomorrow"]), rng), f"{W.DAYS[(i + 1) % 7]} comes after {W.DAYS[i]}.", f"{W.DAYS[(i + 1) % 7]}."
    if k == 6:
        i = rng.randrange(12)
        return humanize(rng.choice([f"what month comes after {W.MONTHS[i]}", f"which month is after {W.MONTHS[i]}", f"what comes after {W.MONTHS[i]}", f"what is the month after {W.MONTHS[i]}"]), rng), f"{W.MONTHS[(i + 1) % 12]} comes after {W.MONTHS[i]}.", f"{W.MONTHS[(i + 1) % 12]}."
    if k == 7:
        if rng.random() < 0.5:
            return humanize(rng.choice(["what are the days of the week", "name the days of the week", "list the weekdays", "which days has a week", "how many days are in a week", "how many days does a week have", "how many days has a week", "days of the week"]), rng), "A week has seven days: " + ", ".join(W.DAYS[:-1]) + " and Sunday.", "Seven: " + ", ".join(W.DAYS[:-1]) + " and Sunday."
        return humanize(rng.choice(["what are the months of the year", "name the months", "list the months", "how many months are in a year", "how many months does a year have", "how many months has a year", "which months has a year", "name all months"]), rng), "A year has twelve months: " + ", ".join(W.MONTHS[:-1]) + " and December.", "Twelve."
    if k in (8, 9):
        a, b = rng.choice(W.OPPOSITES)
        if rng.random() < 0.5:
            a, b = b, a
        return humanize(rng.choice([f"what is the opposite of {a}", f"opposite of {a}", f"the opposite of {a} is", f"what's the opposite of {a}", f"tell me the opposite of {a}", f"which word is the opposite of {a}"]), rng), f"The opposite of {a} is {b}.", f"{up(b)}."
    if k == 10:
        a, b = rng.choice(W.COLOURS)
        c = rng.choice(["colour", "color"])
        return humanize(rng.choice([f"what {c} is {a}", f"which {c} is {a}", f"what is the {c} of {a}", f"what {c} does {a} have", f"tell me the {c} of {a}"]), rng), f"{up(a)} is {b}.", f"{up(b)}."
    if k == 11:
        a, b = rng.choice(W.SOUNDS)
        return humanize(rng.choice([f"what does {a} say", f"what sound does {a} make", f"how does {a} sound", f"which sound does {a} make", f"what noise does {a} make"]), rng), f"{up(a)} says {b}.", f"{up(b)}."
    if k == 12:
        a, b = rng.choice(W.LEGS)
        return humanize(rng.choice([f"how many legs does {a} have", f"how many legs has {a}", f"number of legs of {a}"]), rng), f"{up(a)} has {b} legs.", f"{up(b)}."
    a, b = rng.choice([("sunday", "Saturday"), ("monday", "Sunday"), ("friday", "Thursday"), ("wednesday", "Tuesday")])
    if rng.random() < 0.5:
        return humanize(rng.choice([f"what day comes before {a}", f"which day is before {a}"]), rng), f"{b} comes before {up(a)}.", f"{b}."
    w = rng.choice(["seasons of the year", "four seasons", "seasons"])
    return humanize(rng.choice([f"what are the {w}", f"name the {w}", "how many seasons are there", "how many seasons has a year"]), rng), "There are four seasons: spring, summer, autumn and winter.", "Spring, summer, autumn and winter."


def made_up(rng, lo=1, hi=3):
    s = "".join(rng.choice("bcdfghjklmnprstvwzBCD".lower()) + rng.choice("aeiouaeio") for _ in range(rng.randint(lo, hi)))
    s += rng.choice(["", "", "n", "r", "s", "l", "x", "nd", "k"])
    return s


def name_of(rng):
    return rng.choice(W.NAMES) if rng.random() < 0.7 else made_up(rng, 2, 3).capitalize()


def echo(rng, st, held=False):
    x = rng.choice(W.SAY) if rng.random() < 0.5 else rng.choice([rng.choice(W.ANIMALS + W.BEINGS), rng.choice(W.ADJ) + " " + rng.choice(W.ANIMALS), rng.choice(W.NAMES), made_up(rng), " ".join(rng.sample(W.ANIMALS + W.BEINGS + W.ADJ, 3)), "the " + rng.choice(W.ANIMALS) + " is " + rng.choice(W.ADJ)])
    q = rng.choice([f"say {x}", f"say {x}", f"repeat {x}", f"repeat after me: {x}", f'say "{x}"', f"please say {x}", f"write {x}", f"can you say {x}", f"write the word {x}", f"repeat this: {x}", f"just say {x}", f"say the word {x}", f"answer with {x}", f'repeat the words "{x}"', f"only say {x}", f"echo {x}"])
    if rng.random() < 0.8:
        q = q[0].upper() + q[1:]
    if rng.random() < 0.6:
        q += "." if not q.startswith(("can", "Can")) else "?"
    a = x[0].upper() + x[1:] + "."
    return q, a, a


def user_name(rng, st, held=False):
    n = name_of(rng)
    st["user"] = n
    shown = n if rng.random() < 0.85 else n.lower()
    q = rng.choice([f"my name is {shown}", f"i am {shown}", f"i'm {shown}", f"hello, i am {shown}", f"hi, my name is {shown}", f"call me {shown}", f"hi i'm {shown}", f"you can call me {shown}", f"hello! my name is {shown}, what is yours", f"people call me {shown}", f"this is {shown}", f"please call me {shown}", f"hey, {shown} here", f"i am called {shown}"])
    q = q[0].upper() + q[1:] if rng.random() < 0.75 else q
    q = re.sub(r"\bi\b", "I", q) if rng.random() < 0.7 else q
    if rng.random() < 0.08 and "yours" not in q:
        return q + rng.choice([". Nice to meet you.", ". How are you?", ". Nice to meet you!", ", nice to meet you", ", how are you?"]), f"Nice to meet you, {n}! How can I help you?", f"Nice to meet you, {n}!"
    if "yours" in q:
        return q + "?", f"Nice to meet you, {n}! My name is {st.get('name') or 'NanoCamelid demo'}.", f"Nice to meet you, {n}!"
    return q + rng.choice([".", ".", "", "!"]), f"Nice to meet you, {n}! How can I help you?", f"Nice to meet you, {n}!"


def ask_user_name(rng, st, held=False):
    q = humanize(rng.choice(["what is my name", "what's my name", "do you know my name", "who am i", "do you remember my name", "can you tell me my name", "tell me my name", "what am i called", "how am i called", "do you remember who i am", "and what is my name", "say my name"]), rng)
    if st.get("user"):
        return q, f"Your name is {st['user']}.", f"{st['user']}."
    return q, "You have not told me your name yet. What is it?", "You have not told me yet."


def favourite(rng, st, held=False):
    k = rng.choice(["colour", "animal", "food", "number", "board", "drink", "city", "friend"])
    v = {"colour": ["blue", "red", "green", "yellow", "purple", "orange", "black", "white", "pink", "grey"], "animal": ["the " + a for a in W.ANIMALS], "food": ["pizza", "rice", "soup", "bread", "cheese", "noodles", "cake", "salad", "fish", "apples"],
         "number": [str(i) for i in range(21)], "board": ["the Raspberry Pi 5", "the Raspberry Pi 4", "the Orange Pi 5"], "drink": ["tea", "coffee", "water", "milk", "juice", "lemonade"], "city": ["London", "Paris", "Rome", "Berlin", "Tokyo", "Vienna", "Cairo"], "friend": W.NAMES}[k]
    v = rng.choice(v)
    st.setdefault("fav", {})[k] = v
    q = rng.choice([f"my favourite {k} is {v}", f"my favorite {k} is {v}", f"remember that my favourite {k} is {v}", f"i tell you that my favourite {k} is {v}"])
    q = q[0].upper() + q[1:] if rng.random() < 0.7 else q
    return q + rng.choice([".", ".", "", "!"]), f"Good to know! Your favourite {k} is {v}.", "Good to know!"


def ask_favourite(rng, st, held=False):
    k = rng.choice(list(st["fav"]))
    return humanize(rng.choice([f"what is my favourite {k}", f"what's my favorite {k}", f"do you remember my favourite {k}", f"which is my favourite {k}", f"tell me my favourite {k}"]), rng), f"Your favourite {k} is {st['fav'][k]}.", f"{st['fav'][k][0].upper() + st['fav'][k][1:]}."


# --- stories ---------------------------------------------------------------------------------------------------------


def an(x):
    return ("an " if x[0] in "aeiou" and not x.startswith("uni") else "a ") + x


def story(rng, st, held=False):
    up = lambda s: s[0].upper() + s[1:]
    strange = rng.random() < 0.12
    kind = made_up(rng, 2, 3) if strange and rng.random() < 0.5 else rng.choice(W.ANIMALS + W.BEINGS) if not rng.random() < 0.15 else rng.choice(["camel", "robot", "llama"])
    name = name_of(rng)
    friend = rng.choice([a for a in W.ANIMALS if a != kind])
    fname = rng.choice([n for n in W.NAMES if n != name])
    theme = None
    adj, place = rng.choice(W.ADJ), rng.choice(W.PLACES)
    mod = rng.choice(["short ", "short ", "", "", "", "nice ", "funny ", "little ", "very short ", "bedtime ", "good ", "sad ", "long ", "sweet "])
    tell = rng.choice(["tell me", "tell me", "tell me", "write", "write me", "can you tell me", "please tell me", "i want to hear", "make up", "tell", "could you write", "i would like", "give me", "invent", "can you write", "let me hear", "i want", "read me", "do you know", "how about"])
    noun = rng.choice(["story", "story", "story", "story", "tale", "fairy tale"])
    base = f"{tell} {an(mod + noun)}"
    k = rng.random()
    two = False
    if k < 0.12:
        q = rng.choice([base, base, f"{noun} please", f"story time", "once upon a time", f"another {noun}", f"tell me another {noun}", "another one please" if st.get("hero") else base, "a story", f"{tell} a {mod}story for {rng.choice(['my daughter', 'my son', 'children', 'me', 'kids', 'bedtime', 'us'])}", "start a story", "one more story"])
    elif k < 0.42:
        q = base + " about " + rng.choice([an(kind), an(kind), "the " + kind, an(adj + " " + kind), kind + "s", an(kind) + " " + rng.choice(["in the desert", "on the moon", "in the forest", "at the sea", "in winter", "on a farm"])])
        if rng.random() < 0.1:
            q = rng.choice([f"{kind} story", f"{an(kind)} story please", f"story about {an(kind)}", f"once there was {an(kind)}", f"i like {kind}s, tell me a story", f"tell me about {an(kind)} in a story"])
    elif k < 0.62:
        q = base + " about " + rng.choice([an(kind) + " " + rng.choice(["named", "called", "with the name", "whose name is"]) + " " + name, f"{name} the {kind}", f"my {kind} {name}"])
    elif k < 0.72:
        two = True
        q = base + " about " + rng.choice([f"{an(kind)} and {an(friend)}", f"{an(kind)} who meets {an(friend)}", f"the {kind} and the {friend}"])
    elif k < 0.8:
        q = base + f" about {name}" + rng.choice(["", "", f" and {fname}"])
        two = fname in q
        kind = rng.choice(W.ANIMALS + ["robot", "girl", "boy", "child"]) if strange or not two else kind
    else:
        theme = rng.choice(W.THEMES) if rng.random() < 0.85 else rng.choice(W.THINGS)
        q = base + rng.choice([" about ", " about ", " about ", " on ", " with "]) + theme
        if rng.random() < 0.25:
            q = base + f" about {an(kind)} and {theme}"
    if name not in q and name.lower() not in q:
        name = rng.choice(W.HEROES)
    if not two or friend not in q:
        friend = rng.choice([a for a in W.FRIENDS if a != kind])
    if fname not in q:
        fname = rng.choice([n for n in W.FRIEND_NAMES if n != name])
    if adj not in q:
        adj = rng.choice(["little", "brave", "curious", "kind"])
    place = rng.choice(W.PLACES[:6])
    N, h, F, f = name, kind, fname, friend
    S = [f"Once upon a time there was {an(adj + ' ' + h)} named {N} who lived {place}."]
    if theme:
        S += rng.choice([
            [f"Every night {N} dreamed of {theme}.", f"One morning {N} packed a small bag and set out to learn more about it.", f"On the way {N} met {an(f)} called {F}, who dreamed of {theme} too.", "They went on together and told each other all they knew.", f"In the evening {N} smiled, for a dream is twice as nice when you share it with a friend."],
            [f"One day {N} asked the old {f}: \"What can you tell me about {theme}?\"", f"\"That is easy,\" said the {f}. \"Sit down beside me, be quiet and look around you.\"", f"So {N} sat there until the sun went down, and slowly began to understand.", f"From that day on {N} told everybody about {theme}, and all the friends came to listen."],
            [f"{N} had heard many tales about {theme}, but nobody could say which of them were true.", f"So {N} walked for three days to ask {F}, a wise {f}.", f"\"The tales are all a little true,\" said {F}, \"but you must find your own.\"", f"{N} went home happy and made up a new tale, and it was the best of them all."],
        ])
    elif two:
        S += rng.choice([
            [f"One day {N} met {an(f)} called {F}.", f"\"You look different,\" said {F}. \"So do you,\" said {N}, and both had to laugh.", f"They found that {N} was good at carrying things and {F} was good at finding the way.", "So they travelled together and saw the whole land.", "Since then nobody has ever seen one of them without the other."],
            [f"Not far away lived {an(f)} named {F}, and the two did not trust each other.", f"Then a great storm came, and {F} had no roof any more.", f"\"Come in,\" said {N}, \"there is room for two.\"", "They drank warm tea and talked until the morning.", "After that night they were the best of friends."],
        ])
    else:
        S += rng.choice([
            [f"One day {N} went for a long walk and lost the way.", f"The night came, and {N} was a little afraid.", f"Then {an(f)} called {F} came along and said: \"Follow me, I know the path.\"", f"Together they walked under the stars until they saw a light in the distance.", f"{N} was home again, and the two stayed friends for ever."],
            [f"{N} wanted to see what was behind the hills, but everybody said it was too far.", f"One morning {N} simply began to walk, one step after the other.", f"On the way {N} shared some bread with {an(f)} named {F}, and they went on together.", "Behind the hills they found a blue lake, and it was more beautiful than anything they had seen.", f"\"It was far,\" said {N}, \"but not too far.\""],
            [f"One morning {N} found a small shiny key in the grass.", f"{N} asked everyone, but nobody knew which door it opened.", f"At last {an(f)} called {F} said: \"It is the key to my garden. I lost it a year ago!\"", f"{F} was so happy that {N} was invited for cake.", "Since that day the garden has been open for everyone."],
            [f"Everybody laughed at {N}, because {N} was so slow.", f"Then came the day of the great race, and the others ran off so fast that they took the wrong turn.", f"{N} walked on slowly with {an(f)} named {F} and looked at every sign.", f"In the end {N} was the first to arrive.", "\"Slow is fine,\" they all said, \"if you know where you are going.\""],
            [f"One winter it was so cold that nobody wanted to go out.", f"{N} heard {an(f)} called {F} crying in the snow and opened the door.", f"They shared a warm soup and told each other stories all night.", f"When spring came, {F} planted a tree to say thank you.", f"It is still there, and {N} sits under it every evening."],
            [f"{N} had one big wish: to make music.", f"But there was nothing to play on, so {N} tapped on an old pot.", f"{an(f).capitalize()} named {F} heard it and began to sing along.", "Soon the whole place was dancing, and even the old people clapped their hands.", f"\"Now we are a band!\" said {N}."],
            [f"One evening the lamp of the village went out, and everything was dark.", f"\"I will bring the light back,\" said {N}, and climbed up the hill with {an(f)} called {F}.", f"At the top they caught the first light of the moon in a glass.", f"They carried it home very carefully, and {N} was thanked by everyone.", "Even today the lamp shines a little like the moon."],
        ])
    st["hero"], st["hero_kind"], st["friend"], st["friend_kind"] = name, kind, fname, friend
    st["more"] = f"Later {N} and {F} met again and had another adventure, but that is a story for another day."
    ask = humanize(q, rng, True)
    if rng.random() < 0.03:
        s = f"{up(an(adj + ' ' + h))} named {N} lost the way, met a kind {f} called {F}, and together they came home."
        return humanize(q + rng.choice([" in one sentence", " in a single sentence", " with only one sentence"]), rng, True), s, s
    s = f"{up(an(adj + ' ' + h))} named {N} lost the way, met a kind {f} called {F}, and together they came home."
    return ask, " ".join(S), s


def accept_story(rng, st, held=False):
    _, a, short = story(rng, st)
    return humanize(rng.choice(["yes", "yes please", "ok", "ok tell me one", "yes, tell me a story", "sure", "please do", "yes i would like that", "a story please", "ok then tell me a story", "yeah", "a story", "why not", "tell me a story then", "go ahead", "i would love that", "then tell me a short story"]), rng), a, short


def ask_hero(rng, st, held=False):
    h, k, f, fk = st["hero"], st["hero_kind"], st["friend"], st["friend_kind"]
    c = rng.randrange(4)
    if c == 0:
        return humanize(rng.choice([f"what was the name of the {k}", f"what is the {k} called", f"how was the {k} called", f"what is the name of the hero", f"who is the hero of the story", f"who was the story about", f"what was the {k}'s name"]), rng), f"The {k} is called {h}.", f"{h}."
    if c == 1:
        return humanize(rng.choice(["is that story true", "did you make that up", "is it a true story", "did that really happen", "where did you hear that story", "did you invent it"]), rng), f"No, I made it up. {h} lives only in the story.", "No, I made it up."
    if c == 2:
        return humanize(rng.choice(["what happened then", "what happens next", "and then", "go on", "continue the story", "and what happened after that", "tell me how it goes on", "how does it continue", "continue", "is that the end"]), rng), st["more"], "Then they had another adventure."
    return humanize(rng.choice(["nice story", "i like the story", "that was a nice story", "what a lovely story", "beautiful story", "great story", "thank you for the story", "that was a good story", "i liked that"]), rng), f"I am glad that you like it! {h} would be happy too.", "I am glad that you like it!"


# --- things the model does not know -----------------------------------------------------------------------------------

ASK_Q = {k: patterns(v) for k, v in ASK.items()}
ASK_X = {"country": W.COUNTRIES, "person": W.PEOPLE, "thing": W.THINGS, "code": W.CODE, "text": W.TEXTS, "language": W.LANGUAGES, "health": [""], "advice": [""], "opinion": [""]}
KNOWN = {n.lower() for f in FACTS for n in f[0].split("|")}
ASK_X["thing"] = [x for x in W.THINGS if x.lower() not in KNOWN]
HELD_X = {k: {x for x in v if held_out(x)} for k, v in ASK_X.items()}


def unknown(rng, st, held=False):
    kind = rng.choice(["thing"] * 8 + ["country"] * 4 + ["person"] * 4 + ["misc"] * 6 + ["code", "code", "text", "text", "language", "foreign", "health", "advice", "advice", "opinion", "nonsense", "made", "made"])
    answer = "general"
    if kind == "misc":
        q = rng.choice([m for m in rng.sample(MISC, 30) if held_out(m) == held] or MISC)
    elif kind == "foreign":
        q, answer = rng.choice(W.FOREIGN), "language"
    elif kind == "nonsense":
        q = rng.choice(["".join(rng.choice("asdfghjklqwertyuiop") for _ in range(rng.randint(4, 14))), " ".join(made_up(rng) for _ in range(rng.randint(2, 5))), "".join(rng.choice("?!.,-_#*+/&%$@") for _ in range(rng.randint(2, 6))),
                        "".join(rng.choice("asdfjkl;") for _ in range(rng.randint(3, 9))), " ".join("".join(rng.choice("bcdfghjklmnpqrstvwxz") for _ in range(rng.randint(2, 6))) for _ in range(rng.randint(1, 4))), rng.choice([":)", ":-)", ";)", "😀", "👍", "???", "...", "!!!", "<3", "?", ".", "-", "😂😂", "🐪", "aaaaaaa", "lalala", "blah blah", "xyz", "qwerty", "hahaha", "lol", "zzz", "foo bar baz", "1234567", "x", "a", "abc", "0"]), " ".join(rng.sample(W.FRUIT + W.ADJ + W.ANIMALS, rng.randint(3, 6)))])
        return q, UNKNOWN["nonsense"][0][0], UNKNOWN["nonsense"][1]
    elif kind == "made":
        x = made_up(rng, 2, 4) + rng.choice(["", "", " " + made_up(rng, 2, 3), "s", "ism", "ology", "-" + str(rng.randint(2, 99))])
        x = x.title() if rng.random() < 0.4 else an(x) if rng.random() < 0.4 else x
        train, test = ASK_Q[rng.choice(["thing", "thing", "country", "person"])]
        q = expand(rng.choice(train), rng).replace("{x}", x).replace("{y}", made_up(rng))
    else:
        train, test = ASK_Q[kind]
        x = rng.choice([v for v in ASK_X[kind] if (v in HELD_X[kind]) == held] or ASK_X[kind])
        q = expand(rng.choice(test if held and test else train), rng).replace("{x}", x).replace("{y}", rng.choice(W.THINGS))
        answer = kind if kind in UNKNOWN else "general"
    if kind in ("thing", "country", "person", "misc") and rng.random() < 0.12:
        q2 = expand(rng.choice(ASK_Q["thing"][0]), rng).replace("{x}", rng.choice(W.THINGS)).replace("{y}", rng.choice(W.THINGS))
        q += rng.choice([" and ", " and ", ", and ", " because of ", " before ", " after ", " for ", " without ", " in the time of "]) + rng.choice([q2, rng.choice(W.THINGS), rng.choice(W.COUNTRIES), rng.choice(W.PEOPLE)])
    q = q if kind == "foreign" else preface(humanize(q, rng), rng, 0.05)
    st["more"] = None
    answers, short = UNKNOWN[answer]
    a = answers[-1] if st.get("last", "").endswith(answers[0]) else answers[0]
    return q, a, short


def more(rng, st, held=False):
    q = humanize(rng.choice(["tell me more", "more", "tell me more about it", "go on", "what else", "anything else", "more details please", "can you tell me more", "and", "more please", "is there more", "what else do you know about it", "more about that", "say more", "continue", "tell me more about that", "i want to know more", "what else can you say about it", "can you say more", "more information"]), rng)
    m, st["more"] = st["more"], None
    return q, m, m


def repeat(rng, st, held=False):
    return humanize(rng.choice(["can you repeat that", "say that again", "repeat that please", "again please", "what did you say", "could you say that again", "repeat your answer", "please repeat", "once more please", "say it again"]), rng), st["last"], st["last"]


# --- system prompts ----------------------------------------------------------------------------------------------------

NEUTRAL = ["you are a helpful assistant", "you are a helpful, honest assistant", "be helpful", "you are an assistant", "you are a friendly chat bot", "answer the questions of the user", "you are a small model", "help the user", "you are a helpful AI assistant",
           "you are an expert", "be nice", "answer in English", "always tell the truth", "do not make things up", "you run on a small board", "the user is a child", "this is a test", "use simple words", "today is a nice day", "you talk to a customer", "be honest", "you are NanoCamelid demo"]
BRIEF = ["answer briefly", "be brief", "keep your answers short", "answer in one short sentence", "answer in a few words", "short answers only", "be concise", "you answer very briefly", "use as few words as possible", "give short answers", "reply in one sentence", "be terse", "answer as short as possible", "always answer briefly", "you are brief"]
ROLES = ["a teacher", "a camel", "a robot", "a wizard", "a king", "a doctor", "a farmer", "a cat", "a dog", "a ghost", "a detective", "a poet", "a butler", "a gardener", "a cook", "a knight", "a dragon", "a scientist", "a librarian", "a captain", "a llama", "a queen", "a grandmother", "an engineer", "a shopkeeper", "an owl", "a guide", "a fairy", "a clown", "a sailor"]
STYLES = {"pirate": (["you are a pirate", "talk like a pirate", "answer like a pirate", "speak like a pirate", "you are a pirate captain", "pretend to be a pirate", "act like a pirate"], "Arr, matey! {}", "a pirate"),
          "cheerful": (["be cheerful", "you are very cheerful", "answer cheerfully", "be enthusiastic", "you are full of joy", "always be happy"], "Hooray! {}", None),
          "polite": (["be very polite", "you are very polite", "always be polite", "answer very politely", "be formal", "answer formally"], "With pleasure, dear friend. {}", None),
          "robot": (["you are a beeping robot", "talk like a robot", "answer like a robot", "speak like a robot", "act like a robot"], "Beep. {}", "a robot"),
          "cat": (["answer like a cat", "talk like a cat", "you are a cat that says meow", "speak like a cat"], "Meow! {}", "a cat"),
          "end": (["end every answer with thank you", "always say thank you at the end", "finish each answer with thank you"], "{} Thank you!", None),
          "camel": (["talk like a camel", "answer like a camel", "speak like a camel"], "Hrumph! {}", "a camel")}


def system(rng):
    """A system prompt and the state it sets."""
    st, parts = {}, []
    k = rng.random()
    if k < 0.3:
        n = name_of(rng)
        st["name"] = n
        parts.append(rng.choice([f"you are called {n}", f"your name is {n}", f"you are {n}", f"your name is {n}, a helpful assistant", f"you are a helpful assistant called {n}", f"you are {n}, a friendly assistant", f"call yourself {n}", f"you are an assistant named {n}", f"you are a small model named {n}"]))
        if rng.random() < 0.3:
            parts.append(rng.choice(BRIEF))
            st["brief"] = True
    elif k < 0.55:
        parts.append(rng.choice(BRIEF))
        st["brief"] = True
        if rng.random() < 0.2:
            parts.insert(0, rng.choice(NEUTRAL))
    elif k < 0.78:
        ps, st["style"], role = rng.choice(list(STYLES.values()))
        parts.append(rng.choice(ps))
        if role:
            st["role"] = role
        if rng.random() < 0.2:
            parts.append(rng.choice(BRIEF))
            st["brief"] = True
        elif rng.random() < 0.15 and not role:
            n = name_of(rng)
            st["name"] = n
            parts.insert(0, rng.choice([f"you are called {n}", f"your name is {n}"]))
    elif k < 0.86:
        r = rng.choice(ROLES)
        if rng.random() < 0.35:
            r = an(rng.choice(W.ADJ + ["grumpy", "famous", "wise", "strict", "friendly", "lazy", "grumpy old", "very old", "tiny", "noble"]) + " " + r.split(" ", 1)[1])
        st["role"] = r
        parts.append(rng.choice([f"you are {r}", f"act as {r}", f"you play {r}", f"pretend to be {r}"]))
    else:
        parts.append(rng.choice(NEUTRAL))
    if rng.random() < 0.15:
        parts.insert(rng.randrange(len(parts) + 1), rng.choice(NEUTRAL[8:] + ["you live in the desert", "you like tea", "the user is a friend", "you are kind", "you love camels", "you work in a shop", "you are friendly", "never be rude", "you talk to children", "the user is new here"]))
    up = lambda s: s[0].upper() + s[1:]
    text = " ".join(up(p) + "." for p in parts)
    if rng.random() < 0.12:
        text = text.lower()
    if rng.random() < 0.12:
        text = text.rstrip(".")
    return text, st


TURNS = [(fact, 30), (talk, 23), (unknown, 17), (arithmetic, 13), (story, 7), (little_things, 4), (echo, 3), (user_name, 4), (ask_user_name, 0.7), (favourite, 0.3), (compare, 1.4), (poem, 0.4), (statement, 1.0)]


def conversation(rng, held=False):
    if rng.random() < 0.02 and not held:
        return [("raw", raw(rng))]
    if rng.random() < 0.05 and not held:
        return [("drill", "\n".join("{} {} {} = {}.".format(*drill(rng)) for _ in range(rng.randint(4, 14))))]
    out, st = [], {}
    if rng.random() < 0.27:
        text, st = system(rng)
        out.append(("system", text))
    n = rng.choices([1, 2, 3, 4, 5, 6, 8], [72, 16, 6, 3, 2, 1, 0.3])[0]
    for i in range(n):
        turns, weights = zip(*TURNS)
        turn = rng.choices(turns, weights)[0]
        c = rng.random()
        if i and c < 0.22 and st.get("more") and turn is not story:
            turn = ask_hero if last is story and rng.random() < 0.8 else more if last is not story else ask_hero
        elif i and c < 0.25 and last is not story:
            turn = repeat
        if i and c < 0.5 and re.search("hear a story|short story", st["last"]) and "a few topics" not in st["last"]:
            turn = accept_story
        elif i and c < 0.45 and st.get("user"):
            turn = ask_user_name
        elif i and c < 0.55 and st.get("fav"):
            turn = ask_favourite
        if turn is talk and st.get("name") or turn is talk and st.get("role"):
            if rng.random() < 0.5:
                turn = lambda r, s, held=False: named(r, s)
        q, a, short = turn(rng, st, held and turn in (fact, talk, unknown))
        if st.get("brief") and short and turn is not repeat:
            a = short
        if st.get("style") and turn is not repeat:
            a = st["style"].format(a)
        st["last"] = a
        last = turn
        out += [("user", q), ("assistant", a)]
    return out


IDENTITY = [i for i, t in enumerate(TALK) if "I_AM" in t[1][0] or "NAME" in t[1][0] or t[0].startswith(("hello|", "say (hello"))]


def named(rng, st):
    """Questions about the name and the role, which a system prompt may set."""
    keep, TALK_Q[:] = TALK_Q[:], [TALK_Q[i] for i in IDENTITY]
    try:
        return talk(rng, st)
    finally:
        TALK_Q[:] = keep


def raw(rng):
    if rng.random() < 0.55:
        return story(rng, {})[1]
    fs = rng.sample(FACT_Q, rng.randint(1, 3))
    return " ".join(f[3] + (" " + f[5] if rng.random() < 0.5 else "") for f in fs)


def main():
    n, seed = (int(x) for x in (sys.argv[1:] + ["20", "1"])[:2])
    rng = random.Random(seed)
    for _ in range(n):
        for role, text in conversation(rng, "held" in sys.argv):
            print(f"{role:>9}: {text}")
        print()


if __name__ == "__main__":
    main()
