"""The article's AlexNet in PyTorch, for bench/compare.sh: one JSON line with images/s (median step) and peak memory.

usage: /usr/bin/python3 bench/alexnet_torch.py train|infer BATCH STEPS [--channels-last] [--foreach] [--frozen] [--bf16]
Needs python3-torch. Threads: OMP_NUM_THREADS, OPENBLAS_NUM_THREADS and BLIS_NUM_THREADS, which compare.sh sets.
"""
import os
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F

import timing


def norm():
    # TensorFlow's alpha is not divided by the window of 2 * 4 + 1 channels, PyTorch's is.
    return nn.LocalResponseNorm(9, alpha=0.001 / 9 * 9, beta=0.75, k=1.0)


def alexnet():
    return nn.Sequential(
        nn.Conv2d(3, 96, 11, 4), nn.ReLU(), nn.MaxPool2d(3, 2), norm(),
        nn.Conv2d(96, 256, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2, 2), norm(),
        nn.Conv2d(256, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Flatten(),
        nn.Linear(9216, 4096), nn.ReLU(), nn.Dropout(),
        nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 2))


def main():
    mode, batch, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    flags = sys.argv[4:]
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count())))

    def bf16():
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled="--bf16" in flags)

    net = alexnet()
    images, labels = torch.randn(batch, 3, 227, 227), torch.randint(0, 2, (batch,))
    if "--channels-last" in flags:
        net = net.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    if mode == "train":
        adam = torch.optim.Adam(net.parameters(), 1e-3, foreach="--foreach" in flags)

        def step():
            adam.zero_grad(set_to_none=True)
            with bf16():
                loss = F.cross_entropy(net(images), labels)
            loss.backward()
            adam.step()
    else:
        net.eval()
        if "--frozen" in flags:
            with torch.no_grad():
                net = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(net, images)))

        def step():
            with torch.no_grad(), bf16():
                net(images)
    timing.report(step, steps, batch, model="alexnet", mode=mode, flags=flags)


main()
