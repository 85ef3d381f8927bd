"""Generated reviews: what they are made of is counted, and the truth can be read back from their words."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.data import reviews
from isthmus.data.reviews import BAD, GOOD, NEGATION, NEUTRAL, NEW_BAD, NEW_GOOD, OPINIONS, TOPICS, generate
from isthmus.errors import SettingError

MEANING = dict.fromkeys((*GOOD, *NEW_GOOD), 1) | dict.fromkeys((*BAD, *NEW_BAD), 0)
ABOUT = {word: number for number, words in enumerate(TOPICS.values()) for word in words}


def read(text):
    """The opinions of a text, 0 or 1, with whether each is negated; and the topics of its words."""
    words = text.split()
    before = [None, *words[:-1]]
    opinions = [
        (MEANING[word] ^ (last == NEGATION), last == NEGATION)
        for last, word in zip(before, words, strict=True)
        if word in MEANING
    ]
    return opinions, [ABOUT[word] for word in words if word in ABOUT]


def test_no_word_has_two_meanings():
    every = [*GOOD, *BAD, *NEW_GOOD, *NEW_BAD, *NEUTRAL, *ABOUT, NEGATION]
    assert len(every) == len(set(every))
    assert len({len(words) for words in (GOOD, BAD, NEW_GOOD, NEW_BAD, *TOPICS.values())}) == 1


def test_without_doubt_every_opinion_is_the_reviews_own():
    made = generate(300, doubt=0, random_state=1)
    for text, topic, sentiment in zip(made.texts, made.topic, made.sentiment, strict=True):
        opinions, about = read(text)
        assert {meant for meant, _ in opinions} == {sentiment}
        assert len(opinions) == OPINIONS
        assert about == [topic] * reviews.TOPIC_WORDS


def test_the_shares_are_those_asked_for():
    made = generate(4000, negation=0.4, doubt=0.2, random_state=2)
    opinions = np.array([read(text)[0] for text in made.texts])  # (N, OPINIONS, 2)
    assert opinions[..., 1].mean() == pytest.approx(0.4, abs=0.015)
    assert (opinions[..., 0] != made.sentiment[:, None]).mean() == pytest.approx(0.2, abs=0.015)
    assert made.sentiment.mean() == pytest.approx(0.5, abs=0.03)
    np.testing.assert_allclose(np.bincount(made.topic) / 4000, 1 / len(TOPICS), atol=0.03)
    assert abs(np.corrcoef(made.topic, made.sentiment)[0, 1]) < 0.05
    lengths = {len(text.split()) - text.split().count(NEGATION) for text in made.texts}
    assert lengths == {reviews.TOPIC_WORDS + reviews.NEUTRAL_WORDS + OPINIONS}


def test_replaced_words_are_put_out_of_use_and_nothing_else_changes():
    old, half, new = (generate(500, share, random_state=3) for share in (0.0, 0.5, 1.0))
    np.testing.assert_array_equal(old.sentiment, new.sentiment)
    np.testing.assert_array_equal(old.topic, new.topic)
    again = dict(zip((*NEW_GOOD, *NEW_BAD), (*GOOD, *BAD), strict=True))
    assert tuple(" ".join(again.get(word, word) for word in text.split()) for text in new.texts) == old.texts
    used = {word for text in half.texts for word in text.split()} & set(MEANING)
    assert used == {*NEW_GOOD[:6], *GOOD[6:], *NEW_BAD[:6], *BAD[6:]}
    assert not {word for text in new.texts for word in text.split()} & {*GOOD, *BAD}


def test_a_seed_is_the_same_every_time():
    first, again, other = (generate(20, random_state=seed) for seed in (7, 7, 8))
    assert first.texts == again.texts
    assert first.texts != other.texts
    np.testing.assert_array_equal(first.sentiment, again.sentiment)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n": 0}, "n must be a whole number >= 1; got 0; in reviews.generate"),
        ({"replaced": 1.5}, "replaced must be a number >= 0 and <= 1; got 1.5; in reviews.generate"),
        ({"doubt": -0.1}, "doubt must be a number >= 0 and <= 1; got -0.1; in reviews.generate"),
    ],
)
def test_bad_input_is_one_clear_error(settings, message):
    with pytest.raises(SettingError) as caught:
        generate(**{"n": 1} | settings)
    assert str(caught.value) == message
