"""One of torchvision's networks, for bench/compare_models.sh: one JSON line with images/s (median step) and peak memory.

usage: /usr/bin/python3 bench/torchvision_models.py MODEL train|infer BATCH STEPS     MODEL: minicnn's name, as resnet18
Two classes and the sizes that minicnn bench has; auxiliary losses count with 0.3 (GoogLeNet) and 0.4 (Inception v3). Needs
python3-torchvision. Threads: OMP_NUM_THREADS, OPENBLAS_NUM_THREADS and BLIS_NUM_THREADS.
"""
import json
import os
import resource
import statistics
import sys
import time
import warnings

import torch
import torch.nn.functional as F

warnings.filterwarnings("ignore")
from torchvision import models  # noqa: E402

AUXILIARY = {"googlenet": 0.3, "inception-v3": 0.4}


def make(name):
    if name == "googlenet":
        return models.GoogLeNet(num_classes=2, init_weights=False)
    if name == "inception-v3":
        return models.Inception3(num_classes=2, init_weights=False)
    if name == "squeezenet":
        return models.squeezenet1_1(weights=None, num_classes=2)
    return getattr(models, name.replace("-", "_"))(weights=None, num_classes=2)


def main():
    name, mode, batch, steps = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count())))
    net = make(name)
    size = 299 if name == "inception-v3" else 224
    images, labels = torch.randn(batch, 3, size, size), torch.randint(0, 2, (batch,))
    if mode == "train":
        adam = torch.optim.Adam(net.parameters(), 1e-3)

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

        def step():
            with torch.no_grad():
                net(images)
    step()
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    print(json.dumps({"model": name, "mode": mode, "batch_size": batch, "images_per_second": batch / statistics.median(times),
                      "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


main()
