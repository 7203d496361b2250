"""ONNX models of other programs in minicnn: torchvision's networks with random weights, exported by PyTorch, compute what PyTorch
computes, and do so again when minicnn exports them; `minicnn import` makes weights files that the other commands take.

usage: onnx_import_test.py PROGRAM ONNX_MODEL [NAME...]    ONNX_MODEL is the program of onnx_model.cpp. With names, these networks at
their own size. Exits with 77 (skipped) where python3-torch, python3-torchvision or python3-onnx are missing. Where MINICNN_ONNXRUNTIME
names a folder with npm's onnxruntime-node, ONNX Runtime computes the models that minicnn exports too."""
import json
import os
import subprocess
import sys
import tempfile
import warnings

try:
    import numpy
    import onnx
    import torch
    import torchvision
except ImportError as missing:
    print(f"SKIPPED: {missing} (Debian: python3-torch, python3-torchvision, python3-onnx)")
    sys.exit(77)

import onnx_runtime  # noqa: E402

warnings.filterwarnings("ignore")
program, onnx_model = (os.path.abspath(path) for path in sys.argv[1:3])
# Small pictures: the same layers in less time. vgg11, alexnet and vit_b_16 have hundreds of megabytes of weights: by name only, as
# vgg11, or with pixels a side, as vit_b_16:64.
MODELS = [(name.split(":")[0], int((name + ":0").split(":")[1])) for name in sys.argv[3:]] or [("resnet18", 64), ("googlenet", 64), ("inception_v3", 107), ("squeezenet1_1", 64),
                                                     ("densenet121", 64), ("shufflenet_v2_x0_5", 64), ("mobilenet_v2", 64),
                                                     ("mobilenet_v3_small", 64), ("efficientnet_b0", 64), ("convnext_tiny", 64)]


def run(*arguments, code=0):
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True)
    if done.returncode != code:
        sys.exit(f"{' '.join(map(str, arguments))}: exit code {done.returncode}, wanted {code}: {done.stderr}")
    return done.stdout if code == 0 else done.stderr


def check(condition, text):
    if not condition:
        sys.exit(text)


def made(name, size):
    """The network with random weights that keep signals as large as they are (He et al.), and numbers in normalisation and where
    networks begin with nothing that are not 0 and 1."""
    torch.manual_seed(0)
    options = {"googlenet": dict(init_weights=False, aux_logits=False), "inception_v3": dict(init_weights=False),
               "vit_b_16": dict(image_size=size)}
    model = getattr(torchvision.models, name)(weights=None, **options.get(name, {}))
    for m in model.modules():
        if isinstance(m, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(m.weight, nonlinearity="relu")
        if isinstance(m, torch.nn.BatchNorm2d):
            m.running_mean.uniform_(-0.3, 0.3)
            m.running_var.uniform_(0.5, 2)
            m.weight.data.uniform_(0.5, 1.5)
            m.bias.data.uniform_(-0.3, 0.3)
        if isinstance(m, torch.nn.LayerNorm):
            m.weight.data.uniform_(0.5, 1.5)
            m.bias.data.uniform_(-0.3, 0.3)
        if isinstance(m, torch.nn.Linear) and name in ("convnext_tiny", "vit_b_16"):
            torch.nn.init.normal_(m.weight, std=m.in_features**-0.5)
    for key, p in model.named_parameters():
        if key.endswith("layer_scale"):
            p.data.uniform_(0.5, 1.5)
        if key.endswith(("class_token", "in_proj_bias")):
            p.data.uniform_(-1, 1)
    return model.eval()


def export(model, x, path, free=True):
    axes = {"x": {0: "batch"}, "y": {0: "batch"}} if free else None
    torch.onnx.export(model, x[:1], path, input_names=["x"], output_names=["y"], opset_version=13, dynamic_axes=axes)


def unlike_images(size):
    """Two images that random weights, too, tell apart: noise, and large smooth patches."""
    patches = torch.nn.functional.interpolate(torch.rand(1, 3, 5, 5), size=size, mode="bilinear")
    return torch.cat([torch.rand(1, 3, size, size), 8 * patches - 4])


def check_networks(folder):
    for name, size in MODELS:
        size = size or (299 if name == "inception_v3" else 224)
        model, x = made(name, size), unlike_images(size)
        with torch.no_grad():
            wanted = model(x).numpy()
        path = os.path.join(folder, name + ".onnx")
        export(model, x, path)
        numpy.savez(os.path.join(folder, "input.npz"), x=x.numpy())
        run(onnx_model, "import", path, folder)
        got = numpy.load(os.path.join(folder, "values.npz"))
        largest = float(numpy.abs(wanted).max())
        apart = float(numpy.abs(wanted[0] - wanted[1]).max())
        first, again = (float(numpy.abs(got[key] - w).max()) for key, w in (("output", wanted), ("again", got["output"])))
        check(first < 1e-4 * max(1, largest) and first < 1e-2 * apart, f"{name}: differs from PyTorch by {first}")
        check(again < 1e-5 * max(1, largest), f"{name}: differs by {again} after export and import")
        onnx.checker.check_model(onnx.load(os.path.join(folder, "net.onnx")))
        line = f"{name} at {size} px: differs from PyTorch by {first:.1e} of {largest:.2g}, exported and imported again by {again:.1e}"
        theirs = onnx_runtime.output(os.path.join(folder, "net.onnx"), x.numpy())
        if theirs is not None:
            d = float(numpy.abs(theirs - wanted.ravel()).max())
            check(d < 1e-4 * max(1, largest), f"{name}: ONNX Runtime differs from PyTorch by {d} on what minicnn exports")
            line += f", ONNX Runtime by {d:.1e}"
        print(line, flush=True)


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 3, stride=2)
        self.head = torch.nn.Linear(8, 3)

    def forward(self, x):
        return torch.softmax(self.head(torch.relu(self.conv(x)).mean([2, 3])), 1)


class Sine(torch.nn.Module):
    def forward(self, x):
        return torch.sin(x)


def write_bmp(path, pixels):
    """24 bits a pixel, rows from the bottom, blue first. `pixels` is (height, width, 3), RGB, the width a multiple of 4."""
    height, width, _ = pixels.shape
    header = b"BM" + b"".join(n.to_bytes(4, "little") for n in (54 + pixels.size, 0, 54, 40, width, height))
    header += b"\1\0\x18\0" + bytes(24)
    with open(path, "wb") as file:
        file.write(header + pixels[::-1, :, ::-1].tobytes())


def check_program(folder):
    """A model with a softmax, a size and names: import, evaluate, predict, export, explain, fine-tuning."""
    torch.manual_seed(2)
    model = Small().eval()
    size, side = 70, 80  # a picture of 80 pixels is not resized
    path, weights = os.path.join(folder, "small.onnx"), os.path.join(folder, "small.safetensors")
    export(model, torch.rand(1, 3, size, size), path, free=False)
    names = os.path.join(folder, "names.txt")
    with open(names, "w") as file:
        file.write("cat\ndog\nfox\n")
    run(program, "import", "--from", path, "--out", weights, "--class-names", names, "--mean", "100,110,120", "--std", "60", "--range", "255")
    rows, columns = numpy.mgrid[0:side, 0:side]
    pixels = numpy.stack([(rows * 5 + columns) % 256, (columns * columns // 7) % 256, (rows * columns // 9) % 256], axis=-1)
    pictures = os.path.join(folder, "pictures")
    os.makedirs(pictures)
    for i in range(16):
        write_bmp(os.path.join(pictures, f"{'cat' if i % 2 else 'dog'}.{i}.bmp"), numpy.roll(pixels, 3 * i, 1).astype(numpy.uint8))
    photo = os.path.join(pictures, "dog.0.bmp")
    first = (side - size) // 2
    crop = pixels[first:first + size, first:first + size].astype("f4")
    prepared = torch.tensor(((crop - numpy.array([100, 110, 120], "f4")) / 60).transpose(2, 0, 1)[None].astype("f4"))
    with torch.no_grad():
        wanted = model(prepared)[0].numpy()
    said = json.loads(run(program, "predict", "--weights", weights, "--tta", "none", "--json", photo))["probabilities"]
    check(max(abs(said[name] - w) for name, w in zip(["cat", "dog", "fox"], wanted)) < 1e-4, f"predict says {said}, PyTorch {wanted}")
    check(max(said.values()) < 0.99, f"{said} are too sure to test anything")
    again = os.path.join(folder, "again.onnx")
    run(program, "export", "--weights", weights, "--format", "onnx", "--probabilities", "--out", again)
    onnx.checker.check_model(onnx.load(again))
    twice = os.path.join(folder, "twice.safetensors")
    run(program, "import", "--from", again, "--out", twice)
    same = json.loads(run(program, "predict", "--weights", twice, "--tta", "none", "--json", photo))["probabilities"]
    check(set(same) == set(said) and max(abs(same[k] - said[k]) for k in said) < 1e-6, f"after export and import {same}, before {said}")
    run(program, "summary", "--weights", weights)
    run(program, "explain", "--weights", weights, "--out", os.path.join(folder, "heat"), photo)
    tuned = os.path.join(folder, "tuned")
    run(program, "train", "--data", pictures, "--out", tuned, "--init-from", weights, "--epochs", 1, "--batch-size", 4, "--val-fraction", 0.25)
    best = os.path.join(tuned, "best.safetensors")
    told = json.loads(run(program, "evaluate", "--weights", best, "--data", pictures, "--json"))
    check(told["images"] == 16 and told["classes"] == ["cat", "dog"], f"evaluate after fine-tuning: {told}")
    print(f"minicnn import, predict, export, explain, train: {said}")


def check_refusals(folder):
    path, out = os.path.join(folder, "small.onnx"), os.path.join(folder, "refused.safetensors")
    for more, text in [(["--model", "resnet18"], "--model: not with ONNX models"), (["--new-head", "--classes", "2"], "--new-head"),
                       (["--std", "0"], "--std"), (["--mean", "1,2"], "--mean"), (["--range", "7"], "--range")]:
        check(text in run(program, "import", "--from", path, "--out", out, *more, code=2), f"{more}: other words")
    torch.onnx.export(Sine(), torch.rand(1, 3, 8, 8), os.path.join(folder, "sine.onnx"), opset_version=13)
    told = run(program, "import", "--from", os.path.join(folder, "sine.onnx"), "--out", out, code=1)
    check("Sin: no layer for this operator" in told, told)
    check(not os.path.exists(out), "a refused import wrote a file")


with tempfile.TemporaryDirectory(prefix="minicnn_onnx_import_") as scratch:
    check_networks(scratch)
    check_program(scratch)
    check_refusals(scratch)
print("passed")
