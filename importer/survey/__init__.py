"""Knows the whole job before its first request: which rows are sent, and what they change."""
