"""What a user could run instead: each sends the rows of a CSV file and does nothing else.

Each is run as `python -m benchmarks.peers.NAME FILE BASE_URL CONCURRENCY`.
"""
