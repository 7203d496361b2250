"""Writes models.safetensors, recent_models.safetensors and steps of training: what torchvision's networks compute.

    /usr/bin/python3 tests/golden/make_models.py [folder [file ...]]      (default: all, into the folder of this script)

Made with torchvision 0.14.1a0 (Debian 12 package python3-torchvision) and the versions that make_golden.py names. Everything
is computed in double. Weights are not stored: they follow from the parameters' names by the rule in `formula` below, whose
twin is tests/networks/against_torch.hpp. Names are minicnn's.
"""

import math
import os
import re
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F
from torchvision import models
from torchvision.ops import SqueezeExcitation

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from make_golden import INPUT, filled, golden_file  # noqa: E402  (sets one thread and double precision)

CLASSES = 10


def name_hash(name):
    """FNV-1a, 64 bits: minicnn::name_hash."""
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = (h ^ byte) * 0x100000001B3 & (1 << 64) - 1
    return h


def formula(name, dims):
    """The values of a parameter or buffer called `name`: of a hash of its name, with a scale that keeps activations in range."""
    salt = name_hash(name)
    if name.endswith("running_mean"):
        return filled(dims, salt)
    if name.endswith("running_var"):
        return filled(dims, salt, 1.0, 1.0)
    if len(dims) > 1:  # convolution or dense: He's variance 2 / fan_in
        return filled(dims, salt, math.sqrt(24.0 / math.prod(dims[1:])))
    if name.endswith("weight"):  # of batch norm; small where a residual branch ends
        return filled(dims, salt, 0.5, 0.25 if re.search(r"\d\.bn[23]\.weight$", name) else 1.0)
    return filled(dims, salt)


def fill(model, rename=lambda name: name):
    for name, tensor in model.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            tensor.copy_(formula(rename(name), tuple(tensor.shape)))
    return model


def in_order(model, nodes):
    """The names of a model's tensors with the modules that have any called as in `nodes`, one after the other."""
    modules = []
    for name in model.state_dict():
        module = name.rpartition(".")[0]
        if module not in modules:
            modules.append(module)
    assert len(modules) == len(nodes), (modules, nodes)
    table = dict(zip(modules, nodes))
    return lambda name: table[name.rpartition(".")[0]] + "." + name.rpartition(".")[2]


def picture(height, width, channels=3, count=2):
    return filled((count, channels, height, width), INPUT, 4.0)


def vgg(depth, bn):
    model = getattr(models, f"vgg{depth}" + ("_bn" if bn else ""))(weights=None, num_classes=CLASSES)
    units = 64
    model.classifier = nn.Sequential(nn.Linear(512 * 7 * 7, units), nn.ReLU(), nn.Dropout(), nn.Linear(units, units), nn.ReLU(),
                                     nn.Dropout(), nn.Linear(units, CLASSES))
    blocks = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}[depth]
    nodes = []
    for block, count in enumerate(blocks):
        for i in range(count):
            nodes += [f"{kind}{block + 1}_{i + 1}" for kind in (("conv", "bn") if bn else ("conv",))]
    return fill(model, in_order(model, nodes + ["fc6", "fc7", "fc8"]))


def squeezenet(version):
    model = getattr(models, "squeezenet" + version)(weights=None, num_classes=CLASSES)
    nodes = ["conv1"]
    for number in range(2, 10):
        nodes += [f"fire{number}.{part}" for part in ("squeeze", "expand1x1", "expand3x3")]
    return fill(model, in_order(model, nodes + ["conv10"]))


class functional(nn.Module):
    """A network that torchvision does not have, written out; parameters are made where they are first used."""

    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, x):
        return self.body(x)


def conv(x, name, filters, kernel, **how):
    w = formula(name + ".weight", (filters, x.shape[1], kernel, kernel))
    return F.conv2d(x, w, formula(name + ".bias", (filters,)), **how)


def linear(x, name, units):
    return F.linear(x, formula(name + ".weight", (units, x.shape[1])), formula(name + ".bias", (units,)))


def lenet5(modern):
    squash = F.relu if modern else torch.tanh
    pool = F.max_pool2d if modern else F.avg_pool2d

    def body(x):
        x = pool(squash(conv(x, "c1", 6, 5)), 2)
        x = pool(squash(conv(x, "c3", 16, 5)), 2)
        x = squash(linear(torch.flatten(x, 1), "c5", 120))
        return linear(squash(linear(x, "f6", 84)), "output", CLASSES)

    return functional(body)


def network_in_network(x):
    def mlpconv(x, number, filters, kernel, last, **how):
        x = F.relu(conv(x, f"conv{number}", filters, kernel, **how))
        x = F.relu(conv(x, f"cccp{2 * number - 1}", filters, 1))
        return F.relu(conv(x, f"cccp{2 * number}", last, 1))

    x = F.max_pool2d(mlpconv(x, 1, 96, 11, 96, stride=4), 3, 2, ceil_mode=True)
    x = F.max_pool2d(mlpconv(x, 2, 256, 5, 256, padding=2), 3, 2, ceil_mode=True)
    x = F.max_pool2d(mlpconv(x, 3, 384, 3, 384, padding=1), 3, 2, ceil_mode=True)
    return mlpconv(x, 4, 1024, 3, CLASSES, padding=1).mean((2, 3))


def network_in_network_cifar(x):
    x = F.relu(conv(x, "conv1", 192, 5, padding=2))
    x = F.relu(conv(F.relu(conv(x, "cccp1", 160, 1)), "cccp2", 96, 1))
    x = F.max_pool2d(x, 3, 2, ceil_mode=True)
    x = F.relu(conv(x, "conv2", 192, 5, padding=2))
    x = F.relu(conv(F.relu(conv(x, "cccp3", 192, 1)), "cccp4", 192, 1))
    x = F.avg_pool2d(x, 3, 2, ceil_mode=True)
    x = F.relu(conv(x, "conv3", 192, 3, padding=1))
    return F.relu(conv(F.relu(conv(x, "cccp5", 192, 1)), "cccp6", CLASSES, 1)).mean((2, 3))


def spp_net(x):
    norm = lambda x: F.local_response_norm(x, 5, alpha=5e-4, beta=0.75, k=2.0)
    x = F.max_pool2d(norm(F.relu(conv(x, "conv1", 96, 7, stride=2, padding=1))), 3, 2, ceil_mode=True)
    x = F.max_pool2d(norm(F.relu(conv(x, "conv2", 256, 5, stride=2, padding=1))), 3, 2)
    for number, filters in ((3, 384), (4, 384), (5, 256)):
        x = F.relu(conv(x, f"conv{number}", filters, 3, padding=1))
    x = torch.cat([torch.flatten(F.adaptive_max_pool2d(x, n), 1) for n in (6, 3, 2, 1)], 1)
    x = F.relu(linear(F.relu(linear(x, "fc6", 64)), "fc7", 64))
    return linear(x, "fc8", CLASSES)


def resnet_cifar(depth):
    def norm(x, name):
        get = lambda part: formula(name + "." + part, (x.shape[1],))
        return F.batch_norm(x, get("running_mean"), get("running_var"), get("weight"), get("bias"))

    def conv3(x, name, filters, stride=1):
        return F.conv2d(x, formula(name + ".weight", (filters, x.shape[1], 3, 3)), None, stride, 1)

    def body(x):
        x = F.relu(norm(conv3(x, "conv1", 16), "bn1"))
        for stage in range(3):
            for block in range((depth - 2) // 6):
                name, filters = f"layer{stage + 1}.{block}.", 16 << stage
                stride = 2 if stage > 0 and block == 0 else 1
                y = F.relu(norm(conv3(x, name + "conv1", filters, stride), name + "bn1"))
                y = norm(conv3(y, name + "conv2", filters), name + "bn2")
                if stride == 2:
                    x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, filters // 4, filters // 4))
                x = F.relu(y + x)
        return linear(x.mean((2, 3)), "fc", CLASSES)

    return functional(body)


def predicted(out, name, model, x):
    model.eval()
    with torch.no_grad():
        y = model(x)
    print(f"  {name:24} deviation {y.std():10.4f}, over the images {y.std(0).mean():8.4f}")
    out.case(name, f"evaluation mode, input {'x'.join(map(str, x.shape))}: 4 * value(i, {INPUT})", logits=y)


def logits():
    out = golden_file()
    case = lambda name, model, x: predicted(out, name, model, x)

    for modern in (False, True):
        case("lenet5_modern" if modern else "lenet5_classic", lenet5(modern), picture(32, 32, 1))
    for depth in (11, 13, 16, 19):
        for bn in (False, True):
            case(f"vgg{depth}" + ("_bn" if bn else ""), vgg(depth, bn), picture(48, 40))
    for depth in (18, 34, 50, 101, 152):
        case(f"resnet{depth}", fill(getattr(models, f"resnet{depth}")(weights=None, num_classes=CLASSES)), picture(64, 80))
    for depth in (20, 110):
        case(f"resnet{depth}", resnet_cifar(depth), picture(32, 32))
    for transform in (False, True):
        case("googlenet_transform" if transform else "googlenet",
             fill(models.googlenet(weights=None, num_classes=CLASSES, init_weights=False, transform_input=transform)), picture(72, 64))
        case("inception_v3_transform" if transform else "inception_v3",
             fill(models.inception_v3(weights=None, num_classes=CLASSES, init_weights=False, transform_input=transform)),
             picture(107, 96))
    for version in ("1_0", "1_1"):
        case("squeezenet" + version, squeezenet(version), picture(64, 56))
    case("network_in_network", functional(network_in_network), picture(80, 72))
    case("network_in_network_cifar", functional(network_in_network_cifar), picture(32, 32))
    case("spp_net", functional(spp_net), picture(100, 66))
    return out


def recent_logits():
    """Networks since 2017."""
    out = golden_file()
    for name in ("mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "efficientnet_b0", "efficientnet_b2", "densenet121",
                 "densenet161"):
        predicted(out, name, fill(getattr(models, name)(weights=None, num_classes=CLASSES)), picture(64, 80))
    for name, depth, squeeze, d in (("se_resnet50", 50, 16, False), ("resnet50_d", 50, 0, True), ("se_resnet18_d", 18, 16, True)):
        predicted(out, name, fill(resnet_variant(depth, squeeze, d), plain_name), picture(64, 80))
    predicted(out, "convnext_tiny", fill(models.convnext_tiny(weights=None, num_classes=CLASSES)), picture(64, 80))
    predicted(out, "vision_transformer", fill(vision_transformer(), vit_name), picture(64, 64))
    return out


class squeezed_branch(nn.Module):
    """The last normalisation of a block's branch, and squeeze-and-excitation behind it."""

    def __init__(self, norm, gate):
        super().__init__()
        self.norm, self.gate = norm, gate

    def forward(self, x):
        return self.gate(self.norm(x))


def resnet_variant(depth, squeeze, d):
    """torchvision's ResNet with squeeze-and-excitation, and as ResNet-D; modules are called as in timm."""
    model = getattr(models, f"resnet{depth}")(weights=None, num_classes=CLASSES)
    if d:
        conv = lambda channels, filters, stride: nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
        model.conv1 = nn.Sequential(conv(3, 32, 2), nn.BatchNorm2d(32), nn.ReLU(), conv(32, 32, 1), nn.BatchNorm2d(32), nn.ReLU(),
                                    conv(32, 64, 1))
    for stage in (model.layer1, model.layer2, model.layer3, model.layer4):
        for block in stage:
            if d and block.downsample is not None:
                conv, norm = block.downsample
                stride = conv.stride[0]
                conv.stride = (1, 1)
                pool = nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False) if stride == 2 else nn.Identity()
                block.downsample = nn.Sequential(pool, conv, norm)
            if squeeze:
                last = "bn3" if depth >= 50 else "bn2"
                norm = getattr(block, last)
                gate = SqueezeExcitation(norm.num_features, norm.num_features // squeeze)
                setattr(block, last, squeezed_branch(norm, gate))
    return model


def plain_name(name):
    return name.replace(".norm.", ".").replace("bn3.gate.", "se.").replace("bn2.gate.", "se.")


def vision_transformer():
    return models.VisionTransformer(image_size=64, patch_size=16, num_layers=3, num_heads=4, hidden_dim=96, mlp_dim=192,
                                    num_classes=CLASSES)


def vit_name(name):
    return "tokens.class_token" if name == "class_token" else name.replace(".in_proj_", ".in_proj.")


def step(model, size, count, auxiliary_weight, rename=lambda name: name):
    """One training step without the update: loss, outputs, gradients, running statistics."""
    out = golden_file()
    fill(model, rename).train()
    labels = torch.arange(count) * 3 % CLASSES
    outputs = model(picture(size, size, count=count))  # GoogLeNet: logits, aux1, aux2, whatever torchvision calls them
    if torch.is_tensor(outputs):
        outputs = (outputs,)
    losses = [F.cross_entropy(y, labels) for y in outputs]
    (losses[0] + auxiliary_weight * sum(losses[1:])).backward()
    out.add("losses", [loss.item() for loss in losses])
    for number, y in enumerate(outputs):
        out.add(f"output{number}", y)
    names, lengths, samples = [], [], []
    for name, p in model.named_parameters():
        flat = p.grad.reshape(-1)
        every = max(1, flat.numel() // 8)
        names.append(rename(name))
        lengths.append(flat.norm().item())
        samples.append([flat[i * every].item() if i * every < flat.numel() else 0.0 for i in range(8)])
    out.add("gradient.lengths", lengths)
    out.add("gradient.samples", samples)
    out.metadata["parameters"] = " ".join(names)
    names, lengths = [], []
    for name, b in model.named_buffers():
        if not name.endswith("num_batches_tracked"):
            names.append(name)
            lengths.append(b.norm().item())
    out.add("buffer.lengths", lengths)
    out.metadata["buffers"] = " ".join(names)
    out.metadata["step"] = (f"training mode without dropout, {count} images of 3x{size}x{size}: 4 * value(i, {INPUT}), labels 3 i mod "
                            f"{CLASSES}, mean cross-entropy, auxiliary losses times {auxiliary_weight}; sample i of a gradient is "
                            "element i * max(1, size / 8)")
    print("  losses", [loss.item() for loss in losses], "smallest gradient", min(out.tensors["gradient.lengths"]))
    return out


def resnet18_step():
    return step(models.resnet18(weights=None, num_classes=CLASSES), 64, 4, 0.0)


def googlenet_step():
    return step(models.GoogLeNet(num_classes=CLASSES, init_weights=False, dropout=0.0, dropout_aux=0.0), 64, 4, 0.3)


def inception_v3_step():
    return step(models.Inception3(num_classes=CLASSES, init_weights=False, dropout=0.0), 299, 3, 0.4)


class exact_hard_sigmoid(nn.Module):
    """PyTorch's has 1 / 6 in single precision in backward, whatever the type."""

    def forward(self, x):
        return torch.clamp(x / 6 + 0.5, 0, 1)


def mobilenet_v3_small_step():
    model = models.mobilenet_v3_small(weights=None, num_classes=CLASSES, dropout=0.0)
    for module in model.modules():
        if hasattr(module, "scale_activation"):
            module.scale_activation = exact_hard_sigmoid()
    return step(model, 64, 4, 0.0)


def efficientnet_b0_step():
    model = models.efficientnet_b0(weights=None, num_classes=CLASSES, stochastic_depth_prob=0.0)
    model.classifier[0].p = 0.0
    return step(model, 64, 4, 0.0)


def densenet121_step():
    return step(models.densenet121(weights=None, num_classes=CLASSES), 64, 4, 0.0)


def convnext_tiny_step():
    model = models.convnext_tiny(weights=None, num_classes=CLASSES)
    for module in model.modules():
        if isinstance(module, models.convnext.StochasticDepth):
            module.p = 0.0
    return step(model, 64, 4, 0.0)


def vision_transformer_step():
    return step(vision_transformer(), 64, 4, 0.0, vit_name)


FILES = {"models": logits, "recent_models": recent_logits, "resnet18_step": resnet18_step, "googlenet_step": googlenet_step,
         "inception_v3_step": inception_v3_step, "mobilenet_v3_small_step": mobilenet_v3_small_step,
         "efficientnet_b0_step": efficientnet_b0_step, "densenet121_step": densenet121_step,
         "convnext_tiny_step": convnext_tiny_step, "vision_transformer_step": vision_transformer_step}

if __name__ == "__main__":
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    for name in sys.argv[2:] or FILES:
        FILES[name]().write(os.path.join(folder, name + ".safetensors"))
