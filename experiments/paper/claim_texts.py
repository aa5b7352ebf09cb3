"""Words of the claims: what the paper says, how it is read here, and what may lie behind another outcome.

The reasons are conjecture, shown only where a claim did not come out.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ClaimText:
    """Words of one claim.

    Attributes:
        text: the claim.
        reading: which figures are compared.
        reason: why it may not come out here, as conjecture.
    """

    text: str
    reading: str
    reason: str


CLAIM_TEXTS = {
    "shifted_above_unshifted": ClaimText(
        "Detectors on the shifted spectrum are better than on the unshifted one",
        "ROC-AUC, UNet shifted against UNet unshifted and DenseNet shifted against DenseNet unshifted, mean over the "
        "target networks",
        "Shifting only moves pixels: both spectra hold the same numbers, and what differs is how well a network can "
        "describe them. On the logarithmic scale used here the high frequencies, which lie in the middle of the "
        "unshifted spectrum, need be no harder to learn. Which order suits better may depend on the network.",
    ),
    "unshifted_above_chance": ClaimText(
        "Detectors on the unshifted spectrum are better than chance",
        "ROC-AUC against 0.5, UNet unshifted and DenseNet unshifted, mean over the target networks",
        "The paper's own figures, 0.53 and 0.54, lie close to chance. With few subjects an interval of that distance "
        "may well contain 0.5, and short trainings may leave residuals that drown the attack.",
    ),
    "shifted_above_image": ClaimText(
        "Detectors on the shifted spectrum are better than on the image",
        "ROC-AUC, UNet shifted against UNet image and DenseNet shifted against DenseNet image, mean over the target "
        "networks",
        "A network on the image that was trained to copy clean slices need not copy an attack, and leaves it in its "
        "residual, the more clearly the less it leaves of a clean slice; an attack on the whole image also changes the "
        "empty background, where any trace shows. In the spectrum an attack is spread over frequencies that hold "
        "anatomy and noise as well.",
    ),
    "networks_above_autoencoders": ClaimText(
        "UNet and DenseNet are better detectors than MagNet's autoencoders",
        "ROC-AUC on the image, the one input that all four have: UNet image and DenseNet image against Autoencoder I "
        "and II, mean over the target networks; on the unshifted spectrum the paper itself reports the opposite",
        "Skip connections let a network copy its input, attack included, so a residual on the image may hold less of "
        "the attack than that of a coarse autoencoder. The skull, which only the paper's images have, may also have "
        "made them harder to reconstruct for networks with three filters.",
    ),
    "unet_reformer_best": ClaimText(
        "UNet is a better reformer than the autoencoders and DenseNet",
        "Dice of all slices behind the reformer, without a detector, so that none gains by rejecting; mean over the "
        "target networks",
        "Trained on clean images alone, as in the paper, UNet learns to return its input, and the attack with it. A "
        "network that returns it less exactly, such as a narrow DenseNet, may lose more of the attack, and a coarse "
        "autoencoder most of it, as long as it keeps the structures.",
    ),
    "pair_13_best": ClaimText(
        "Pair 13, UNet on the shifted spectrum with the UNet reformer, is the best of the 16",
        "Dice of the accepted slices, pair 13 against the best of the other 15, for each target network; coverage and "
        "accepted-and-bad stand in Table 2",
        "Among attacked slices alone the reformer decides this figure: a pair whose reformer removes more of the "
        "attack wins, also with a detector at chance, and what a good detector lets pass was attacked too. Pairs "
        "that accept few slices are compared on those few.",
    ),
    "magnet_below_none": ClaimText(
        "MagNet is worse than no defence for UNet",
        "Dice of the accepted slices, mean of pairs 1 to 4, against all slices of the UNet target without defence",
        "An autoencoder that is trained until it returns clean slices well cannot draw the attack, and takes it away; "
        "one that is trained too briefly ruins clean slices, and is then worse than nothing. Our attack may also leave "
        "less Dice than the paper's, so that there is more to win back.",
    ),
    "skip_connections": ClaimText(
        "Skip connections help",
        "Read in each role: detectors on the image and reformers, mean of UNet and DenseNet (with) against mean of "
        "Autoencoder I and II (without); and target networks, the change of Dice under attack without defence, UNet "
        "and DenseNet (with) against SegNet (without)",
        "As a target, a network with skip connections may give the attacker's gradient a short way; and one that is "
        "worse on clean slices has less Dice to lose. Where skip connections do not help a reformer or a detector, "
        "they may let it copy the attack. The networks differ in size, depth and training too.",
    ),
}

BAR_REASONS = {
    "UNet shifted": "The perturbation is small beside what the network leaves of a clean spectrum, most of all where "
    "the attack needs less norm. Where Table 1 shows more for UNet on the unshifted spectrum or on the image, the size "
    "and the training of the network cannot be the whole reason.",
    "UNet shifted + divergence": "Both scores have the same weight in the sum, however much each can tell. Where Table "
    "1 shows a higher figure for the divergence alone, the spectral score mostly adds its noise.",
}
