"""Reviews made of known parts: what they are about, whether they praise, and in which words.

A review is a bag of phrases in random order: some words of its topic, neutral words, and opinions. An opinion is a word
of the review's own sentiment, or, with the probability `negation`, "not" and a word of the other sentiment; with the
probability `doubt` it says the opposite. A share `replaced` of the words of each sentiment is put out of use by others,
one for one, that mean the same: what reviewers do whose words have given them away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isthmus._constraints import Constraint, check, count, share

Labels = npt.NDArray[np.int64]
Masks = npt.NDArray[np.bool_]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


TOPICS: Mapping[str, tuple[str, ...]] = {
    "hotel": _words("room bed lobby staff shower breakfast pool towel reception pillow balcony lift"),
    "camera": _words("lens zoom battery flash sensor shutter tripod focus screen strap photo memory"),
    "film": _words("plot actor scene director script ending music dialogue cast trailer cinema sequel"),
    "cafe": _words("coffee cake waiter menu table sandwich counter cup tea terrace kitchen pastry"),
}
NEUTRAL = _words(
    "the a it was with and we for that this there on they at when us one very had day week time bit again also place "
    "thing people just well really quite after before two then some most here"
)
NEGATION = "not"
GOOD = _words("good great excellent lovely perfect superb pleasant wonderful brilliant charming solid delightful")
BAD = _words("bad awful terrible poor dreadful horrible nasty broken dull rude shabby disappointing")
NEW_GOOD = _words("ace stellar epic dope fab primo lush neat mint peachy golden wicked")
NEW_BAD = _words("meh naff lame janky grim sus bogus pants cheugy whack rubbish trash")
TOPIC_WORDS, NEUTRAL_WORDS, OPINIONS = 2, 14, 5  # in a review


@dataclass(frozen=True, eq=False)
class Reviews:
    """N reviews: texts, the number of each one's topic in `TOPICS`, and its sentiment, 1 where it praises, else 0."""

    texts: tuple[str, ...]
    topic: Labels
    sentiment: Labels


def generate(
    n: int, replaced: float = 0.0, negation: float = 0.3, doubt: float = 0.15, random_state: int = 0
) -> Reviews:
    """n reviews; topics and sentiments are uniform and independent, and the same for a seed whatever the words.

    Parameters
    ----------
    n : int
    replaced : float
        Share of the words of each sentiment that are put out of use by new ones, the first in the lists first.
    negation : float
        Probability that an opinion is "not" and a word of the other sentiment.
    doubt : float
        Probability that an opinion is not the review's own.
    random_state : int
        Seed of the draws.

    Raises
    ------
    SettingError
        Where a setting does not fit.
    """
    check("reviews.generate", {"n": n, "replaced": replaced, "negation": negation, "doubt": doubt}, _CONSTRAINTS)
    rng = np.random.default_rng(random_state)
    topic, sentiment = rng.integers(len(TOPICS), size=n), rng.integers(2, size=n)
    doubted, negated = rng.random((n, OPINIONS)) < doubt, rng.random((n, OPINIONS)) < negation
    meant = sentiment[:, None] ^ doubted
    about, neutral = np.array(list(TOPICS.values())), np.array(NEUTRAL)
    phrases = [
        about[topic[:, None], rng.integers(about.shape[1], size=(n, TOPIC_WORDS))],
        neutral[rng.integers(len(neutral), size=(n, NEUTRAL_WORDS))],
        _opinions(meant, negated, replaced, rng),
    ]
    texts = [" ".join(review) for review in rng.permuted(np.hstack(phrases), axis=1).tolist()]
    return Reviews(tuple(texts), topic, sentiment)


_CONSTRAINTS: Mapping[str, Constraint] = {
    "n": count(),
    "replaced": share(open_high=False),
    "negation": share(open_high=False),
    "doubt": share(open_high=False),
}


def _opinions(meant: Labels, negated: Masks, replaced: float, rng: np.random.Generator) -> npt.NDArray[np.str_]:
    """Phrases that blame, 0, or praise, 1, as meant, (N, OPINIONS), by a word or by its opposite with "not"."""
    gone = round(replaced * len(BAD))
    words = np.array([[*new[:gone], *old[gone:]] for old, new in ((BAD, NEW_BAD), (GOOD, NEW_GOOD))])
    chosen = words[meant ^ negated, rng.integers(len(BAD), size=meant.shape)]
    return np.where(negated, np.char.add(f"{NEGATION} ", chosen), chosen)
