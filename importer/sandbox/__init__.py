"""A stand-in for the ClarityQ service, to rehearse an import against without real data."""
