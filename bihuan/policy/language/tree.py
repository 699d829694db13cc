"""The typed tree between the text and its two compilations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from bihuan.policy.language.facts import Fact, FactType


@dataclass(frozen=True)
class Node:
    type: FactType
    at: int  # offset in the text

    def children(self) -> Iterator[Node]:
        for f in fields(self):
            yield from _nodes_in(getattr(self, f.name))


def _nodes_in(held: Any) -> Iterator[Node]:
    if isinstance(held, Node):
        yield held
    elif isinstance(held, tuple):
        for item in held:
            yield from _nodes_in(item)


@dataclass(frozen=True)
class Literal(Node):
    """A literal; `policy_key` is set when the value came from the policy in force."""

    value: Any
    policy_key: str = ""


@dataclass(frozen=True)
class Ref(Node):
    fact: Fact


@dataclass(frozen=True)
class Compare(Node):
    """`op` is one of = <> < <= > >=; both sides have the same type."""

    op: str
    left: Node
    right: Node


@dataclass(frozen=True)
class All(Node):
    parts: tuple[Node, ...]


@dataclass(frozen=True)
class AnyOf(Node):
    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Not(Node):
    part: Node


@dataclass(frozen=True)
class Among(Node):
    """`item IN (…)`; `has_null` if NULL stands in the list."""

    item: Node
    options: tuple[Literal, ...]
    has_null: bool


@dataclass(frozen=True)
class Between(Node):
    item: Node
    low: Node
    high: Node


@dataclass(frozen=True)
class IsNull(Node):
    item: Node


@dataclass(frozen=True)
class IsTruth(Node):
    """`item IS TRUE` or `item IS FALSE`: never NULL."""

    item: Node
    truth: bool


@dataclass(frozen=True)
class When(Node):
    condition: Node
    result: Node


@dataclass(frozen=True)
class Case(Node):
    """The first branch whose condition is true; else `default`, or NULL when that is None."""

    branches: tuple[When, ...]
    default: Node | None


@dataclass(frozen=True)
class Call(Node):
    """coalesce, least, greatest (arguments of one type), days_between, hours_between, day_of."""

    name: str
    args: tuple[Node, ...]


@dataclass(frozen=True)
class Sum(Node):
    """`op` is + or -."""

    op: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Minus(Node):
    part: Node


@dataclass(frozen=True)
class Widen(Node):
    """A whole number where a number is wanted."""

    part: Node


def walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children():
        yield from walk(child)


def depth(node: Node) -> int:
    return 1 + max((depth(child) for child in node.children()), default=0)
