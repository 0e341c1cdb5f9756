"""The mutants of a module: its syntax tree with one small fault at a time."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
}  # fmt: skip
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}
#: What a statement of SQL has that may be wrong, and what stands there then.
_SQL = (
    (r" < ", " <= "), (r" <= ", " < "), (r" > ", " >= "), (r" >= ", " > "), (r" AND ", " OR "),
    (r" OR (?!REPLACE|IGNORE)", " AND "), (r"\bNOT (?!NULL)", ""), (r"IS NULL", "IS NOT NULL"),
    (r"IS NOT NULL", "IS NULL"), (r"\bmax\(", "min("), (r"\bmin\(", "max("),
    (r"(?<=WHERE )(\w+) = ", r"\1 <> "), (r" DESC\b", ""), (r"\bLEFT JOIN", "JOIN"),
    (r"\bOR REPLACE", "OR IGNORE"), (r" ORDER BY [\w, ]+", ""),
)  # fmt: skip
_SQL_WORDS = re.compile(r"\b(SELECT|UPDATE|INSERT|DELETE|WHERE|FROM|AND|ON CONFLICT)\b")
_NOT_ENTERED = (ast.Assert, ast.Raise, ast.Import, ast.ImportFrom)
#: Fields that hold types.
_TYPES = ("annotation", "returns", "type_params")


@dataclass(frozen=True)
class Mutant:
    """A module with one fault; it is so only until the next mutant is asked for."""

    tree: ast.Module
    line: int
    #: What the fault is, in words.
    what: str
    #: Where the function begins in which it is, None if it is in none.
    function_line: int | None


def mutants(source: str) -> Iterator[Mutant]:
    """Yield the mutants of a module."""
    tree = ast.parse(source)
    for parent, field, at, node, function in _places(tree, None):
        for new, what in _faults(node):
            ast.copy_location(new, node)
            for made in ast.walk(new):
                if not hasattr(made, "lineno"):
                    ast.copy_location(made, node)
            _set(parent, field, at, new)
            line = getattr(node, "lineno", getattr(parent, "lineno", 1))
            yield Mutant(ast.fix_missing_locations(tree), line, what, function)
            _set(parent, field, at, node)


def _set(parent: ast.AST, field: str, at: int | None, node: ast.AST) -> None:
    if at is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[at] = node


def _places(
    node: ast.AST, function: int | None
) -> Iterator[tuple[ast.AST, str, int | None, ast.AST, int | None]]:
    """Yield each node below this one with the place where it hangs, and its function's line."""
    for field, value in ast.iter_fields(node):
        if field in _TYPES or (field == "decorator_list"):
            continue
        for at, child in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(child, ast.AST) or _is_docstring(child) or _is_for_types(child):
                continue
            inside = function
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and field == "body":
                inside = function or min([node.lineno, *(d.lineno for d in node.decorator_list)])
            yield node, field, at if isinstance(value, list) else None, child, inside
            if not isinstance(child, _NOT_ENTERED):
                yield from _places(child, inside)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_for_types(node: ast.AST) -> bool:
    is_checking = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    return is_checking or (isinstance(node, ast.Call) and ast.unparse(node.func) == "cast")


def _faults(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Yield what may stand wrongly in the place of a node."""
    for new, what in chain(
        _of_condition(node), _of_value(node), _of_call(node), _of_statement(node)
    ):
        yield new, what or f"{_short(node)}  ->  {_short(new)}"


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) < 150 else f"{text[:145]} …"


def _of_condition(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    match node:
        case ast.Compare(left, ops, comparators):
            for at, op in enumerate(ops):
                for other in _COMPARISONS[type(op)]:
                    yield ast.Compare(left, [*ops[:at], other(), *ops[at + 1 :]], comparators), ""
        case ast.BoolOp(op, values):
            for at in range(len(values)):
                rest = values[:at] + values[at + 1 :]
                yield rest[0] if len(rest) == 1 else ast.BoolOp(op, rest), ""
        case ast.UnaryOp(ast.Not() | ast.Invert() | ast.USub(), operand):
            yield operand, ""
        case ast.IfExp(test, body, orelse) if not isinstance(test, ast.Compare):
            yield ast.IfExp(test, orelse, body), ""
        case ast.comprehension(target, iterated, ifs, is_async) if ifs:
            yield ast.comprehension(target, iterated, ifs[1:], is_async), ""


def _of_value(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    match node:
        case ast.BinOp(left, op, right) if type(op) in _OPERATORS:
            yield ast.BinOp(left, _OPERATORS[type(op)](), right), ""
        case ast.Constant(bool(value)):
            yield ast.Constant(not value), ""
        case ast.Constant(int(value) | float(value)):
            yield ast.Constant(value + 1), ""
            if value > 0:
                yield ast.Constant(value - 1), ""
        case ast.Constant(str(value)) if _SQL_WORDS.search(value):
            for pattern, other_text in _SQL:
                for found in re.finditer(pattern, value):
                    new = found.expand(other_text)
                    shown = value[max(0, found.start() - 30) : found.end() + 30]
                    what = f"SQL: …{' '.join(shown.split())}…: {found[0]!r} -> {new!r}"
                    yield ast.Constant(value[: found.start()] + new + value[found.end() :]), what


def _of_call(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    match node:
        case ast.Call(func, args, keywords):
            if isinstance(func, ast.Name) and func.id in _NAMES:
                yield ast.Call(ast.Name(_NAMES[func.id], ast.Load()), args, keywords), ""
            if _may_be_swapped(func, args):
                yield ast.Call(func, [args[1], args[0], *args[2:]], keywords), ""
            for at in range(len(keywords)):
                yield ast.Call(func, args, keywords[:at] + keywords[at + 1 :]), ""


def _may_be_swapped(func: ast.expr, args: list[ast.expr]) -> bool:
    """Return whether a call is another one with its first two arguments swapped."""
    if len(args) < 2 or (isinstance(func, ast.Name) and func.id in _NAMES):
        return False
    is_starred = any(isinstance(arg, ast.Starred) for arg in args[:2])
    return not is_starred and ast.unparse(args[0]) != ast.unparse(args[1])


def _of_statement(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    match node:
        case ast.If(test, body, orelse) | ast.While(test, body, orelse) if not isinstance(
            test, ast.Compare
        ):
            new = ast.UnaryOp(ast.Not(), test)
            yield type(node)(new, body, orelse), f"not: {_short(test)}"
        case ast.Return(value) if value is not None and ast.unparse(value) not in ("None", "False"):
            yield ast.Return(ast.Constant(None)), ""
        case ast.Expr(ast.Call() | ast.Await() | ast.Yield()) | ast.AugAssign() | ast.Raise():
            yield ast.Pass(), f"deleted: {_short(node)}"
        case ast.Assign([ast.Attribute() | ast.Subscript() | ast.Tuple(), *_]) | ast.Delete():
            yield ast.Pass(), f"deleted: {_short(node)}"
        case ast.Break():
            yield ast.Continue(), ""
        case ast.Continue():
            yield ast.Break(), ""
