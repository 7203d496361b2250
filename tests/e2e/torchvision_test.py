"""torchvision's models with random weights through `minicnn import` and back through `minicnn export`: every tensor comes back
under its own name, bit for bit.

usage: torchvision_test.py PROGRAM        Exits with 77 (skipped) where PyTorch or torchvision is missing."""
import json
import os
import struct
import subprocess
import sys
import tempfile

try:
    import torch
    import torchvision.models as models
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

program = sys.argv[1]


def run(*arguments):
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"minicnn {' '.join(arguments)}: exit code {done.returncode}: {done.stderr}")


def safetensors(path):
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            yield name, entry["dtype"], entry["shape"], data[begin:end]


checked = 0
for ours, make in [("alexnet-torchvision", lambda: models.alexnet(num_classes=7)),
                   ("vgg11", lambda: models.vgg11(num_classes=3)),
                   ("vgg11-bn", lambda: models.vgg11_bn(num_classes=3)),
                   ("squeezenet", lambda: models.squeezenet1_1(num_classes=5)),
                   ("mobilenet-v2", lambda: models.mobilenet_v2(num_classes=3)),
                   ("mobilenet-v3-small", lambda: models.mobilenet_v3_small(num_classes=3)),
                   ("mobilenet-v3-large", lambda: models.mobilenet_v3_large(num_classes=3)),
                   ("efficientnet-b0", lambda: models.efficientnet_b0(num_classes=3)),
                   ("densenet121", lambda: models.densenet121(num_classes=3)),
                   ("convnext-tiny", lambda: models.convnext_tiny(num_classes=3)),
                   ("vit-b16", lambda: models.vit_b_16(num_classes=3)),
                   ("resnet18", lambda: models.resnet18(num_classes=4)),
                   ("resnet50", lambda: models.resnet50(num_classes=2)),
                   ("googlenet", lambda: models.googlenet(num_classes=3, aux_logits=True, init_weights=False)),
                   ("inception-v3", lambda: models.inception_v3(num_classes=3, aux_logits=True, init_weights=False))]:
    torch.manual_seed(1)
    state = make().state_dict()
    for name, value in state.items():  # running statistics that are not all 0 and 1
        if value.is_floating_point() and "running" in name:
            value.uniform_(0.5, 1.5)
    with tempfile.TemporaryDirectory() as folder:
        pth, weights, back = (os.path.join(folder, name) for name in ("a.pth", "b.safetensors", "c.safetensors"))
        torch.save(state, pth)
        run("import", "--model", ours, "--from", pth, "--out", weights)
        run("export", "--weights", weights, "--format", "safetensors", "--names", "torchvision", "--out", back)
        want = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
        for name, dtype, shape, data in safetensors(back):
            value = want.pop(name, None)
            if value is None:
                sys.exit(f"{ours}: {name} is not in torchvision's state dict")
            if dtype != "F32" or list(value.shape) != shape or value.numpy().tobytes() != data:
                sys.exit(f"{ours}: {name} came back changed")
            checked += 1
        if want:
            sys.exit(f"{ours}: did not come back: {sorted(want)[:5]}")
    print(f"{ours}: {len(state)} tensors")
print(f"{checked} tensors came back as they were")
