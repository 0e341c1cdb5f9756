"""The ClarityQ API: the calls, what is sent, and what the responses mean."""
