"""What the paper says, as far as its figures are at hand; nothing here is guessed.

Hada and Carreira-Perpinan, Sampling the "Inverse Set" of a Neuron (arXiv 1910.04857), on CaffeNet
and Places205-CNN with PPGN's fc6 generator. Where a recipe says "not at hand", the paper has a
figure that nobody copied here, or none.
"""

from __future__ import annotations

NOT_AT_HAND = "not at hand"

# Zero-based units of fc8: volcano, cardoon, toilet tissue, monastery, toilet seat.
CLASSES = (980, 946, 999, 663, 861)
RANGE = (50.0, 60.0)
HIDDEN = ("conv5", 196, (6, 6))
HIDDEN_RANGES = ((170.0, 200.0), (260.0, 300.0))
# Gas station and phone booth of Places205-CNN; their ranges are not at hand, CaffeNet's stand in.
PLACES = (87, 140)

GIVEN = {
    "table1": (
        ("mean pair distance, ours and PPGN", NOT_AT_HAND),
        ("samples compared", "500 of each"),
        ("PPGN", "10 chains of 200 steps, 2000 images"),
    ),
    "figure1": (
        ("n, K", "500, 10"),
        ("gradient steps", "about 400 for seeds, 85 for the walk"),
        ("time of 500 samples", "5 to 7 minutes on a GPU"),
    ),
    "figure2": (("PPGN", "10 chains of 200 steps; one image of each shown"),),
    "figure3": (("conv5 197 (unit 196)", "170 to 200 and 260 to 300"),),
    "figure4": (("neurons and ranges of the intersection", NOT_AT_HAND),),
    "figure5": (("neurons and ranges", NOT_AT_HAND),),
    "figure6": (("Places205-CNN", "gas station (87) and phone booth (140)"),),
    "figure7": (("eq. 13", "codes with extreme values, white spots in images"),),
    "figure8": (("eq. 14", "samples from one start are alike"),),
    "figure9": (
        ("gradient steps of section 4.3", "13,000; 800 + 35; 400 + 35"),
        ("share of the full method's distance", NOT_AT_HAND),
    ),
    "size": (
        ("gradient steps for n = 500, K = 10", "about 400 + 85"),
        ("time of 500 samples", "5 to 7 minutes on a GPU"),
    ),
}
