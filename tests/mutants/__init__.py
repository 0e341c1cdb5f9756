"""Mutation testing: `python -m tests.mutants MODULE… --tests TESTS…` (docs/proof.md)."""
