"""Describing photos on this CPU by torch and by OpenVINO, in turns: photos a second and their ratio.

    python benchmarks/describing.py [WEIGHTS.safetensors]

MobileNetV2 with the features of all stages, 64 prepared photos of 224 px a batch, on all cores, in both
precisions. The least cosine between the two is printed as well. Under a minute.
"""

import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from natviews.encoders import Architecture, Encoder, describer
from natviews.encoders.describing import WORTH, Describe

ROUNDS, BATCH = 7, 64


def rate(describe: Describe, x: Tensor) -> float:
    """Photos a second in one batch."""
    begun = time.perf_counter()
    describe(x)
    return len(x) / (time.perf_counter() - begun)


@torch.inference_mode()
def main(weights: Path | None = None) -> None:
    for precision in ("float32", "bfloat16"):
        architecture = Architecture(name="mobilenetv2_100", features="stages", precision=precision)
        encoder = Encoder.create(architecture, weights=weights).eval()
        x = encoder.prepare(torch.randint(0, 256, (BATCH, 224, 224, 3), dtype=torch.uint8))
        fast = describer(encoder, WORTH)
        same = F.cosine_similarity(encoder.describe(x).float(), fast(x)).min().item()  # and both are warm
        pairs = np.array([(rate(encoder.describe, x), rate(fast, x)) for _ in range(ROUNDS)])
        ratios = pairs[:, 1] / pairs[:, 0]
        by_torch, by_openvino = np.median(pairs, axis=0)
        print(
            f"{precision}: torch {by_torch:.0f}/s, OpenVINO {by_openvino:.0f}/s, {np.median(ratios):.2f} times "
            f"[{ratios.min():.2f}, {ratios.max():.2f}], least cosine {same:.5f}"
        )


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
