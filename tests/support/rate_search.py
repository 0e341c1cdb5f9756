"""A search for a rate that is told round by round what it sees."""

import pytest

from importer.pacing import RateFinder


class Search:
    """A finder whose rounds are told as a whole."""

    def __init__(self) -> None:
        self.now = 64.0
        self.finder = RateFinder(self.now)

    @property
    def rate(self) -> float | None:
        """The requests per second that are allowed."""
        return None if self.finder.cap is None else self.finder.cap.per_second

    def sees(
        self,
        seconds: float,
        granted: int,
        refused: int = 0,
        *,
        used: float | None = None,
        is_loud: bool = False,
    ) -> bool:
        """Tell what the round has shown after so long; return whether it is over."""
        if used is None:
            used = self.rate or (granted + refused) / seconds
        is_over = self.finder.weigh(
            self.now + seconds, used=used, granted=granted, refused=refused, reach=seconds,
            is_loud=is_loud,
        )  # fmt: skip
        if is_over:
            self.now += seconds
        return is_over

    def resumes(self, after: float, granted: int, *, stalled: float, waited: bool = True) -> None:
        """The service grants again, having granted so many, and then nothing for a while."""
        if granted:
            self.finder.granted(self.now, self.now - 1000)
            self.finder.add_granted(granted - 1)
        self.now += after
        self.finder.resumed(self.now, stalled_at=self.now - stalled, waited=waited)

    def tries(self, rate: float | None) -> bool:
        """Return whether this is the rate, and one that is tried."""
        return self.rate == pytest.approx(rate) and self.finder.is_searching

    def holds(self, rate: float | None) -> bool:
        """Return whether this is the rate, and one that was found."""
        return self.rate == pytest.approx(rate) and not self.finder.is_searching


def limited() -> Search:
    """Return a search that has found a limit of 90 a second, and no noise."""
    search = Search()
    assert search.sees(1.0, 90, 10)
    assert search.tries(0.8 * 90)
    assert search.sees(0.5, 36)
    assert search.tries(0.98 * 90)
    return search


def noisy(responses: int = 240, refused: int = 20) -> Search:
    """Return a search that has found that this share is refused whatever the rate."""
    search = Search()
    assert search.sees(1.0, 90, 10)
    assert search.sees(1.0, 60, 12)
    assert search.sees(10.0, responses - refused, refused)
    assert search.holds(None)
    assert search.finder.tolerated == pytest.approx(refused / responses + 0.005)
    return search


def stepped(responses: int = 40, refused: int = 0) -> Search:
    """Return a search that holds what it has found, at 98 granted, after steps of 40 and 20 %.

    So many of the responses are refused whatever the rate is.
    """
    search, noise = Search(), refused / responses
    granted = responses - refused
    assert search.sees(1.0, 100, 10)
    assert search.sees(0.5, granted, refused)
    for step in (0.4, 0.2):
        assert search.tries(98 / (1 - noise))
        assert search.sees(0.5, granted, refused)
        assert search.tries((1 + step) * 98 / (1 - noise))
        assert search.sees(1.0, 98, 60)
    assert search.holds(98 / (1 - noise))
    assert search.finder.tolerated == pytest.approx(noise + 0.005)
    return search
