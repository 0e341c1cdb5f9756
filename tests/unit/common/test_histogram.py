"""Latencies counted in buckets."""

from importer.common.histogram import BUCKETS, bucket_of, empty_buckets, percentile


def test_a_percentile_is_at_most_a_tenth_too_high() -> None:
    buckets = empty_buckets()
    for number in range(1, 101):
        buckets[bucket_of(number / 100)] += 1
    for share in (0.01, 0.5, 0.95, 1.0):
        found = percentile(buckets, share)
        assert found is not None
        assert share <= found <= 1.1 * share * (1 + 1e-9)


def test_nothing_counted_has_no_percentile_and_the_longest_are_bounded() -> None:
    buckets = empty_buckets()
    assert percentile(buckets, 0.5) is None
    buckets[bucket_of(1e6)] += 1
    assert percentile(buckets, 0.5) == BUCKETS[-1]
