"""A network in PyTorch, for bench/compare_models.sh: one JSON line with images/s (median step) and peak memory.

usage: /usr/bin/python3 bench/models_torch.py MODEL train|infer BATCH STEPS SIZE [--channels-last] [--foreach] [--frozen]

MODEL: minicnn's name, as resnet18; SIZE: pixels a side; --foreach: Adam over all parameters at once (train); --frozen: traced,
frozen and optimised, which folds batch norms (infer). Torchvision's networks, and those that it does not have written out
below; two classes; auxiliary losses count with 0.3 (GoogLeNet) and 0.4 (Inception v3); Adam. Needs python3-torchvision.
Threads: OMP_NUM_THREADS, OPENBLAS_NUM_THREADS and BLIS_NUM_THREADS.
"""
import os
import sys
import warnings

import torch
import torch.nn.functional as F
from torch import nn

warnings.filterwarnings("ignore")
from torchvision import models  # noqa: E402

import timing  # noqa: E402

AUXILIARY = {"googlenet": 0.3, "inception-v3": 0.4}
CLASSES = 2


def convolutions(*layers):
    """(filters, kernel, stride, padding), each with ReLU."""
    return [part for filters, kernel, stride, padding in layers
            for part in (nn.LazyConv2d(filters, kernel, stride, padding), nn.ReLU(True))]


def pool():
    return nn.MaxPool2d(3, 2, ceil_mode=True)


def lenet5():
    return nn.Sequential(nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, CLASSES))


def network_in_network():
    return nn.Sequential(*convolutions((96, 11, 4, 0), (96, 1, 1, 0), (96, 1, 1, 0)), pool(),
                         *convolutions((256, 5, 1, 2), (256, 1, 1, 0), (256, 1, 1, 0)), pool(),
                         *convolutions((384, 3, 1, 1), (384, 1, 1, 0), (384, 1, 1, 0)), pool(), nn.Dropout(),
                         *convolutions((1024, 3, 1, 1), (1024, 1, 1, 0), (CLASSES, 1, 1, 0)), nn.AdaptiveAvgPool2d(1),
                         nn.Flatten())


class SppNet(nn.Module):
    def __init__(self):
        super().__init__()
        norm = lambda: nn.LocalResponseNorm(5, 5e-4, 0.75, 2.0)  # noqa: E731
        self.body = nn.Sequential(*convolutions((96, 7, 2, 1)), norm(), pool(), *convolutions((256, 5, 2, 1)), norm(),
                                  nn.MaxPool2d(3, 2), *convolutions((384, 3, 1, 1), (384, 3, 1, 1), (256, 3, 1, 1)))
        self.head = nn.Sequential(nn.LazyLinear(4096), nn.ReLU(True), nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(True),
                                  nn.Dropout(), nn.Linear(4096, CLASSES))

    def forward(self, x):
        x = self.body(x)
        return self.head(torch.cat([torch.flatten(F.adaptive_max_pool2d(x, n), 1) for n in (6, 3, 2, 1)], 1))


class CifarBlock(nn.Module):
    def __init__(self, channels, filters, stride):
        super().__init__()
        self.stride, self.pad = stride, (filters - channels) // 2
        self.conv1, self.bn1 = nn.Conv2d(channels, filters, 3, stride, 1, bias=False), nn.BatchNorm2d(filters)
        self.conv2, self.bn2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False), nn.BatchNorm2d(filters)

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.stride == 2:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.pad, self.pad))
        return F.relu(x + y)


def resnet_cifar(depth):
    parts, channels = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(True)], 16
    for filters in (16, 32, 64):
        for _ in range((depth - 2) // 6):
            parts.append(CifarBlock(channels, filters, 1 if filters == channels else 2))
            channels = filters
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, CLASSES))


def make(name):
    own = {"lenet5": lenet5, "nin": network_in_network, "spp-net": SppNet}
    own.update({f"resnet{depth}": lambda depth=depth: resnet_cifar(depth) for depth in (20, 32, 44, 56, 110)})
    if name in own:
        return own[name]()
    if name == "googlenet":
        return models.GoogLeNet(num_classes=CLASSES, init_weights=False)
    if name == "inception-v3":
        return models.Inception3(num_classes=CLASSES, init_weights=False)
    other = {"squeezenet": "squeezenet1_1", "squeezenet-1.0": "squeezenet1_0", "alexnet-torchvision": "alexnet"}
    torchvision = other.get(name, name.replace("-", "_"))
    if name == "alexnet" or not hasattr(models, torchvision):  # the article's differs from torchvision's: bench/compare.sh
        sys.exit(f"{name}: not written in PyTorch here")
    return getattr(models, torchvision)(weights=None, num_classes=CLASSES)


def main():
    name, mode, batch, steps, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
    flags = sys.argv[6:]
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count())))
    layout = torch.channels_last if "--channels-last" in flags else torch.contiguous_format
    net = make(name)
    channels = 1 if name == "lenet5" else 3
    with torch.no_grad():
        net.eval()(torch.zeros(1, channels, size, size))  # lazy layers take their sizes
    net = net.train().to(memory_format=layout)
    images, labels = torch.randn(batch, channels, size, size).to(memory_format=layout), torch.randint(0, 2, (batch,))
    if mode == "train":
        adam = torch.optim.Adam(net.parameters(), 1e-3, foreach="--foreach" in flags)

        def step():
            adam.zero_grad(set_to_none=True)
            outputs = net(images)
            if torch.is_tensor(outputs):
                outputs = (outputs,)
            losses = [F.cross_entropy(y, labels) for y in outputs]
            (losses[0] + AUXILIARY.get(name, 0.0) * sum(losses[1:])).backward()
            adam.step()
    else:
        net.eval()
        if "--frozen" in flags:
            with torch.no_grad():
                net = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(net, images)))

        def step():
            with torch.no_grad():
                net(images)
    timing.report(step, steps, batch, model=name, mode=mode)


main()
