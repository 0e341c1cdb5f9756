"""How long rows wait."""

from importer.engine.backoff import DeferralPolicy, RetryPolicy


def test_backoff_grows_with_full_jitter_up_to_the_longest_wait() -> None:
    policy = RetryPolicy(max_attempts=100, first=2, longest=16)
    for failures, window in [(0, 2), (1, 2), (2, 4), (3, 8), (4, 16), (50, 16)]:
        waits = [policy.next_wait(failures) or 0.0 for _ in range(300)]
        assert all(0 <= wait <= window for wait in waits)
        assert min(waits) < window / 4 < 3 * window / 4 < max(waits), "jitter over all of it"


def test_retry_after_is_a_floor() -> None:
    policy = RetryPolicy(max_attempts=5, first=1, longest=8)
    assert all((policy.next_wait(1, 20) or 0.0) >= 20 for _ in range(50))


def test_the_attempts_run_out() -> None:
    policy = RetryPolicy(max_attempts=3, first=1, longest=8)
    assert [policy.next_wait(n) is None for n in (1, 2, 3)] == [False, False, True]
    once = RetryPolicy(max_attempts=1, first=1, longest=8)
    assert [once.next_wait(n) is None for n in (0, 1)] == [False, True]


def test_a_look_comes_a_fifth_of_the_time_waited_later() -> None:
    policy = DeferralPolicy(first=5, longest=300, total=3600)
    assert [policy.next_wait(waited) for waited in (0, 20, 100, 3000)] == [5, 5, 20, 300]


def test_the_last_look_is_at_the_deadline() -> None:
    policy = DeferralPolicy(first=5, longest=300, total=3600)
    assert [policy.next_wait(waited) for waited in (3500, 3599.5)] == [100, 0.5]
    assert policy.next_wait(3600) is None
