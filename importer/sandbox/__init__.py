"""A mock server of the ClarityQ API, to rehearse an import against without real data."""
