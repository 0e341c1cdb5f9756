"""Decorators: which promise a story judges, and which one is not kept yet."""

from __future__ import annotations

import pytest

promise = pytest.mark.promise


def unkept(identifier: str, why: str) -> pytest.MarkDecorator:
    """Expect a story to fail its assertions, and nothing else, until the promise is kept."""
    return pytest.mark.xfail(strict=True, raises=AssertionError, reason=f"{identifier}: {why}")
