"""Words of the page of results on the test split."""

from __future__ import annotations

INTRODUCTION = (
    "In brackets: 95 % intervals by bootstrap over subjects. With so few subjects they are somewhat too narrow, and "
    "[0, 0] or [1, 1] means never or always in these slices, not certainty. Nothing was tuned on these volumes. The "
    "guard is no protection against an attacker who knows it and optimizes against it: see the first rows of the "
    "tables of attacks."
)

WORDS = (
    "DAG (dense adversary generation): the attack of Xie et al. (2017) in the form of Park et al. (2020), with its "
    "three types, A: all background, B: the most frequent structures exchanged, C: one structure dilated.",
    "γ: the size of each of its 20 steps in the paper, L2 norm 0.5 side/256 for gray values in [0, 1] (0.375 for 192 x "
    "192). Full strength is γ.",
    "Support: where the image may change, in the brain alone or in the whole image. Brain counts: on skull-stripped "
    "images a look at the background alone would find an attack on the whole image.",
    "Spectral score: reconstruction error of the spectrum. Combined score: the sum of this and the divergence of the "
    "predictions without and with the reformer, each standardized.",
    "Informed attacker: knows the guard and optimizes against it.",
    "Flipped: share of the attacked pixels that are no longer predicted as their label.",
    "Accepted and bad: share of all attacked slices that are accepted although the Dice of the slice behind the "
    "reformer lies more than 0.1 below that of the clean slice without guard.",
    "Won back: (reformed - attacked) / (clean - attacked), not given where no more than 0.01 was lost.",
    "Coverage: share of slices that are accepted.",
)

CLAIMS = (
    "The bars were set before anything was measured. The guard that is shipped decides by the score chosen below; the "
    "last row counts all attacked slices, accepted or not."
)

NOISE = (
    "Where noise is told from clean slices as well as the attack of the same norm, the detector sees that a slice was "
    "changed, not that the change is adversarial."
)

ACCIDENTS = (
    "Slices that no attacker has spoilt, changed in the brain only. Bias field and spike (a plane wave over the image) "
    "reach about a tenth of the range of gray values; blur: Gaussian of 1.5 pixels; Gibbs ringing: frequencies above "
    "0.3 of the largest one cut off. The guard is no measure of image quality: what it accepts need not be good."
)

METHODS = (
    "Dice: counts summed over the slices of a volume, mean over the structures present in label or prediction, mean "
    "over volumes.",
    "White box against the segmenter alone; label: ground truth.",
    "DAG: label logit only, 20 steps, no early stop, last iterate.",
    "Form of Xie et al.: random derangement, L-infinity steps of 0.5/255, target logit, early stop, best iterate, but "
    "20 steps instead of 200, in [0, 1], background not targeted.",
    "Noise: Rician, brain only, with the norm of DAG type A.",
    "Informed attacker: selective PGD through detector, reformer and segmenter, 60 steps on the soft Dice "
    "of the structures, brain only, on every second of the attacked slices; its budget is a share of the L2 norm of "
    "DAG type A at full strength. Its figures are what such an attacker reaches at least.",
    "Clean comparison: the same slices.",
)
