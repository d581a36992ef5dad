#!/usr/bin/env python3
"""Writes `metadata.bin`, the compact phone numbering table that `phone` is built on.

    pip install phonenumbers==9.0.43
    python make_metadata.py metadata.bin

The facts come from the `phonenumbers` package (Apache-2.0), a port of Google's libphonenumber
(Apache-2.0, Copyright The Libphonenumber Authors).  Every numbering pattern is a finite set of digit
strings, so all of them together become one minimal acyclic automaton over the ten digits: a number
is classified by walking at most seventeen transitions, without a regular expression.

Layout, little endian; read by `metadata.rs`:
    magic "CRMP2\\0", u16 n_states, u16 n_regions, u16 n_codes, u16 n_ops
    states   n_states x (u16 accept, 10 x u16 next); state 0 is the dead state
    regions  n_regions x (2 bytes id, u16 country code, u16 general start, u32 lengths,
             u32 local lengths, u16 prefix program, u16 international program, u8 transform group
             (0: none), u8 transform digits count, 6 bytes transform digits)
    codes    n_codes x (u16 country code, u16 main region, u16 first region in `order`, u16 count,
             u16 classifying start)
    order    u16 count, then region indices
    ops      n_ops x u32: op << 24 | a << 12 | b
`accept` of a classifying automaton is 1 + (place of the region in its code's order) * 16 + type.
"""
import struct
import sys

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

try:
    from re import _parser as sre
except ImportError:  # before 3.11
    import sre_parse as sre

MAX_DIGITS = 17
TYPES = "unknown fixed mobile fixed_or_mobile toll_free premium shared voip personal pager uan voicemail".split()
CHECKED_FIRST = [
    ("premium_rate", 5), ("toll_free", 4), ("shared_cost", 6), ("voip", 7), ("personal_number", 8),
    ("pager", 9), ("uan", 10), ("voicemail", 11),
]
OP_DIGITS, OP_SPLIT, OP_JUMP, OP_SAVE, OP_END, OP_MATCH = range(6)


def digit_mask(op, arg):
    """The set of digits that one parsed item matches, or None when the item is not a set."""
    name = str(op)
    if name == "LITERAL":
        return 1 << (arg - 48)
    if name == "CATEGORY":
        return 0x3FF
    if name == "IN":
        mask = 0
        for inner_op, inner in arg:
            inner_name = str(inner_op)
            if inner_name == "RANGE":
                for code in range(inner[0], inner[1] + 1):
                    mask |= 1 << (code - 48)
            elif inner_name == "LITERAL":
                mask |= 1 << (inner - 48)
            elif inner_name == "CATEGORY":
                mask |= 0x3FF
            else:
                raise ValueError(inner_name)
        return mask
    return None


class Nfa:
    def __init__(self):
        self.epsilon, self.moves, self.tags = [], [], {}

    def state(self):
        self.epsilon.append([])
        self.moves.append([])
        return len(self.epsilon) - 1

    def add(self, parsed, start):
        at = start
        for op, arg in parsed:
            mask, name = digit_mask(op, arg), str(op)
            if mask is not None:
                end = self.state()
                self.moves[at].append((mask, end))
            elif name == "BRANCH":
                end = self.state()
                for branch in arg[1]:
                    self.epsilon[self.add(branch, at)].append(end)
            elif name == "SUBPATTERN":
                end = self.add(arg[3], at)
            elif name == "MAX_REPEAT":
                low, high, inner = arg
                end = at
                for _ in range(low):
                    end = self.add(inner, end)
                ends = [end]
                for _ in range(min(int(high), MAX_DIGITS) - low):
                    end = self.add(inner, end)
                    ends.append(end)
                end = self.state()
                for each in ends:
                    self.epsilon[each].append(end)
            else:
                raise ValueError(name)
            # A fresh state, so that later alternatives from `at` cannot leak into this path.
            at = self.state()
            self.epsilon[end].append(at)
        return at

    def pattern(self, start, pattern, tag, any_tail=False):
        end = self.add(sre.parse(pattern), self._fork(start))
        if any_tail:
            end = self.add(sre.parse(r"\d{0,17}"), end)
        self.tags.setdefault(end, set()).add(tag)

    def _fork(self, start):
        state = self.state()
        self.epsilon[start].append(state)
        return state

    def closure(self, states):
        seen, stack = set(states), list(states)
        while stack:
            for following in self.epsilon[stack.pop()]:
                if following not in seen:
                    seen.add(following)
                    stack.append(following)
        return frozenset(seen)


class Automaton:
    """Minimal acyclic states, shared between all automata by hash-consing."""

    def __init__(self):
        self.states = [(0, (0,) * 10)]
        self.known = {self.states[0]: 0}

    def build(self, nfa, start, accept):
        memo = {}

        def visit(states, depth):
            key = (states, depth)
            if key not in memo:
                following = []
                for digit in range(10):
                    moved = {to for state in states for mask, to in nfa.moves[state] if mask >> digit & 1}
                    following.append(visit(nfa.closure(moved), depth + 1) if moved and depth < MAX_DIGITS else 0)
                tags = {tag for state in states for tag in nfa.tags.get(state, ())}
                row = (accept(tags, depth), tuple(following))
                if row not in self.known:
                    self.known[row] = len(self.states)
                    self.states.append(row)
                memo[key] = self.known[row]
            return memo[key]

        return visit(nfa.closure({start}), 0)


def classify_start(automaton, metadatas):
    nfa = Nfa()
    start = nfa.state()
    for place, metadata in enumerate(metadatas):
        for name in ["general_desc", "fixed_line", "mobile"] + [name for name, _ in CHECKED_FIRST]:
            desc = getattr(metadata, name)
            if desc is not None and desc.national_number_pattern and desc.national_number_pattern != "NA":
                nfa.pattern(start, desc.national_number_pattern, (place, name))
        if metadata.leading_digits and len(metadatas) > 1:
            nfa.pattern(start, metadata.leading_digits, (place, "leading"), any_tail=True)

    def number_type(place, tags, length):
        metadata = metadatas[place]

        def has(name):
            desc = getattr(metadata, name)
            lengths = desc.possible_length if desc is not None else ()
            if not lengths or lengths == (-1,):
                lengths = metadata.general_desc.possible_length if lengths != (-1,) else ()
            return (place, name) in tags and (not lengths or length in lengths)

        if not has("general_desc"):
            return 0
        for name, code in CHECKED_FIRST:
            if has(name):
                return code
        if has("fixed_line"):
            return 3 if has("mobile") else 1
        return 2 if has("mobile") else 0

    def accept(tags, length):
        for place, metadata in enumerate(metadatas):
            kind = number_type(place, tags, length)
            if len(metadatas) == 1:
                if kind:
                    return 1 + kind
            elif metadata.leading_digits:
                if (place, "leading") in tags:
                    return 1 + place * 16 + kind if kind else 0
            elif kind:
                return 1 + place * 16 + kind
        return 0

    return automaton.build(nfa, start, accept)


def general_start(automaton, metadata):
    nfa = Nfa()
    start = nfa.state()
    nfa.pattern(start, metadata.general_desc.national_number_pattern, "general")
    return automaton.build(nfa, start, lambda tags, _: 1 if tags else 0)


class Program:
    """Prefix patterns need groups and order of preference: a small backtracking program."""

    def __init__(self):
        self.ops = []
        self.known = {}

    def op(self, op, a=0, b=0):
        assert a < 4096 and b < 4096
        self.ops.append(op << 24 | a << 12 | b)
        return len(self.ops) - 1

    def compile(self, pattern):
        if not pattern:
            return 0xFFFF
        if pattern not in self.known:
            self.known[pattern] = len(self.ops)
            self.sequence(sre.parse(pattern))
            self.op(OP_MATCH)
        return self.known[pattern]

    def sequence(self, parsed):
        for op, arg in parsed:
            mask, name = digit_mask(op, arg), str(op)
            if mask is not None:
                self.op(OP_DIGITS, mask)
            elif name == "BRANCH":
                jumps = []
                for place, branch in enumerate(arg[1]):
                    split = self.op(OP_SPLIT) if place + 1 < len(arg[1]) else None
                    self.sequence(branch)
                    if split is not None:
                        jumps.append(self.op(OP_JUMP))
                        self.ops[split] = OP_SPLIT << 24 | (split + 1) << 12 | len(self.ops)
                for jump in jumps:
                    self.ops[jump] = OP_JUMP << 24 | len(self.ops) << 12
            elif name == "SUBPATTERN":
                group = arg[0]
                if group:
                    self.op(OP_SAVE, group * 2)
                self.sequence(arg[3])
                if group:
                    self.op(OP_SAVE, group * 2 + 1)
            elif name == "MAX_REPEAT":
                low, high, inner = arg
                for _ in range(low):
                    self.sequence(inner)
                splits = []
                for _ in range(min(int(high), MAX_DIGITS) - low):
                    splits.append(self.op(OP_SPLIT))
                    self.sequence(inner)
                for split in splits:
                    self.ops[split] = OP_SPLIT << 24 | (split + 1) << 12 | len(self.ops)
            elif name == "AT":
                self.op(OP_END)
            else:
                raise ValueError(name)


def length_mask(lengths):
    return sum(1 << length for length in lengths if 0 < length < 32)


def main(path):
    automaton, program = Automaton(), Program()
    regions, codes, order = [], [], []
    for code, ids in sorted(COUNTRY_CODE_TO_REGION_CODE.items()):
        if ids == ("001",):
            metadatas = [PhoneMetadata.metadata_for_nongeo_region(code)]
            ids = ("00",)
        else:
            metadatas = [PhoneMetadata.metadata_for_region(region) for region in ids]
        first = len(order)
        for region, metadata in zip(ids, metadatas):
            order.append(len(regions))
            rule, digits, group = metadata.national_prefix_transform_rule, "", 0
            if rule:
                digits, group = rule.split("\\")[0], int(rule.split("\\")[1])
            general = metadata.general_desc
            regions.append(
                struct.pack(
                    "<2sHHIIHHBB6s", region.encode(), code, general_start(automaton, metadata),
                    length_mask(general.possible_length), length_mask(general.possible_length_local_only),
                    program.compile(metadata.national_prefix_for_parsing),
                    program.compile(metadata.international_prefix), group, len(digits), digits.encode(),
                )
            )
        codes.append((code, order[first], first, len(ids), classify_start(automaton, metadatas)))
    states = automaton.states
    assert len(states) < 65536, len(states)
    with open(path, "wb") as file:
        file.write(b"CRMP2\0" + struct.pack("<HHHH", len(states), len(regions), len(codes), len(program.ops)))
        for accept, following in states:
            file.write(struct.pack("<11H", accept, *following))
        file.write(b"".join(regions))
        for row in codes:
            file.write(struct.pack("<5H", *row))
        file.write(struct.pack("<H", len(order)) + struct.pack(f"<{len(order)}H", *order))
        for op in program.ops:
            file.write(struct.pack("<I", op))
    print(f"{len(states)} states, {len(regions)} regions, {len(codes)} codes, {len(program.ops)} ops,",
          f"from phonenumbers {phonenumbers.__version__}")


if __name__ == "__main__":
    sys.setrecursionlimit(10000)
    main(sys.argv[1])
