"""Tables in the encodings that files come in, right and half right."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from pollution_bases import ENGLISH, ESTONIAN, FRENCH, GERMAN, LATVIAN, LITHUANIAN, POLISH, RUSSIAN, Base, Case, Made, contacts, dump


def encodings(base: Base) -> Made:
    text = dump(base.header, base.rows, ";")
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"):
        yield f"encoding/{encoding}", text.encode(encoding), base.header, base.rows
    for encoding in base.encodings:
        yield f"encoding/{encoding}", text.encode(encoding), base.header, base.rows
    if base.name == "russian":
        # Three Cyrillic names in a file that is ASCII otherwise.
        header, rows = contacts(ENGLISH, ["id", "name", "email", "phone", "created", "city", "amount", "comment"])
        for first, encoding in itertools.product(range(0, 8, 2), ("cp1251", "utf-8", "koi8-r", "cp866")):
            few = [row.copy() for row in rows]
            for idx in range(3):
                few[idx * 11 + 2][1] = RUSSIAN[(first + idx) % 10]
            yield f"encoding/few-{encoding}-{first}", dump(header, few).encode(encoding), header, few
    if base.name in ("russian", "latvian"):
        lines = dump(base.header, base.rows).splitlines(keepends=True)
        legacy = base.encodings[0]
        for at in (10, 20, 30):
            mixed = "".join(lines[:at]).encode() + "".join(lines[at:]).encode(legacy)
            yield f"encoding-changes/utf-8-then-{legacy}-{at}", mixed, base.header, base.rows
            mixed = "".join(lines[:at]).encode(legacy) + "".join(lines[at:]).encode()
            yield f"encoding-changes/{legacy}-then-utf-8-{at}", mixed, base.header, base.rows


def languages() -> Iterator[Case]:
    """Names of a language in each encoding that can hold them."""
    spoken = {
        "russian": (RUSSIAN, ("cp1251", "koi8-r", "cp866", "iso8859-5")),
        "latvian": (LATVIAN, ("cp1257", "iso8859-13", "iso8859-4")),
        "lithuanian": (LITHUANIAN, ("cp1257", "iso8859-13", "iso8859-4")),
        "estonian": (ESTONIAN, ("cp1257", "iso8859-13", "iso8859-15", "cp1252")),
        "german": (GERMAN, ("cp1252", "iso8859-15")),
        "french": (FRENCH, ("cp1252", "iso8859-1", "iso8859-15")),
        "polish": (POLISH, ("cp1250", "iso8859-2")),
    }
    english = ["id", "name", "email", "phone", "created", "city", "amount", "comment"]
    for language, (names, encodings) in spoken.items():
        for encoding, seed in itertools.product(("utf-8", *encodings), range(4)):
            picked = random.Random(f"{language}-{encoding}-{seed}").sample(names, 8)
            header, rows = contacts(picked, english, 30)
            content = dump(header, rows, ";").encode(encoding)
            yield Case(f"{language}/language/{encoding}-{seed}", "language", content, header, rows)
