"""Words of the page of results."""

from __future__ import annotations

from experiments.dice import DROP

TITLE = "The experiments of Park et al. 2020 on MALC 2012"

INTRODUCTION = (
    "Park, Bayat, Sabokrou, Kirschke and Menze (2020) propose to guard a segmentation network with a detector on the "
    "shifted spectrum and a reformer. Here their experiments are run again, with what the paper leaves out: coverage "
    "beside every Dice of accepted slices, attacks that act inside the brain only, noise of the same norm, intervals "
    "over subjects, and an attacker who knows the guard."
)

SETTING_NAMES = {"brain": "Brain only", "whole": "Whole image", "half_clean": "Brain only, half clean"}
"""Settings in which a claim is tested."""

PAPER_AVERAGES = {
    "Autoencoder I": 0.5644,
    "Autoencoder II": 0.5512,
    "UNet image": 0.9148,
    "DenseNet image": 0.8769,
    "UNet unshifted": 0.5315,
    "DenseNet unshifted": 0.5441,
    "UNet shifted": 0.9809,
    "DenseNet shifted": 0.9538,
}
"""ROC-AUC of each detector in Table 1 of the paper, mean over its target networks, on images with the skull."""

NOISE = (
    "Noise is Rician, inside the brain, with the norm of the attack of the same name. Where it is told from clean "
    "slices as well as that attack, the detector sees that a slice was changed, not that the change is adversarial: "
    "compare them in detection.csv."
)

BASELINES = (
    "Defences that the paper names beside its own. None has a detector: each accepts every slice, so coverage is 1 by "
    "definition. Adversarial training and distillation give networks of their own, and every attack is made anew "
    "against each (white box). Defense-GAN stands in front of the plain network like a reformer, and as with the "
    "reformers the attacks are those on the plain network: the attacker does not know of it.",
    "A distilled network is used at temperature 1, where its softmax is so sharp that the gradients of FGSM and PGD "
    "may vanish; DAG works on logits and needs no softmax. A row that is good under FGSM and PGD and bad under DAG "
    "may show hidden gradients, not robustness; but DAG, which is not bounded, also changes a slice about twice as "
    "much, and more where a network resists (mean L2 norm by attack).",
)
"""What the table of the baselines can tell, and what it cannot."""

METHODS = {
    "Data": "coronal slices of skull-stripped volumes that are not blank; the paper's images have the skull. A pixel "
    "larger than 1 mm is the mean of those of 1 mm in it. Target networks, detectors and reformers are fitted on the "
    "training subjects, weights are chosen on the validation subjects, thresholds set on the calibration subjects; "
    "nothing is fitted on the test subjects.",
    "Guards": "written detector → reformer. Pairs 1 to 16 are the paper's, in its order (MagNet: 1 to 4). Beyond it, "
    "17 has a UNet denoiser as reformer, trained with noise on its input, and 18 adds to the spectral score the "
    "divergence: the mean Jensen-Shannon divergence between the target network's predictions on a slice and behind "
    "that denoiser, both scores standardized on clean slices.",
    "Attack": "dense adversary generation (DAG) in the paper's own form, L2 steps of γ, label logit only, 20 steps, no "
    "early stop, last iterate, γ = 0.5 side/256; weaker ones with γ/2 and γ/8. Types: A all background, B the most "
    "frequent structures exchanged, C one structure dilated. Brain only: background stays 0; these figures count, for "
    "on skull-stripped images a look at the background alone would find an attack on the whole image. Detectors are "
    "measured on both, pairs of detector and reformer on full strength in the brain only. Form of Xie et al.: random "
    "derangement, L-infinity steps of 0.5/255, target logit, early stop, best iterate, cut from 200 to 20 steps, in "
    "which it changes little; that it is not detected says nothing of the detectors.",
    "Informed attacker": "knows the guard: selective projected gradient descent through reformer, segmenter and every "
    "score in use. Each step lowers a score that is over its threshold, or else the soft Dice of the structures behind "
    "the reformer. Its L2 norm is bounded by that of DAG type A at full strength, a third and a tenth of it. It starts "
    "once, in the clean slice, and keeps the accepted step with the most flipped pixels: what is accepted and bad is "
    "what such an attacker reaches at least. Two guards are attacked so, pairs 13 and 18.",
    "Detection": "higher scores are more suspicious. The area under the ROC curve does not depend on the ratio of "
    "clean to attacked slices; it is that of a half clean, half attacked set. The true positive rate at 5 % false "
    "positives uses the best threshold for these slices; the calibrated threshold is chosen on other subjects.",
    "Dice": "hard, per structure without background, counts summed over the accepted slices of a volume, all types of "
    "the attack together; mean over the structures present in label or prediction, then over volumes. A volume of "
    "which nothing is accepted has none. Soft Dice: the paper's, background included, mean over accepted slices; a "
    "network whose probabilities are spread thinly over absent classes has a low one, however good its segmentation.",
    "Accepted and bad": f"share of all slices that are accepted although their Dice behind the reformer lies more than "
    f"{DROP:g} under that of the clean slice without guard. A slice without structures in label and prediction has "
    "Dice 1 there.",
    "Intervals": "95 %, percentile bootstrap over subjects, the same draws for every figure, so that differences are "
    "paired. They hold the choice of test subjects, not that of seed and training. With few subjects they are known to "
    "be somewhat too narrow, and no correction is made for the number of comparisons. A subject that is drawn twice "
    "counts more in the AUC against its own clean slices, which moves intervals away from 0.5, so that one near 0.5 "
    "may miss its own figure. An asterisk marks an interval that lacks more than 5 % of the resamples, because nothing "
    "is accepted in them.",
    "Claims": "yes if the interval of every difference lies above 0, no if that of any lies below 0, otherwise "
    "undecided. Brain only counts. The reasons given for what did not come out are conjecture.",
}
"""How it was measured, by subject."""

CAPTIONS = {
    "informed": "Made for each guard by an attacker who knows it; accepted and bad comes first, as no other figure "
    "tells what a guard is worth against such an attacker.",
    "claims": "DAG of all types at full strength.",
    "comparisons": "Both figures of each comparison and their paired difference.",
    "bars": "Met or missed by the figure itself, whatever its interval.",
    "detection": "DAG types A, B and C together unless named; informed attacker: made for a guard with this "
    "detector, with the norm of DAG A, mean over the target networks. He only has to stay below the threshold, so that "
    "this area flatters the detector; what counts is accepted and bad. The paper's mean is over its three target "
    "networks, on images with the skull.",
    "calibrated": "Threshold calibrated for 5 % false positives on the calibration subjects.",
    "guards": "AE: autoencoder; all accepted: reformer without detector. Types A, B and C of DAG together at full "
    "strength, brain only, unless named. Half clean: the same with as many clean slices. Cost of the reformer: Dice of "
    "the accepted clean slices without it minus with it.",
    "attacks": "Brain only or whole image as named. Flipped: share of the targeted pixels that are not predicted as "
    "their label, those that were not before included; noise has no target.",
    "roc": "DAG types A, B and C together at full strength, brain only. Upright line: 5 % false positives.",
    "figure_4": "DAG types A, B and C together at full strength, brain only. Points: Dice of the accepted slices with "
    "interval; bars: coverage. Dashed line: no defence under the same attack; dotted: no defence, clean slices. A "
    "point far right with a short bar stands for few slices.",
    "risk_coverage": "Half of the slices clean, half attacked by DAG types A, B and C at full strength, brain only; "
    "without reformer. Bad as in accepted and bad. Perfect: rejects exactly the bad slices first. The smaller the area "
    "the better.",
    "figure_2": "Attacks at full strength, brain only; intensities from 0 to 1.",
    "figure_3": "Logarithmic magnitude, (log(magnitude + 1e-7) + 16) / 16. Unshifted: zero frequency in the corner; "
    "shifted: in the middle.",
    "baselines": "Brain only. DAG: types A, B and C together at full strength; FGSM and PGD: within 8/255 at each "
    "pixel, PGD with 20 steps from a random start. Accepted and bad counts against the Dice of the plain network on "
    "the clean slice. Cost: Dice of the plain network on clean slices minus that of the defended one.",
    "about": "Facts of the run.",
}
