"""What a step gains by the other way to compute some convolutions (`natviews.encoders.convolutions`), and by batch
norm that is learnt within them where its statistics are frozen (`natviews.encoders.folding`).

    python benchmarks/convolutions.py [NETWORK:SIZE:BATCH:PRECISION:BATCHNORM...]

One core, forward and backward, in turns with the same network as timm makes it: seconds of the processor, and how
many times as fast, the median with the lowest and highest of the rounds.
"""

import sys
import time
from collections.abc import Callable

import numpy as np
import timm
import torch
from torch import nn

from natviews.encoders import Architecture, Encoder, keep_freed_memory

ASKED = (
    "mobilenetv2_100:160:64:bfloat16:moving", "mobilenetv2_100:160:64:bfloat16:frozen",
    "mobilenetv2_100:160:64:float32:frozen", "resnet18:40:128:bfloat16:moving", "resnet18:96:64:bfloat16:moving",
    "resnet18:96:64:bfloat16:frozen", "resnet50:96:32:bfloat16:moving", "efficientnet_b0:160:32:bfloat16:moving",
    "efficientnet_b0:160:32:float32:frozen",
)  # fmt: skip
ROUNDS = 7


def step_of(encoder: nn.Module, pictures: torch.Tensor, precision: str) -> Callable[[], None]:
    """One step of learning anything."""

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            features = encoder(pictures)
        features.float().square().mean().backward()
        encoder.zero_grad()

    return step


def main(*asked: str) -> None:
    torch.set_num_threads(1)
    keep_freed_memory()
    print("| | as it is, s | quicker, s | times |\n|---|---|---|---|")
    for name, size, batch, precision, batchnorm in (one.split(":") for one in asked):
        quick = Encoder.create(Architecture(name=name, size=int(size), batchnorm=batchnorm)).train()
        slow = timm.create_model(name, num_classes=0).to(memory_format=torch.channels_last)
        for module in slow.modules():
            module.train(batchnorm == "moving" or not isinstance(module, nn.BatchNorm2d))
        pictures = torch.randn(int(batch), 3, int(size), int(size)).to(memory_format=torch.channels_last)
        steps, seconds = [step_of(network, pictures, precision) for network in (slow, quick)], []
        for _ in range(ROUNDS + 1):  # the first is not counted
            begun = time.process_time()
            steps[0]()
            between = time.process_time()
            steps[1]()
            seconds.append((between - begun, time.process_time() - between))
        taken = np.array(seconds[1:])
        times = taken[:, 0] / taken[:, 1]
        before, after = np.median(taken, axis=0)
        print(
            f"| {name}, {size} px, {batch} photos, {precision}, {batchnorm} | {before:.2f} | {after:.2f} | "
            f"{np.median(times):.2f} [{times.min():.2f}, {times.max():.2f}] |",
            flush=True,
        )


if __name__ == "__main__":
    main(*(sys.argv[1:] or ASKED))
