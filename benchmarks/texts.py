"""Texts as agents send them, and as people send them who want to hide something: the soak's and the benchmarks' input; seeded.

Written apart from the labelled corpus in `benchmarks/corpus`, and independent of the rules: nothing here says what is to be found.
"""

import json
import string
from collections.abc import Callable, Mapping, Sequence
from random import Random
from types import MappingProxyType
from typing import Any, Final

from benchmarks.entities import HEX, LETTERS_DIGITS, any_entity, digits, drawn

_PROSE: Final = """
    the agent looked up an order and found that it was shipped on time so no refund is due please tell customer we will call back
    tomorrow model planned three steps with tool search database returned twelve rows nothing matched policy allows this action
    because report service is healthy today export stops after first page check whether summary covers causes impact follow up
    actions compare offers which one cheapest over two years when seats are needed invoice attached weekly review incident last
    night latency rose while cache was cold
"""
WORDS: Final = tuple(_PROSE.split())
CONTEXT_WORDS: Final = (
    *("phone", "call me", "my number", "account", "bank", "driver license", "passport", "ssn", "social security", "nhs", "dea", "medical"),
    *("iban", "credit card", "visa", "itin", "tax", "aws secret", "token", "api key", "password", "mistral", "cohere", "balance", "dl"),
)
KEYS: Final = (
    (),
    (),
    (),
    ("account",),
    ("driver", "license"),
    ("passport",),
    ("phone",),
    ("ssn",),
    ("aws", "secret"),
    ("dl",),
    ("medical",),
    ("nhs",),
    ("bank", "balance"),
    ("api", "token"),
    ("password",),
    ("user", "card"),
    ("datadog",),
    ("mistralkey",),
    ("itin", "tax"),
    ("order",),
)
"""Words of attribute keys, as the scanner gets them."""

_DIGIT_ZEROS: Final = (0x660, 0x6F0, 0x966, 0xFF10, 0x1D7CE, 0x1FBF0, 0x11F50, 0x1E4F0, 0x10D40, 0x16130, 0x104A0)
"""Zeros of other scripts; the last are of Unicode 15 and 16."""
_MARKS: Final = ("\u200b", "\u200d", "\u00ad", "\u2060", "\ufeff", "\u202e", "\u200f", "\u0301", "\ufe0f", "\u034f", "\u180e", "\u115f")
_STRANGE: Final = (
    *("\u0130", "\u0131", "\u212a", "\u017f", "\u00df", "\ud800", "\udc00", "😀\ufe0f", "👩\u200d💻"),
    *("\u2028", "\u0085", "\x00", "\x1c", "\u00b2", "Ⅷ"),
    *("\U0003fffd", "\U000e0041", "\ufffe", "\u3000", "\u00a0", "\u2011", "＠", "．", "－", "／", "：", "é", "e\u0301", "٪", "、"),
)


class Texts:
    """Makes texts of every kind. With `samples`, further findings that a caller knows are put where made-up ones would stand."""

    def __init__(self, chance: Random, *, density: float = 0.3, samples: Sequence[str] = ()) -> None:
        """`density` is how often a place that may hold a finding does."""
        self._chance = chance
        self._density = density
        self._samples = samples

    def text(self, kind: str) -> str:
        """Return a text of one of `KINDS`."""
        return KINDS[kind](self)

    def words(self, fewest: int, most: int) -> str:
        return " ".join(self._chance.choices(WORDS, k=self._chance.randint(fewest, most)))

    def entity(self) -> str:
        """Return something to be found, whatever the density."""
        if self._samples and self._chance.random() < 0.5:
            return self._chance.choice(self._samples)
        return any_entity(self._chance)

    def place(self) -> str:
        """Return a finding, or an id, a number or a word as they stand everywhere."""
        return self.entity() if self._chance.random() < self._density else self.ordinary()

    def ordinary(self) -> str:
        chance = self._chance
        return chance.choice(
            (
                lambda: self.words(1, 3),
                lambda: digits(chance, chance.randint(1, 6)),
                lambda: f"call_{drawn(chance, LETTERS_DIGITS, 24)}",
                lambda: drawn(chance, HEX, 32),
                lambda: f"{chance.randrange(1000)}.{chance.randrange(100)}",
                lambda: f"v1.{chance.randrange(40)}.2",
                lambda: f"2026-11-{chance.randrange(1, 31):02}T12:{chance.randrange(60):02}:07.{digits(chance, 6)}Z",
                lambda: "gpt-4o-mini",
            )
        )()

    def prose(self) -> str:
        sentences = (f"{self.words(3, 12)} {self.place() if self._chance.random() < 0.3 else self.words(1, 4)}" for _ in range(4))
        return ". ".join(each.capitalize() for each in sentences) + "."

    def mail(self) -> str:
        lines = ("From: support <help@support.example>" if self._density else "From: support", f"Subject: {self.words(2, 6)}", "")
        return "\n".join((*lines, f"Dear {self.place()},", self.prose(), self.prose(), "", "Best,", self.words(1, 2)))

    def chat(self) -> str:
        chance = self._chance
        content = chance.choice((self.prose, self.tool_call, self.code))()
        arguments = json.dumps({"q": self.place()})
        forms: tuple[Any, ...] = (
            [{"role": role, "parts": [{"type": "text", "content": each}]} for role, each in (("user", content), ("assistant", "ok"))],
            {"messages": [{"role": "system", "content": self.words(5, 20)}, {"role": "user", "content": content}], "temperature": 0.2},
            {"role": "assistant", "content": [{"type": "tool_use", "id": self.ordinary(), "input": {"query": content}}]},
            {"choices": [{"message": {"content": content, "tool_calls": [{"function": {"name": "f", "arguments": arguments}}]}}]},
        )
        return json.dumps(chance.choice(forms), ensure_ascii=chance.random() < 0.5)

    def tool_call(self) -> str:
        rows = [
            {"id": self.ordinary(), "value": self.place(), "count": self._chance.randrange(10**9)}
            for _ in range(self._chance.randint(1, 4))
        ]
        return json.dumps({"tool": self.words(1, 1), "arguments": {"query": self.words(2, 9), self.place(): self.ordinary()}, "rows": rows})

    def code(self) -> str:
        name, value = self.words(1, 1), self.place()
        return (
            f'def {name}(order_id: int) -> str:\n    """{self.words(3, 8).capitalize()}."""\n    url = "https://api.example/v1/{name}?page=2"\n'
            f"    value = {value!r}  # {self.words(2, 5)}\n"
            f'    return client.get(url, headers={{"X-Id": "{self.ordinary()}"}})[{digits(self._chance, 2)}:]\n'
        )

    def log(self) -> str:
        fields = " ".join(f"{self.words(1, 1)}={self.place() if index == 2 else self.ordinary()}" for index in range(4))
        return f"2026-11-21T12:33:07.{digits(self._chance, 6)}Z INFO [{drawn(self._chance, HEX, 16)}] {self.words(2, 8)} {fields}"

    def shell(self) -> str:
        listing = "\n".join(
            f"-rw-r--r-- 1 app app {digits(self._chance, 5)} Nov 21 12:{digits(self._chance, 2)} {self.words(1, 1)}.py" for _ in range(3)
        )
        called = f"$ curl -H 'X-Trace: {self.ordinary()}' http://localhost:8080/{self.words(1, 1)}\nok"
        return f"$ export ID={self.place()}\n$ ls -l\n{listing}\n{called}"

    def config(self) -> str:
        sign = self._chance.choice((": ", "=", " = "))
        return "\n".join(
            f"{self.words(1, 1)}_{self._chance.choice(('id', 'key', 'host', 'url', 'name'))}{sign}{self.place()}" for _ in range(5)
        )

    def url(self) -> str:
        query = "&".join(f"{self.words(1, 1)}={self.place()}" for _ in range(3))
        return f"https://{self.words(1, 1)}.example.com/{self.ordinary()}/{self.words(1, 1)}?{query}".replace(" ", "%20")

    def table(self) -> str:
        separator = self._chance.choice((",", "\t", " | ", ";"))
        return "\n".join(separator.join((self.ordinary(), self.place(), digits(self._chance, 4), self.ordinary())) for _ in range(4))

    def unicode(self) -> str:
        """A finding in other scripts' digits, fullwidth, with invisible or combining characters in it, beside strange ones."""
        chance = self._chance
        text = f"{chance.choice(CONTEXT_WORDS)} {self.entity()}"
        zero = chance.choice(_DIGIT_ZEROS)
        changes: tuple[Callable[[str], str], ...] = (
            lambda char: chr(zero + int(char)) if char in string.digits else char,
            lambda char: chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char,
            lambda char: char + chance.choice(_MARKS) if chance.random() < 0.2 else char,
            lambda char: {"i": "\u0131", "I": "\u0130", "k": "\u212a", "s": "\u017f", " ": "\u00a0", "-": "\u2011"}.get(char, char),
            lambda char: chr(chance.choice(_DIGIT_ZEROS) + int(char)) if char in string.digits and chance.random() < 0.3 else char,
            lambda char: char,
        )
        changed = "".join(map(chance.choice(changes), text))
        return f"{chance.choice(_STRANGE)}{chance.choice(('', ' '))}{changed}{chance.choice(('', ' ', chance.choice(_STRANGE)))}"

    def noise(self) -> str:
        """Characters of all planes, with pieces of findings between."""
        chance = self._chance
        codes = [chance.choice((chance.randrange(0x20, 0x7F), chance.randrange(0x110000), chance.randrange(0x3000))) for _ in range(20)]
        return "".join(map(chr, codes[:10])) + self.entity()[: chance.randint(1, 40)] + "".join(map(chr, codes[10:]))

    def mutated(self) -> str:
        """A finding with one character changed, added or taken away, glued to others, split, escaped or repeated."""
        chance, entity = self._chance, self.entity()
        at = chance.randrange(len(entity))
        other = chance.choice(string.printable + "".join(_MARKS))
        escaped = "".join(f"\\u{ord(char):04x}" if ord(char) < 0x10000 else char for char in entity)
        percent = "".join(f"%{ord(char):02X}" if char in "@:/=+ -" else char for char in entity)
        form = chance.choice(
            (
                entity[:at] + other + entity[at + 1 :],
                entity[:at] + other + entity[at:],
                entity[:at] + entity[at + 1 :],
                entity + entity,
                f"{self.words(1, 1)}{entity}{digits(chance, 2)}",
                f"{entity[:at]}\n{entity[at:]}",
                escaped,
                percent,
                entity.swapcase(),
                entity[::-1],
                ", ".join([entity] * chance.randint(2, 6)),
                f"x{entity}",
                f"{entity}_",
                f"({entity})",
                json.dumps(entity),
                repr(json.dumps(entity)),
                "".join(f"&#{ord(char)};" if not char.isalnum() else char for char in entity),
                f"{entity}\\n{self.entity()}",
                entity[:at],
            )
        )
        return chance.choice((form, f"{chance.choice(CONTEXT_WORDS)}: {form}", f"{self.words(1, 6)} {form} {self.words(1, 6)}"))

    def near_miss(self) -> str:
        """What looks like a finding and is none, or only under a context word."""
        chance = self._chance
        number = digits(chance, chance.randint(5, 24))
        return chance.choice(
            (
                f"epoch {digits(chance, 13)}",
                f"isbn 978-{digits(chance, 10)}",
                f"{chance.choice(string.ascii_uppercase)}{number[:9]}",
                number,
                "-".join(number[at : at + 3] for at in range(0, len(number), 3)),
                f"user@{self.words(1, 1)}",
                f"sk-{self.words(1, 3).replace(' ', '-')}",
                f"sha256:{drawn(chance, HEX, 64)}",
                f"{digits(chance, 3)}-{digits(chance, 2)}-{digits(chance, 4)}x",
                f"1{drawn(chance, LETTERS_DIGITS, 30)}",
                f"password: {self.words(1, 2)}",
                "api_key=${API_KEY}",
                f"{drawn(chance, LETTERS_DIGITS, 40)}",
                f"bearer of {self.words(1, 1)}",
                f"GB{number}",
                f"-----BEGIN CERTIFICATE----- {drawn(chance, LETTERS_DIGITS, 64)}",
                f"pi is 3.{number}",
                f"port {digits(chance, 4)}",
            )
        )

    def context(self) -> str:
        """A finding with a context word directly before, a few words away, too far, behind, or unlike."""
        word, entity = self._chance.choice(CONTEXT_WORDS), self.entity()
        word = self._chance.choice((word, word.upper(), word.title(), word.replace(" ", "_"), f"{word}s", f"un{word}"))
        between = self._chance.choice((" ", ": ", f" {self.words(1, 4)} ", f" {self.words(5, 9)} ", "_", "=", "\n", f" {'x' * 130} "))
        return self._chance.choice((f"{word}{between}{entity}", f"{entity} {word}", f"{self.words(1, 5)} {word}{between}{entity} {word}"))

    def long(self) -> str:
        """4 to 64 kB of ordinary text with findings anywhere, so also across the borders of chunks."""
        size = self._chance.choice((4000, 4096, 4200, 8000, 8200, 12_300, 20_000, 64_000))
        pieces, length = [], 0
        while length < size:
            piece = self._chance.choice((self.prose, self.log, self.tool_call, self.prose, self.table, self.noise))()
            piece = drawn(self._chance, LETTERS_DIGITS + "-_", 600) if self._chance.random() < 0.02 else piece
            pieces.append(piece)
            length += len(piece)
        return self._chance.choice((" ", "\n", "")).join(pieces)


KINDS: Final[Mapping[str, Callable[[Texts], str]]] = MappingProxyType(
    {
        "prose": Texts.prose,
        "e-mail": Texts.mail,
        "chat JSON": Texts.chat,
        "tool calls": Texts.tool_call,
        "code": Texts.code,
        "logs": Texts.log,
        "shell": Texts.shell,
        "configuration": Texts.config,
        "URLs": Texts.url,
        "tables": Texts.table,
        "unicode": Texts.unicode,
        "noise": Texts.noise,
        "mutated findings": Texts.mutated,
        "near misses": Texts.near_miss,
        "context words": Texts.context,
        "long": Texts.long,
    }
)
