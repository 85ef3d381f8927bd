"""Whole numbers as few bits, and back: an entropy coder that knows how often each occurs.

The coder is Duda's range variant of asymmetric numeral systems (2013): one number x holds all that was written, and a
symbol that has f of 2ᵐ places makes it about x·2ᵐ/f, so that it costs log₂(2ᵐ/f) bits. Symbols come back from the last
to the first; so they are written from the last on.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Self

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import DataError

Symbols = NDArray[np.int64]
PLACES = 16  # m
WORD = 32  # bits that leave x, or come back, at a time
LOWEST = 1 << 31  # x is never less between symbols
MOST = 1 << 12  # numbers that a table has at most
ESCAPE = 0  # what comes first in every table


class EntropyCoder:
    """Writes rows of whole numbers, (N, K), each column by a table of its own.

    A table has what lies between the least and the greatest number that the column had in `fit`, each as many of the
    2¹⁶ places as it was frequent there, and one at least. What a table lacks costs an escape, and 32 bits of its own.

    Attributes
    ----------
    low_ : array of shape (K,)
        The least number of each table.
    places_ : list of K arrays
        Places of the escape and of the numbers from the least on; they sum to 2¹⁶.
    """

    def fit(self, Q: Symbols) -> Self:
        """Learn the tables from rows Q, (N, K).

        Raises
        ------
        DataError
            Where there are no rows, or the numbers of a column lie 2¹² or more apart.
        """
        if len(Q) == 0:
            raise DataError("no rows", "in Q", "at least one, to count numbers in")
        widest = int((Q.max(axis=0) - Q.min(axis=0)).max())
        if widest >= MOST:
            raise DataError(f"numbers {widest} apart", "in a column of Q", f"less than {MOST}", "round to larger steps")
        self.low_ = Q.min(axis=0)
        self.places_ = [_places(np.bincount(column)) for column in (Q - self.low_).T]
        return self

    def bits(self, Q: Symbols) -> float:
        """What rows Q, (N, K), cost by the tables: no coder that goes by them needs less on the average."""
        at = self._at(Q)
        columns = zip(self.places_, at.T, strict=True)
        taken = sum(float(np.log2(places[column]).sum()) for places, column in columns)
        return PLACES * Q.size - taken + WORD * int((at == ESCAPE).sum())

    def encode(self, Q: Symbols) -> bytes:
        """Rows Q, (N, K), as bytes: the last x, the words that left it, and the numbers that no table has.

        Raises
        ------
        DataError
            Where a number that no table has needs more than 32 bits.
        """
        at = self._at(Q)
        lacking = Q[at == ESCAPE]
        if len(lacking) and np.abs(lacking).max() >= LOWEST:
            raise DataError(f"the number {lacking[np.abs(lacking).argmax()]}", "in Q", f"less than {LOWEST} either way")
        first = [np.cumsum(places) - places for places in self.places_]
        f, c = (
            np.stack([table[column] for table, column in zip(tables, at.T, strict=True)], axis=1)
            for tables in (self.places_, first)
        )
        x, words = LOWEST, []
        for places, start in zip(f.ravel()[::-1].tolist(), c.ravel()[::-1].tolist(), strict=True):
            if x >= places << (WORD + 31 - PLACES):
                words.append(x & 0xFFFFFFFF)
                x >>= WORD
            x = (x // places << PLACES) + x % places + start
        return x.to_bytes(8, "little") + np.array(words[::-1], "<u4").tobytes() + lacking.astype("<i4").tobytes()

    def decode(self, written: bytes, n: int) -> Symbols:
        """The n rows, (n, K), that `encode` wrote.

        Raises
        ------
        DataError
            Where the bytes are fewer or more than n rows take.
        """
        words = iter(np.frombuffer(written[8 : len(written) // 4 * 4], "<u4").tolist())
        ends = [np.cumsum(places).tolist() for places in self.places_]
        x, at = int.from_bytes(written[:8], "little"), []
        try:
            for _ in range(n):
                for end in ends:
                    low = x & 0xFFFF
                    symbol = bisect_right(end, low)
                    start = end[symbol - 1] if symbol else 0
                    x = (end[symbol] - start) * (x >> PLACES) + low - start
                    if x < LOWEST:
                        x = x << WORD | next(words)
                    at.append(symbol)
        except StopIteration:
            raise _damaged(n) from None
        return self._read(np.array(at, np.int64).reshape(n, len(ends)), np.array([*words], "<u4").view("<i4"), x)

    def _at(self, Q: Symbols) -> Symbols:
        """Where each number stands in its column's table, (N, K)."""
        at = Q - self.low_ + 1
        return np.where((at > ESCAPE) & (at < [len(places) for places in self.places_]), at, ESCAPE)

    def _read(self, at: Symbols, lacking: NDArray[np.int32], x: int) -> Symbols:
        """The numbers at places of the tables, and those that the tables lack."""
        if x != LOWEST or len(lacking) != (at == ESCAPE).sum():
            raise _damaged(len(at))
        Q = self.low_ + at - 1
        Q[at == ESCAPE] = lacking
        return Q


def _places(counts: Symbols) -> Symbols:
    """Of 2¹⁶ places each number's, by its count, behind the escape's: one for each and the rest by frequency."""
    counts = np.concatenate([[0], counts])
    free = (1 << PLACES) - len(counts)
    places = 1 + free * counts // counts.sum()
    places[counts.argmax()] += (1 << PLACES) - places.sum()
    return places


def _damaged(n: int) -> DataError:
    return DataError(f"these bytes are not {n} rows", "in decode", "what encode wrote, and as many rows")
