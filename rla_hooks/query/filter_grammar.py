"""The grammar of filters, and what a filter is made of. Nothing here knows runs."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from rla_hooks.query.filter_mistakes import LONGEST, FilterError, misplaced, unreadable
from rla_hooks.query.times import DATE, DURATION, duration_of

if TYPE_CHECKING:
    import lark

_NAME = r"[^\W\d][\w.\/]*"
# A bare word becomes a keyword in _keyword, in whatever case. Terminals with a greater number are tried first.
_GRAMMAR = rf"""
start: any
?any: all (OR all)*
?all: _condition (AND _condition)*
_condition: negation | comparison | "(" any ")"
negation: NOT _condition
comparison: _operand (operator _right)+
operator: COMPARE | IN | LIKE | NOT IN | NOT LIKE
_right: _operand | list_in_parentheses
_operand: NAME | QUOTED_NAME | DATE | DURATION | NUMBER | TEXT | WORD | list
list: "[" (_operand ("," _operand)* ","?)? "]"
list_in_parentheses: "(" _operand ("," _operand)* ","? ")" -> list

COMPARE: /[=!<>]=(?!=)|[<>](?![=<>])/
NAME: /{_NAME}/
QUOTED_NAME.2: /(?:{_NAME})?`(?:[^`]|``)+`/
DATE.3: /{DATE}/i
DURATION.2: /[-+]?(?:{DURATION}\s*){{1,6}}(?:(?<=\s)ago\b)?(?![\w.])/i
NUMBER.1: /[-+]?(?:inf\b|nan\b|(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:e[-+]?\d+)?)(?![\w.])/i
TEXT: /'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"/s
%declare AND OR NOT IN LIKE WORD
%ignore /\s+/
"""
_KEYWORDS = {"and": "AND", "or": "OR", "not": "NOT", "in": "IN", "like": "LIKE"}
_KEYWORDS |= {"true": "WORD", "false": "WORD", "none": "WORD", "inf": "NUMBER", "nan": "NUMBER"}
_WORDS = {"true": True, "false": False, "none": None}
_MOST_DIGITS = 1000  # of a number
DEEPEST = 100  # levels of a filter that stand in each other


class Name(NamedTuple):
    """A name that stands in a filter, and where."""

    name: str
    position: int


class Literal(NamedTuple):
    """A value that stands in a filter, and where. ``kind``: number, text, bool, none, date, duration or list."""

    kind: str
    value: Any  # of a list its literals, of a duration a Duration, of a date its text
    position: int


class Comparison(NamedTuple):
    """``operator``: == != < <= > >= in, like, not in, not like. ``position``: where it stands."""

    left: Name | Literal
    operator: str
    right: Name | Literal
    position: int


class Negation(NamedTuple):
    """The opposite of a condition."""

    inner: Node


class Junction(NamedTuple):
    """Conditions of which all must hold, or any."""

    is_all: bool
    parts: tuple[Node, ...]


Node = Comparison | Negation | Junction


def parse(text: str) -> Node:
    """Return the tree of a filter. Raises :class:`~rla_hooks.query.filter_mistakes.FilterError`.

    >>> found = parse("lr < 0.1")
    >>> found.left, found.operator, found.right
    (Name(name='lr', position=0), '<', Literal(kind='number', value=0.1, position=5))
    """
    import lark  # late: a tenth of a second

    if len(text) > LONGEST:
        raise FilterError(f"it has {len(text)} characters. Allowed: at most {LONGEST}.", text, LONGEST)
    try:
        tree: Any = _parser().parse(text)
    except lark.UnexpectedCharacters as error:
        raise unreadable(text, error.pos_in_stream or 0) from None
    except lark.UnexpectedToken as error:
        position = None if error.token.type == "$END" else error.token.start_pos
        stack: list[Any] = error.interactive_parser.parser_state.value_stack  # type: ignore[union-attr]
        opened = [each.start_pos for each in stack if getattr(each, "type", "") in ("LPAR", "LSQB")]
        raise misplaced(text, position, error.accepts or set(), opened[-1] if opened else None) from None
    return _Builder(text).node(tree.children[0])


def is_bare(name: str) -> bool:
    """Whether a name needs no backquotes."""
    return re.fullmatch(_NAME, name) is not None and name.lower() not in _KEYWORDS


@functools.lru_cache(maxsize=1)
def _parser() -> lark.Lark:
    import lark

    return lark.Lark(
        _GRAMMAR, parser="lalr", lexer="basic", propagate_positions=True, lexer_callbacks={"NAME": _keyword}
    )


def _keyword(token: lark.Token) -> lark.Token:
    """A name as it is, or the keyword that it is."""
    return token.update(type=_KEYWORDS.get(token.lower(), token.type))


class _Builder:
    """Makes the tree of a filter from that of the parser."""

    def __init__(self, text: str):
        self._text = text

    def node(self, tree: Any, depth: int = 1) -> Node:
        if depth > DEEPEST:
            first = next(tree.scan_values(lambda token: True))
            raise FilterError(f"it is nested deeper than {DEEPEST} levels.", self._text, first.start_pos)
        inner = [each for each in tree.children if not hasattr(each, "type")]  # trees, without the words between them
        if tree.data == "negation":
            return Negation(self.node(inner[0], depth + 1))
        if tree.data == "comparison":
            return self._comparison(tree.children)
        return Junction(tree.data == "all", tuple(self.node(each, depth + 1) for each in inner))

    def _comparison(self, children: list[Any]) -> Node:
        """``a < b``, or ``a < b < c``, which is ``a < b and b < c``."""
        operands = [self._operand(each) for each in children[::2]]
        words = [each.children for each in children[1::2]]
        signs = [(" ".join(word.lower() for word in each), each[0].start_pos) for each in words]
        pairs = zip(operands, signs, operands[1:], strict=False)
        found = tuple(Comparison(left, sign, right, place) for left, (sign, place), right in pairs)
        return found[0] if len(found) == 1 else Junction(True, found)

    def _operand(self, token: Any, depth: int = 1) -> Name | Literal:
        kind = getattr(token, "type", "LIST")
        if kind == "LIST":
            return self._list(token, depth)
        text, place = str(token), token.start_pos
        if kind == "NAME":
            return Name(text, place)
        if kind == "QUOTED_NAME":
            prefix, _, quoted = text.partition("`")
            return Name(prefix + quoted[:-1].replace("``", "`"), place)
        if kind == "NUMBER":
            return Literal("number", self._number(text, place), place)
        if kind == "TEXT":
            return Literal("text", re.sub(r"\\(['\"\\])", r"\1", text[1:-1]), place)
        if kind == "DURATION":
            duration = duration_of(text.strip())
            if duration is None:
                raise FilterError("this duration is too long a text.", self._text, place)
            return Literal("duration", duration, place)
        if kind == "DATE":
            return Literal("date", text, place)
        value = _WORDS[text.lower()]
        return Literal("none" if value is None else "bool", value, place)

    def _list(self, tree: Any, depth: int) -> Literal:
        items = [self._operand(each, depth + 1) for each in tree.children] if depth < DEEPEST else []
        place = tree.meta.start_pos
        if depth >= DEEPEST:
            raise FilterError(f"it is nested deeper than {DEEPEST} levels.", self._text, place)
        for item in items:
            if isinstance(item, Name):
                reason = f"a list has values, not names. A text stands in quotes: '{item.name}'."
                raise FilterError(reason, self._text, item.position)
        return Literal("list", items, place)

    def _number(self, text: str, place: int) -> int | float:
        if len(text) > _MOST_DIGITS:
            raise FilterError(f"a number has {len(text)} digits. Allowed: {_MOST_DIGITS}.", self._text, place)
        plain = text.replace("_", "")
        return int(plain) if plain.lstrip("+-").isdecimal() else float(plain)
