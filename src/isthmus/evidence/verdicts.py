"""The verdicts: one table of what is judged, by which measure, at which threshold, in which words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from isthmus.evidence.intervals import Estimate

Sections = Mapping[str, Mapping[str, object]]
STATUSES = ("pass", "warn", "fail", "n/a")


@dataclass(frozen=True)
class Verdict:
    """One judgement: `status` is pass, warn, fail or n/a; the suggestion is empty where there is nothing to do."""

    name: str
    status: str
    sentence: str
    suggestion: str = ""

    def to_dict(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True)
class Criterion:
    """A measure, "section.key", that is worse the larger it is: above `warn` a warning, above `fail` a failure.

    `good` and `bad` are sentences with numbers filled in as `str.format` does: {code[dead]}. A failure answers the
    verdicts it `implies` as well: they are not judged again, so that one fault gives one failure.
    """

    verdict: str
    measure: str
    warn: float
    fail: float
    good: str
    bad: str
    suggestion: str
    implies: tuple[str, ...] = ()

    def status(self, sections: Sections) -> str:
        value = number(sections, self.measure)
        if value is None:
            return "n/a"
        return "fail" if value > self.fail else "warn" if value > self.warn else "pass"


NEVER = math.inf  # a threshold that is not reached: the measure warns only, or fails only

CRITERIA = (
    Criterion(
        "better-than-mean", "reconstruction.lost", 0.95, 0.98,
        "The reconstruction keeps {reconstruction[r2]:.1%} of the variance; predicting the mean keeps none.",
        "The reconstruction keeps {reconstruction[r2]:.1%} of the variance; predicting the mean keeps 0 %.",
        "train longer, weaken the penalty, check learning_rate; or the rows hold nothing that a code could carry",
        implies=("better-than-pca", "generalises"),
    ),
    Criterion(
        "better-than-pca", "reconstruction.pca_shortfall", 0.03, 0.5,
        "R² is {reconstruction[r2]:.3f}; PCA with {reconstruction[pca_size]} numbers reaches "
        "{reconstruction[pca_r2]:.3f}.",
        "R² is only {reconstruction[r2]:.3f}; PCA with {reconstruction[pca_size]} numbers reaches "
        "{reconstruction[pca_r2]:.3f}.",
        "train longer or with a wider network; use PCA unless the penalty's other gifts are wanted",
    ),
    Criterion(
        "better-than-untrained", "probes.untrained_loss", -0.01, -0.01,
        "Readers of the code gain up to {probes[untrained_gain]:.3f} over the same encoder with random weights.",
        "Readers of the code gain {probes[untrained_gain]:.3f} at best over the same encoder with random weights.",
        "train longer; a code no better than a random one carries what any random projection carries",
    ),
    Criterion(
        "better-than-untrained", "probes.untrained_doubt", 0.0, NEVER,
        "The gain over random weights is more than chance.",
        "Readers of the code gain {probes[untrained_gain]:.3f} over the same encoder with random weights, "
        "which may be chance.",
        "more test rows to tell; else train longer",
    ),
    Criterion(
        "generalises", "generalisation.gap", 0.15, 0.35,
        "R² is {generalisation[train_r2]:.3f} on training rows and {reconstruction[r2]:.3f} on test rows.",
        "R² falls from {generalisation[train_r2]:.3f} on training rows to {reconstruction[r2]:.3f} on test rows.",
        "more rows, a smaller code or network, more noise or weight_decay, early stopping",
    ),
    Criterion(
        "memorises", "memorisation.ends_on_training_rows", 0.3, 0.6,
        "Iterating the net ends on a training row from {memorisation[ends_on_training_rows]:.0%} of the starts.",
        "Iterating the net ends on a training row from {memorisation[ends_on_training_rows]:.0%} of the starts: "
        "it indexes its training rows.",
        "a smaller network, more rows, noise on the input, weight_decay",
        implies=("better-than-mean", "better-than-pca"),
    ),
    Criterion(
        "memorises", "memorisation.nearness", 0.7, 0.85,
        "Reconstructions of test rows are not drawn to training rows.",
        "Reconstructions of test rows lie {memorisation[nearness]:.0%} nearer to training rows than the test rows do: "
        "it answers with rows it has seen.",
        "a smaller network, more rows, noise on the input, weight_decay",
        implies=("better-than-mean", "better-than-pca"),
    ),
    Criterion(
        "memorises", "generalisation.excess_error", 0.9, 0.98,
        "Training rows are not reconstructed by heart.",
        "Training rows come back with {generalisation[excess_error]:.1%} less error than test rows.",
        "a smaller network, more rows, noise on the input, weight_decay",
        implies=("better-than-mean", "better-than-pca"),
    ),
    Criterion(
        "copies", "memorisation.identity", 0.9, 0.95,
        "Of noise with the test rows' columns, {memorisation[identity]:.0%} comes back.",
        "Of noise with the test rows' columns, {memorisation[identity]:.0%} comes back: "
        "the net copies whatever it is given.",
        "use a smaller code, or a penalty or corruption",
    ),
    Criterion(
        "dead-units", "code.dead_share", 0.1, 0.5,
        "{code[live]} of {code[units]} units vary over {code[rows]} rows.",
        "{code[dead]} of {code[units]} units never vary over {code[rows]} rows.",
        "use a smaller code or a lower strength",
    ),
    Criterion(
        "saturation", "code.saturated_share", 0.2, 0.5,
        "{code[saturated]} of {code[units]} units sit at the ends of their range.",
        "{code[saturated]} of {code[units]} units sit at the ends of their range, where no gradient passes.",
        "a lower learning_rate, weight_decay, or scaling='standard'",
    ),
    Criterion(
        "collapse", "code.collapsed", 0.75, 0.85,
        "Reconstructions show {reconstruction[output_spread]:.0%} of the rows' variance.",
        "Reconstructions show {reconstruction[output_spread]:.1%} of the rows' variance, PCA of equal size "
        "{code[pca_spread]:.0%}; {code[live]} of {code[units]} units vary: "
        "the code tells the decoder little of the row.",
        "a lower beta or strength, a longer training, a weaker decoder",
        implies=("better-than-pca", "better-than-untrained", "generalises", "dead-units", "code-size", "robust"),
    ),
    Criterion(
        "collapse", "code.starved", 0.4, NEVER,
        "The units that work hold what a code of this size can.",
        "Partial collapse: only {code[live]} of {code[units]} units tell anything of the row, and the reconstruction "
        "misses {code[starved]:.0%} of what PCA of {code[units]} directions holds.",
        "a lower beta, penalties.Divergence(warm_up=...) or free_bits, a longer training",
    ),
    Criterion(
        "code-size", "code.structureless", 0.5, 0.5,
        "The rows have {code[structure]} directions above chance; the code spends {code[spent]} numbers.",
        "No direction of the rows is above chance: to a code of {code[spent]} numbers they look like noise.",
        "check that the columns belong together; a code cannot be smaller than noise",
        implies=("better-than-untrained", "generalises"),
    ),
    Criterion(
        "code-size", "code.missed", 0.3, 0.5,
        "{code[spent]} numbers hold the rows' structure.",
        "Too small: {code[spent]} numbers miss {code[missed]:.0%} of what the rows' {code[structure]} directions "
        "above chance hold.",
        "use a larger code",
    ),
    Criterion(
        "code-size", "code.unneeded", 0.6, 0.9,
        "{code[directions]} of the code's directions are needed.",
        "Too large: {code[directions]} directions of the code, which has {code[units]} units, carry 99 % of the "
        "reconstruction.",
        "use a smaller code",
    ),
    Criterion(
        "code-size", "code.oversized", 0.7, NEVER,
        "PCA needs as many numbers for as much.",
        "Too large: PCA with {code[structure]} numbers reaches R² {code[structure_r2]:.3f}, "
        "the code with {code[units]} units {reconstruction[r2]:.3f}.",
        "use a smaller code",
    ),
    Criterion(
        "code-size", "code.uncompressed", 0.75, NEVER,
        "The code is narrower than the rows, or held back.",
        "Too large: {code[units]} numbers for fewer columns hold even {code[uncompressed]:.0%} of noise.",
        "use a smaller code, or a penalty or corruption",
    ),
    Criterion(
        "robust", "robustness.amplification", 2.8, 5.0,
        "Noise of 10 % of the rows' spread moves the code by {robustness[code_shift]:.1%} of its own.",
        "Noise of 10 % of the rows' spread moves the code by {robustness[code_shift]:.1%} of its own.",
        "a smaller code, corruption=corruptions.Gaussian(0.3), or penalty=penalties.Contraction(0.1)",
    ),
    Criterion(
        "same-distribution", "distribution.separation", 0.2, 0.5,
        "Test rows are told from training rows no better than by chance (AUC {distribution[auc]:.2f}).",
        "Test rows are told from training rows with AUC {distribution[auc]:.2f} (0.5 = not at all).",
        "give test rows in the units of the training rows, unscaled; check how the two were split",
        implies=("better-than-pca", "generalises", "memorises"),
    ),
    Criterion(
        "same-distribution", "distribution.column_shift", 0.25, 0.5,
        "No column is shifted.",
        "Column {distribution[worst_column]} differs from the training rows' (Kolmogorov–Smirnov distance "
        "{distribution[column_shift]:.2f}).",
        "give test rows in the units of the training rows, unscaled; check how the two were split",
        implies=("better-than-pca", "generalises", "memorises"),
    ),
    Criterion(
        "same-distribution", "memorisation.seen_rows", 0.5, NEVER,
        "Test rows are new.",
        "{memorisation[seen_rows]:.0%} of the test rows are training rows: nothing here speaks of new rows.",
        "examine on rows held out from training",
    ),
    Criterion(
        "converged", "convergence.falling", 0.1, 0.5,
        "The loss had come to rest after {convergence[epochs]} epochs.",
        "In its last epochs the loss still fell by {convergence[falling]:.1%} of its whole fall, after "
        "{convergence[epochs]} epochs.",
        "raise max_epochs or learning_rate",
    ),
    Criterion(
        "converged", "convergence.regret", 0.1, NEVER,
        "The loss ended at its lowest.",
        "The loss ended above its lowest, by {convergence[regret]:.1%} of its whole fall.",
        "lower learning_rate, or set clip_norm",
    ),
    Criterion(
        "converged", "convergence.jump", 0.5, NEVER,
        "The loss fell without jumps.",
        "The loss jumped up by {convergence[jump]:.1%} of its whole fall.",
        "lower learning_rate, or set clip_norm",
    ),
)  # fmt: skip

NEED_REFERENCE = ("better-than-pca", "generalises", "memorises", "same-distribution")

# A verdict is asked before those it can answer.
BASIC_FIRST = (
    "same-distribution",
    "memorises",
    "collapse",
    "better-than-mean",
    "code-size",
    "better-than-pca",
    "better-than-untrained",
    "generalises",
    "copies",
    "dead-units",
    "saturation",
    "robust",
    "converged",
)

NAMES = tuple(dict.fromkeys(c.verdict for c in CRITERIA))

MISSING = {
    "better-than-pca": "With {code[spent]} numbers PCA loses nothing: there is no less than that.",
    "better-than-untrained": "Even the untrained encoder's code holds the rows, and there are no labels to probe for.",
    "saturation": "The code has no bounds to saturate at.",
    "converged": "There is no training history.",
    "robust": "The code does not vary, or there are too few rows.",
}


def judge(sections: Sections) -> list[Verdict]:
    """All verdicts, in the table's order."""
    worst = {name: _worst(name, sections) for name in NAMES}
    causes: dict[str, str] = {}
    for name in sorted(NAMES, key=BASIC_FIRST.index):
        status, criterion = worst[name]
        if status == "fail" and name not in causes:
            causes |= {follower: name for follower in criterion.implies if follower not in causes}
    return [_verdict(name, *worst[name], sections, causes.get(name)) for name in NAMES]


def number(sections: Sections, measure: str) -> float | None:
    """A measure by its dotted name as a finite number, or None."""
    section, key = measure.split(".")
    value = sections[section].get(key)
    value = value.value if isinstance(value, Estimate) else value
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _worst(name: str, sections: Sections) -> tuple[str, Criterion]:
    """The worst status among a verdict's criteria, and the first criterion that has it."""
    order = ("fail", "warn", "pass", "n/a")
    found = [(criterion.status(sections), criterion) for criterion in CRITERIA if criterion.verdict == name]
    return min(found, key=lambda pair: order.index(pair[0]))


def _verdict(name: str, status: str, criterion: Criterion, sections: Sections, cause: str | None) -> Verdict:
    if cause is not None:
        return Verdict(name, "n/a", f"Not judged: {cause} failed, and this would only follow from it.")
    words = _words(sections)
    if status == "n/a":
        return Verdict(name, status, _missing(name, sections).format(**words))
    sentence = (criterion.good if status == "pass" else criterion.bad).format(**words)
    return Verdict(name, status, sentence, "" if status == "pass" else criterion.suggestion)


def _missing(name: str, sections: Sections) -> str:
    if name in NEED_REFERENCE and sections["generalisation"]["train_r2"] is None:
        return "There is no reference of training rows."
    return MISSING.get(name, "There are too few rows to say.")


def _words(sections: Sections) -> dict[str, dict[str, object]]:
    """The numbers as sentences need them: estimates by their value."""
    return {
        name: {key: value.value if isinstance(value, Estimate) else value for key, value in section.items()}
        for name, section in sections.items()
    }
