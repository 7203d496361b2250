"""Writes the golden files: what PyTorch computes, for the C++ tests to compare with.

    /usr/bin/python3 tests/golden/make_golden.py [folder]      (default: the folder of this script)

Made with PyTorch 1.13.0a0 (Debian 12 package python3-torch 1.13.1+dfsg-4), NumPy 1.24.2, Python 3.11.2, on one thread.
Everything is computed in double. The same machine writes the same bytes every time; another BLAS may differ in the last
bits, far below the tolerance of any test.

Inputs, weights and upstream gradients are not stored: `value(i, salt)` below makes them, and tests/golden/golden.hpp is
its C++ twin. tests/golden/README.md says which salt and scale each of them has and how the tensors are named.
"""

import json
import math
import os
import struct
import sys

import numpy as np
import torch
import torch.nn.functional as F

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)

# Salts: which sequence of values a tensor takes.
INPUT, WEIGHT, BIAS, UPSTREAM, MEAN, VARIANCE, TARGET, PARAMETER, STEP = 1, 2, 3, 4, 5, 6, 7, 8, 100


def value(count, salt):
    """The numbers i = 0 .. count-1 of a sequence in [-0.5, 0.5): a 64-bit hash (the finaliser of SplitMix64), upper half."""
    mask = (1 << 64) - 1
    x = np.arange(1, count + 1, dtype=np.uint64) + np.uint64(salt * 0x9E3779B97F4A7C15 & mask)
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return (x >> np.uint64(32)).astype(np.float64) * 2.0**-32 - 0.5


def filled(dims, salt, scale=1.0, shift=0.0):
    """A tensor of shift + scale * value, elements in row-major order."""
    count = int(np.prod(dims, dtype=np.int64))
    return torch.from_numpy((shift + scale * value(count, salt)).reshape(dims))


def leaf(dims, salt, scale=1.0, shift=0.0):
    return filled(dims, salt, scale, shift).requires_grad_()


class golden_file:
    """Tensors by name and one line of text per case, written as safetensors."""

    def __init__(self):
        self.tensors, self.metadata = {}, {}

    def case(self, name, text, **tensors):
        self.metadata[name] = text
        for key, tensor in tensors.items():
            self.add(name + "." + key.replace("__", "."), tensor)

    def add(self, name, tensor):
        assert name not in self.tensors, name
        array = np.asarray(tensor.detach().numpy() if torch.is_tensor(tensor) else tensor, dtype="<f8")
        assert np.isfinite(array).all(), name
        self.tensors[name] = array

    def write(self, path):
        header, place = {"__metadata__": dict(sorted(self.metadata.items()))}, 0
        for name, array in self.tensors.items():
            header[name] = {"dtype": "F64", "shape": list(array.shape), "data_offsets": [place, place + array.nbytes]}
            place += array.nbytes
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        text += b" " * (-len(text) % 8)
        with open(path, "wb") as out:
            out.write(struct.pack("<Q", len(text)) + text)
            for array in self.tensors.values():
                out.write(np.ascontiguousarray(array).tobytes())
        print(f"{os.path.basename(path):32} {os.path.getsize(path):8} bytes, {len(self.tensors):3} tensors")


def backward(y):
    """Sends the upstream gradient 2 * value(i, UPSTREAM) into y."""
    y.backward(filled(tuple(y.shape), UPSTREAM, 2.0))


def text_of(dims):
    return "x".join(str(d) for d in dims)


def formula():
    out = golden_file()
    out.case("values", "value(i, 1) for i = 0 .. 63", salt_1=value(64, 1))
    out.case("scaled", "0.25 + 3 * value(i, 123456789) for i = 0 .. 63", salt_123456789=0.25 + 3 * value(64, 123456789))
    return out


def conv2d():
    out = golden_file()

    def case(name, dims, filters, kernel, stride=1, pad=(0, 0, 0, 0), dilation=1, groups=1, bias=True):
        top, bottom, left, right = pad
        x = leaf(dims, INPUT, 2.0)
        w = leaf((filters, dims[1] // groups, *kernel), WEIGHT)
        b = leaf((filters,), BIAS) if bias else None
        y = F.conv2d(F.pad(x, (left, right, top, bottom)), w, b, stride=stride, dilation=dilation, groups=groups)
        backward(y)
        tensors = dict(output=y, input__gradient=x.grad, weight__gradient=w.grad)
        if bias:
            tensors["bias__gradient"] = b.grad
        out.case(name, f"input {text_of(dims)}, filters {filters}, kernel {text_of(kernel)}, stride {stride}, padding top {top} "
                 f"bottom {bottom} left {left} right {right}, dilation {dilation}, groups {groups}, "
                 f"{'bias' if bias else 'no bias'}, output {text_of(y.shape)}", **tensors)

    case("plain", (2, 3, 7, 6), 4, (3, 3))
    case("stride_2_padding_1", (3, 3, 9, 8), 5, (3, 3), stride=2, pad=(1, 1, 1, 1))
    case("kernel_11_stride_4", (2, 3, 23, 19), 4, (11, 11), stride=4)
    case("kernel_5_padding_2", (2, 4, 7, 7), 3, (5, 5), pad=(2, 2, 2, 2))
    case("pointwise", (3, 5, 4, 3), 6, (1, 1), bias=False)
    case("groups_2", (2, 4, 6, 7), 6, (3, 3), pad=(1, 1, 1, 1), groups=2)
    case("depthwise", (2, 4, 6, 5), 4, (3, 3), pad=(1, 1, 1, 1), groups=4)
    case("dilation_2", (2, 2, 9, 8), 3, (3, 3), pad=(2, 2, 2, 2), dilation=2)
    case("kernel_1x7_padding_0x3", (2, 3, 4, 9), 4, (1, 7), pad=(0, 0, 3, 3))
    case("four_sided_padding", (2, 2, 6, 6), 3, (3, 3), stride=2, pad=(0, 1, 2, 3))
    case("stride_2x1_dilation_1x2", (2, 2, 8, 9), 3, (2, 3), stride=(2, 1), pad=(1, 0, 1, 1), dilation=(1, 2))
    return out


def dense():
    out = golden_file()
    for name, rows, inputs, units, bias in (("bias", 3, 10, 7, True), ("no_bias", 2, 5, 4, False)):
        x, w = leaf((rows, inputs), INPUT, 2.0), leaf((units, inputs), WEIGHT)
        b = leaf((units,), BIAS) if bias else None
        y = F.linear(x, w, b)
        backward(y)
        tensors = dict(output=y, input__gradient=x.grad, weight__gradient=w.grad)
        if bias:
            tensors["bias__gradient"] = b.grad
        out.case(name, f"input {rows}x{inputs}, units {units}, {'bias' if bias else 'no bias'}", **tensors)
    return out


def of_functions(functions, dims, scale):
    """One case for each of {name: (text, function of the input)}."""
    out = golden_file()
    for name, (text, function) in functions.items():
        x = leaf(dims, INPUT, scale)
        y = function(x)
        backward(y)
        out.case(name, f"input {text_of(dims)} scaled by {scale:g}, {text}", output=y, input__gradient=x.grad)
    return out


def activation():
    functions = {
        "relu": ("max(x, 0)", F.relu),
        "leaky_relu": ("slope 0.01", lambda x: F.leaky_relu(x, 0.01)),
        "leaky_relu_slope_0.2": ("slope 0.2", lambda x: F.leaky_relu(x, 0.2)),
        "elu": ("alpha 1", lambda x: F.elu(x, 1.0)),
        "elu_alpha_0.5": ("alpha 0.5", lambda x: F.elu(x, 0.5)),
        "selu": ("Klambauer et al., 2017", F.selu),
        "gelu": ("exact: x * Phi(x), by erf", lambda x: F.gelu(x)),
        "gelu_tanh": ("the tanh approximation", lambda x: F.gelu(x, approximate="tanh")),
        "sigmoid": ("1 / (1 + exp(-x))", torch.sigmoid),
        "tanh": ("tanh(x)", torch.tanh),
        "silu": ("x * sigmoid(x), also called swish", F.silu),
        "softplus": ("log(1 + exp(x)), beta 1", F.softplus),
        # Not F.hardsigmoid, whose backward has 1 / 6 in single precision.
        "hard_sigmoid": ("clamp(x / 6 + 1/2, 0, 1)", lambda x: torch.clamp(x / 6 + 0.5, 0, 1)),
        "hard_swish": ("x * clamp(x / 6 + 1/2, 0, 1)", F.hardswish),
        "relu6": ("min(max(x, 0), 6)", F.relu6),
        "mish": ("x * tanh(softplus(x))", F.mish),
    }
    return of_functions(functions, (2, 3, 4, 4), 16.0)


def channels():
    """Factors, offsets and zeros by channel."""
    functions = {
        "scale": ("factors 2 -0.5 3, offsets 1 0 -4",
                  lambda x: x * torch.tensor([2.0, -0.5, 3.0]).view(1, 3, 1, 1) + torch.tensor([1.0, 0.0, -4.0]).view(1, 3, 1, 1)),
        "imagenet_to_unit": ("torchvision's transform_input",
                             lambda x: torch.stack([x[:, c] * (deviation / 0.5) + (mean - 0.5) / 0.5 for c, (mean, deviation)
                                                    in enumerate(((0.485, 0.229), (0.456, 0.224), (0.406, 0.225)))], 1)),
        "pad_2_3": ("2 channels of zeros before, 3 after", lambda x: F.pad(x, (0, 0, 0, 0, 2, 3))),
        "pad_0_1": ("1 channel of zeros after", lambda x: F.pad(x, (0, 0, 0, 0, 0, 1))),
    }
    return of_functions(functions, (2, 3, 5, 4), 2.0)


def pooling():
    out = golden_file()

    def case(name, text, dims, function):
        x = leaf(dims, INPUT, 2.0)
        y = function(x)
        backward(y)
        out.case(name, f"input {text_of(dims)}, {text}, output {text_of(y.shape)}", output=y, input__gradient=x.grad)

    def maximum(name, dims, kernel, stride, pad=0, ceil=False):
        case(name, f"max, kernel {kernel}, stride {stride}, padding {pad}, {'ceil' if ceil else 'floor'}", dims,
             lambda x: F.max_pool2d(x, kernel, stride, pad, ceil_mode=ceil))

    def average(name, dims, kernel, stride, pad=0, ceil=False, include=True):
        case(name, f"average, kernel {kernel}, stride {stride}, padding {pad}, {'ceil' if ceil else 'floor'}, padding "
             f"{'counts' if include else 'does not count'}", dims,
             lambda x: F.avg_pool2d(x, kernel, stride, pad, ceil_mode=ceil, count_include_pad=include))

    maximum("max_overlapping", (2, 3, 9, 8), 3, 2)
    maximum("max_2_2", (3, 2, 7, 6), 2, 2)
    maximum("max_padding", (2, 2, 7, 8), 3, 2, pad=1)
    maximum("max_ceil", (2, 2, 8, 6), 3, 2, ceil=True)
    maximum("max_ceil_padding", (2, 2, 6, 7), 2, 2, pad=1, ceil=True)
    maximum("max_gaps", (2, 2, 8, 8), 2, 3)
    maximum("max_rectangular", (2, 2, 7, 8), (3, 2), (1, 2), pad=(1, 0))
    average("average_overlapping", (2, 3, 9, 8), 3, 2)
    average("average_padding_counts", (2, 2, 7, 8), 3, 2, pad=1)
    average("average_padding_does_not_count", (2, 2, 7, 8), 3, 2, pad=1, include=False)
    average("average_ceil", (2, 2, 8, 6), 3, 2, ceil=True)
    average("average_ceil_padding_counts", (2, 2, 8, 7), 3, 2, pad=1, ceil=True)
    average("average_ceil_padding_does_not_count", (2, 2, 8, 7), 3, 2, pad=1, ceil=True, include=False)
    for size in ((1, 1), (3, 2), (4, 5), (7, 7)):
        for kind, function in (("average", F.adaptive_avg_pool2d), ("max", F.adaptive_max_pool2d)):
            case(f"adaptive_{kind}_{text_of(size)}", f"adaptive {kind} to {text_of(size)}", (2, 2, 7, 5) if size != (7, 7) else
                 (2, 2, 5, 6), lambda x: function(x, size))
    return out


def lrn():
    """minicnn's alpha multiplies the sum of squares, PyTorch's the mean over `size`: alpha_pytorch = alpha * size."""
    out = golden_file()
    for name, dims, scale, size, alpha, beta, k in (
        ("size_5", (2, 7, 3, 4), 4.0, 5, 0.1, 0.75, 2.0),
        ("article", (2, 12, 3, 3), 200.0, 9, 0.001 / 9, 0.75, 1.0),
        ("fewer_channels_than_window", (2, 3, 2, 3), 4.0, 9, 0.2, 0.75, 1.0),
        ("even_size_4", (2, 6, 2, 3), 4.0, 4, 0.3, 0.75, 1.0),
        ("beta_0.5", (2, 5, 2, 3), 4.0, 3, 0.2, 0.5, 1.5),
        ("beta_1", (2, 5, 2, 3), 4.0, 3, 0.2, 1.0, 1.0),
    ):
        x = leaf(dims, INPUT, scale)
        y = F.local_response_norm(x, size, alpha=alpha * size, beta=beta, k=k)
        backward(y)
        before, after = size // 2, (size - 1) // 2
        out.case(name, f"input {text_of(dims)} scaled by {scale:g}, size {size} ({before} channels before, {after} after), "
                 f"alpha {alpha!r} not divided by size, beta {beta}, bias {k}", output=y, input__gradient=x.grad)
    return out


def batch_norm():
    out = golden_file()
    for name, dims, training, momentum, eps in (
        ("training", (3, 4, 3, 2), True, 0.1, 1e-5),
        ("training_momentum_0.3_eps_0.01", (2, 3, 2, 3), True, 0.3, 0.01),
        ("training_after_dense", (5, 4), True, 0.1, 1e-5),
        ("evaluation", (3, 4, 3, 2), False, 0.1, 1e-5),
    ):
        c = dims[1]
        x = leaf(dims, INPUT, 4.0, 1.0)
        w, b = leaf((c,), WEIGHT, 1.0, 1.0), leaf((c,), BIAS)
        mean, variance = filled((c,), MEAN), filled((c,), VARIANCE, 1.0, 1.0)
        y = F.batch_norm(x, mean, variance, w, b, training=training, momentum=momentum, eps=eps)
        backward(y)
        out.case(name, f"input {text_of(dims)}, {'training' if training else 'evaluation'}, momentum {momentum}, eps {eps!r}",
                 output=y, input__gradient=x.grad, weight__gradient=w.grad, bias__gradient=b.grad,
                 running_mean=mean, running_var=variance)
    return out


def loss():
    out = golden_file()
    labels = torch.tensor([2, 0, 3, 1, 2])
    weights = [1.0, 2.0, 0.5, 1.5]
    for name, smoothing, weight in (("cross_entropy", 0.0, None), ("cross_entropy_smoothing_0.1", 0.1, None),
                                    ("cross_entropy_weights", 0.0, weights), ("cross_entropy_smoothing_0.1_weights", 0.1, weights)):
        x = leaf((5, 4), INPUT, 8.0)
        y = F.cross_entropy(x, labels, weight=None if weight is None else torch.tensor(weight), label_smoothing=smoothing)
        y.backward()
        out.case(name, f"logits 5x4 scaled by 8, labels 2 0 3 1 2, label smoothing {smoothing}, class weights {weight}, mean"
                 + (" over the sum of the labels' weights" if weight else ""), loss=y, input__gradient=x.grad)
    x = leaf((3, 4), INPUT, 8.0, 1000.0)
    y = F.cross_entropy(x, torch.tensor([1, 0, 3]))
    y.backward()
    out.case("cross_entropy_large", "logits 3x4: 1000 + 8 * value, labels 1 0 3, mean", loss=y, input__gradient=x.grad)
    for name, dims, positive in (("binary", (6, 1), None), ("binary_positive_weight", (6, 1), [3.0]),
                                 ("binary_three_outputs", (4, 3), [3.0, 1.0, 0.5])):
        x = leaf(dims, INPUT, 8.0)
        targets = (filled(dims, TARGET) > 0).double()
        y = F.binary_cross_entropy_with_logits(x, targets, pos_weight=None if positive is None else torch.tensor(positive))
        y.backward()
        out.case(name, f"logits {text_of(dims)} scaled by 8, targets 1 where value(i, {TARGET}) > 0 else 0, positive weights "
                 f"{positive}, mean over all elements", loss=y, targets=targets, input__gradient=x.grad)
    x = leaf((3, 4), INPUT, 8.0)
    y = F.mse_loss(x, filled((3, 4), TARGET, 2.0))
    y.backward()
    out.case("mean_squared_error", f"predictions 3x4 scaled by 8, targets 2 * value(i, {TARGET}), mean over all elements", loss=y,
             input__gradient=x.grad)
    return out


def optimizer():
    """Parameters value(i, 8); the gradient of step s = 0, 1, .. is 2 * value(i, 100 + s), whatever the parameters are."""
    out = golden_file()
    size, steps = 9, 5
    for name, text, make in (
        ("adam", "lr 0.01", lambda p: torch.optim.Adam([p], lr=0.01)),
        ("adam_betas_eps", "lr 0.02, beta1 0.8, beta2 0.95, eps 0.1",
         lambda p: torch.optim.Adam([p], lr=0.02, betas=(0.8, 0.95), eps=0.1)),
        ("adam_l2", "lr 0.01, 0.1 * parameter added to the gradient", lambda p: torch.optim.Adam([p], lr=0.01, weight_decay=0.1)),
        ("adamw", "lr 0.01, decoupled decay 0.1", lambda p: torch.optim.AdamW([p], lr=0.01, weight_decay=0.1)),
        ("sgd", "lr 0.1", lambda p: torch.optim.SGD([p], lr=0.1)),
        ("sgd_decay", "lr 0.1, decay 0.05", lambda p: torch.optim.SGD([p], lr=0.1, weight_decay=0.05)),
        ("sgd_momentum", "lr 0.1, momentum 0.9", lambda p: torch.optim.SGD([p], lr=0.1, momentum=0.9)),
        ("sgd_momentum_decay", "lr 0.1, momentum 0.9, decay 0.05",
         lambda p: torch.optim.SGD([p], lr=0.1, momentum=0.9, weight_decay=0.05)),
        ("sgd_nesterov_decay", "lr 0.1, momentum 0.9, Nesterov, decay 0.05",
         lambda p: torch.optim.SGD([p], lr=0.1, momentum=0.9, weight_decay=0.05, nesterov=True)),
    ):
        p = leaf((size,), PARAMETER)
        method, rows = make(p), []
        for step in range(steps):
            p.grad = filled((size,), STEP + step, 2.0)
            method.step()
            rows.append(p.detach().clone())
        out.case(name, f"{text}; row s holds the {size} parameters after step s", parameters=torch.stack(rows))
    a, b = leaf((7,), PARAMETER), leaf((2, 3), PARAMETER)
    a.grad, b.grad = filled((7,), STEP, 2.0), filled((2, 3), STEP + 1, 2.0)
    norm = torch.nn.utils.clip_grad_norm_([a, b], 0.5)
    out.case("clip_norm", "gradients 7 and 2x3 of steps 0 and 1, clipped together to length 0.5 (PyTorch divides by length + 1e-6)",
             length=norm, first=a.grad, second=b.grad)
    return out


def alexnet_narrow():
    """The article's AlexNet with an eighth of the filters, 64 units, no dropout; 2 images of 3x227x227, labels 1 and 0."""
    out = golden_file()
    size = 9
    alpha = 0.001 / 9 * size  # PyTorch's: divided by size again
    norm = lambda x: F.local_response_norm(x, size, alpha=alpha, beta=0.75, k=1.0)
    # name, weight shape, factor on He's scale
    layers = [("conv1", (12, 3, 11, 11), 1.0), ("conv2", (32, 12, 5, 5), 1.0), ("conv3", (48, 32, 3, 3), 1.0),
              ("conv4", (48, 48, 3, 3), 1.0), ("conv5", (32, 48, 3, 3), 1.0), ("fc1", (64, 1152), 1.0), ("fc2", (64, 64), 1.0),
              ("logits_eval", (2, 64), 0.0625)]
    parameters = {}
    for number, (name, dims, factor) in enumerate(layers):
        fan_in = math.prod(dims[1:])
        # The values are uniform over a width of 1, variance 1/12: this scale gives them He's variance 2 / fan_in.
        parameters[name + ".weight"] = leaf(dims, 20 + 2 * number, factor * math.sqrt(24.0 / fan_in))
        parameters[name + ".bias"] = leaf(dims[:1], 21 + 2 * number)
    x = leaf((2, 3, 227, 227), INPUT, 64.0)
    labels = torch.tensor([1, 0])

    def forward():
        nodes = {}

        def node(name, y):
            nodes[name] = y
            return y

        def conv(y, number, **how):
            name = f"conv{number}"
            y = node(name, F.conv2d(y, parameters[name + ".weight"], parameters[name + ".bias"], **how))
            return node(f"relu{number}", F.relu(y))

        def linear(y, name):
            return node(name, F.linear(y, parameters[name + ".weight"], parameters[name + ".bias"]))

        y = conv(x, 1, stride=4)
        y = node("norm1", norm(node("pool1", F.max_pool2d(y, 3, 2))))
        y = conv(y, 2, padding=2)
        y = node("norm2", norm(node("pool2", F.max_pool2d(y, 2, 2))))
        for number in (3, 4, 5):
            y = conv(y, number, padding=1)
        y = torch.flatten(node("pool3", F.max_pool2d(y, 3, 2)), 1)
        y = node("relu6", F.relu(linear(y, "fc1")))
        y = node("relu7", F.relu(linear(y, "fc2")))
        return nodes, F.cross_entropy(linear(y, "logits_eval"), labels)

    nodes, loss = forward()
    for name, y in nodes.items():
        flat = y.detach().reshape(-1)
        print(f"  {name:12} {text_of(y.shape):12} deviation {flat.std():9.4f}, positive {(flat > 0).double().mean():.2f}")
        out.add(name + ".length", flat.norm())
        if not name.startswith("relu"):
            out.add(name + (".output" if flat.numel() <= 2500 else ".sample"), y if flat.numel() <= 2500 else flat[::7])
    loss.backward()
    # Copies: the optimizer changes gradients and parameters in place, and what is added is written at the end.
    out.add("input.gradient.length", x.grad.norm())
    out.add("input.gradient.sample", x.grad.reshape(-1)[::97].clone())
    for name, p in parameters.items():
        print(f"  {name:20} length {p.detach().norm():9.4f}, of the gradient {p.grad.norm():9.6f}")
        out.add(name + ".gradient", p.grad.clone())
    losses, adam = [loss.item()], torch.optim.Adam(parameters.values(), lr=0.001)
    for step in range(3):
        adam.step()
        adam.zero_grad()
        _, loss = forward()
        losses.append(loss.item())
        loss.backward()
    for name, p in parameters.items():
        out.add(name + ".after_3_steps", p)
    out.add("losses", losses)
    print("  losses", losses)
    out.metadata["network"] = ("AlexNet of the article, filters / 8, 64 units, 2 classes, no dropout; 2x3x227x227 scaled by 64, "
                               "labels 1 0; Adam lr 0.001, 3 steps on the same batch; losses before each step and after the last")
    return out


if __name__ == "__main__":
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    for make in (formula, conv2d, dense, activation, channels, pooling, lrn, batch_norm, loss, optimizer, alexnet_narrow):
        make().write(os.path.join(folder, make.__name__ + ".safetensors"))
