"""Numbers of a rating column in the spellings that other programs give them.

Only what can mean nothing else: `5.0` is 5, but `4.5` is no whole number, and `5,000` may be five
thousand. Sans-I/O.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

#: A number that a program wrote, such as 5, 5.0, 5,00, +1.0 or 5.0e+00.
_NUMBER = (
    r"[+-]?[0-9]{1,9}(?:\.[0-9]{0,40}|,(?![0-9]{3}(?![0-9]))[0-9]{1,40})?(?:e[+-]?[0-9]{1,2})?"
)
_PLAIN = re.compile(_NUMBER)
#: The number of stars, and what says that they are stars, of five.
_COUNTED = re.compile(rf"({_NUMBER})\s*(?:(?:/\s*|out of )5(?: stars)?|[- ]?stars?|[★⭐])")
_FILLED, _HOLLOW = "★⭐🌟", "☆"
_DRAWN = re.compile(f"([{_FILLED}]+)([{_HOLLOW}]*)")
#: The most stars that there are.
STARS = 5


def spellings(word: str, *, in_stars: bool) -> Sequence[str]:
    """Return the keys under which a table may know `word`, which is folded; often none.

    With `in_stars` the table is one of one to five stars: then `4/5`, `4 stars` and `★★★★☆` are
    numbers, too.
    """
    value = stars(word) if in_stars else _plain(word)
    if value is None or value != value.to_integral_value():
        return ()
    whole = str(int(value))
    # A sign may be of a scale from -2 to +2: it is no spelling of the number without.
    return (f"+{whole}",) if word.startswith("+") else (whole,)


def stars(word: str) -> Decimal | None:
    """Return the number of stars that a folded word tells, such as `4/5` or `★★★★☆`, if it does."""
    if counted := _COUNTED.fullmatch(word):
        return _value(counted[1])
    if drawn := _DRAWN.fullmatch(word):
        filled, hollow = len(drawn[1]), len(drawn[2])
        if filled <= STARS and (not hollow or filled + hollow == STARS):
            return Decimal(filled)
    return _plain(word)


def _plain(word: str) -> Decimal | None:
    return _value(word) if _PLAIN.fullmatch(word) else None


def _value(number: str) -> Decimal:
    return Decimal(number.replace(",", "."))
