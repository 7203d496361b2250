"""Writes operators.safetensors: operators of two inputs, of shapes and of normalisation, as PyTorch computes them.

    /usr/bin/python3 tests/golden/make_operators.py [folder]      (default: the folder of this script)

Versions, conventions and the formula of inputs are those of make_golden.py. A second input is 2 + value(i, WEIGHT).
"""

import os
import sys

import torch
import torch.nn.functional as F

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from make_golden import BIAS, INPUT, WEIGHT, backward, golden_file, leaf, text_of  # noqa: E402  (sets one thread and double precision)


def arithmetic(out):
    operations = {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div}
    shapes = {"equal": ((2, 3, 4, 5), (2, 3, 4, 5)), "gate": ((2, 3, 4, 5), (2, 3, 1, 1)), "plane": ((2, 3, 4, 5), (2, 1, 4, 5)),
              "column": ((2, 3, 4, 5), (2, 3, 4, 1)), "row": ((2, 3, 4, 5), (2, 1, 1, 5)), "crossed": ((2, 3, 1, 5), (2, 1, 4, 5)),
              "trained_channels": ((2, 3, 4, 5), (3, 1, 1)), "trained_places": ((2, 4, 5), (4, 5)), "trained_one": ((2, 3), (1,))}
    for operation, function in operations.items():
        for name, (first, second) in shapes.items():
            a, b = leaf(first, INPUT, 2.0), leaf(second, WEIGHT, 1.0, 2.0)
            y = function(a, b)
            backward(y)
            out.case(f"{operation}_{name}", f"inputs {text_of(first)} and {text_of(second)}", output=y, input__gradient=a.grad,
                     second__gradient=b.grad)


def of_one(out, name, text, dims, function, *weights):
    """A function of an input and of weights, which are called weight, bias: shapes of theirs follow."""
    x = leaf(dims, INPUT, 2.0)
    parameters = [leaf(shape, salt) for shape, salt in zip(weights, (WEIGHT, BIAS))]
    y = function(x, *parameters)
    backward(y)
    gradients = {f"{key}__gradient": p.grad for key, p in zip(("weight", "bias"), parameters)}
    out.case(name, f"input {text_of(dims)}, {text}, output {text_of(y.shape)}", output=y, input__gradient=x.grad, **gradients)


def shapes(out):
    of_one(out, "transpose_0231", "axes 0 2 3 1", (2, 3, 4, 5), lambda x: x.permute(0, 2, 3, 1))
    of_one(out, "transpose_02143", "axes 0 2 1 4 3", (2, 3, 4, 5, 2), lambda x: x.permute(0, 2, 1, 4, 3))
    of_one(out, "reshape", "to 2x10x6", (2, 3, 4, 5), lambda x: x.reshape(2, 10, 6))
    of_one(out, "slice", "axis 2, 1 3 5", (2, 3, 7, 4), lambda x: x[:, :, 1:6:2])
    of_one(out, "mean_23", "mean over axes 2 3", (2, 3, 4, 5), lambda x: x.mean((2, 3), keepdim=True))
    of_one(out, "mean_13_dropped", "mean over axes 1 3, dropped", (2, 3, 4, 5), lambda x: x.mean((1, 3)))
    of_one(out, "sum_last", "sum over the last axis", (2, 3, 4, 5), lambda x: x.sum(-1, keepdim=True))


def normalisation(out):
    of_one(out, "layer_norm_last", "last axis, eps 1e-6", (2, 5, 19), lambda x, w, b: F.layer_norm(x, (19,), w, b, 1e-6), (19,), (19,))
    of_one(out, "layer_norm_channels", "channels, eps 1e-5", (2, 6, 4, 5),
           lambda x, w, b: F.layer_norm(x.permute(0, 2, 3, 1), (6,), w, b).permute(0, 3, 1, 2), (6,), (6,))
    of_one(out, "layer_norm_plain", "last axis, no weights", (2, 3, 7), lambda x: F.layer_norm(x, (7,)))
    of_one(out, "softmax_last", "last axis", (2, 3, 19), lambda x: F.softmax(x, -1))
    of_one(out, "softmax_channels", "axis 1", (2, 6, 4, 5), lambda x: F.softmax(x, 1))
    of_one(out, "dense_last_axis", "7 units on the last axis", (2, 5, 9), lambda x, w, b: F.linear(x, w, b), (7, 9), (7,))


def products(out):
    for name, first, second, function in (
        ("matmul", (2, 3, 4, 5), (2, 3, 5, 6), lambda a, b: a @ b),
        ("matmul_transposed", (2, 3, 4, 5), (2, 3, 6, 5), lambda a, b: a @ b.transpose(-1, -2)),
    ):
        a, b = leaf(first, INPUT, 2.0), leaf(second, WEIGHT, 1.0, 2.0)
        y = function(a, b)
        backward(y)
        out.case(name, f"inputs {text_of(first)} and {text_of(second)}", output=y, input__gradient=a.grad, second__gradient=b.grad)


def images(out):
    def transposed(name, dims, filters, kernel, **how):
        groups = how.get("groups", 1)
        of_one(out, "conv_transpose_" + name, f"{filters} filters, kernel {text_of(kernel)}, {how}", dims,
               lambda x, w, b: F.conv_transpose2d(x, w, b, **how), (dims[1], filters // groups, *kernel), (filters,))

    transposed("plain", (2, 3, 4, 5), 4, (3, 3))
    transposed("stride_2", (2, 3, 4, 5), 4, (4, 4), stride=2, padding=1)
    transposed("output_padding", (2, 4, 3, 4), 6, (3, 2), stride=(2, 3), padding=(1, 0), output_padding=(1, 2), groups=2)
    transposed("dilation_2", (1, 2, 4, 4), 3, (3, 3), dilation=2, padding=1)
    transposed("gaps", (1, 2, 3, 3), 2, (2, 2), stride=3)

    def resized(name, size, **how):
        of_one(out, "resize_" + name, f"to {text_of(size)}, {how}", (2, 3, 4, 5), lambda x: F.interpolate(x, size=size, **how))

    resized("nearest_8x10", (8, 10), mode="nearest")
    resized("nearest_7x3", (7, 3), mode="nearest")
    resized("bilinear_8x10", (8, 10), mode="bilinear", align_corners=False)
    resized("bilinear_3x7", (3, 7), mode="bilinear", align_corners=False)
    resized("bilinear_aligned_9x2", (9, 2), mode="bilinear", align_corners=True)
    resized("bilinear_aligned_1x1", (1, 1), mode="bilinear", align_corners=True)
    of_one(out, "prelu", "a slope a channel", (2, 3, 4, 5), lambda x, w: F.prelu(x, w), (3,))
    of_one(out, "group_norm", "2 groups, eps 1e-5", (2, 6, 3, 4), lambda x: F.group_norm(x, 2))
    of_one(out, "instance_norm", "eps 1e-5", (2, 6, 3, 4), lambda x: F.instance_norm(x))
    of_one(out, "pixel_shuffle", "blocks of 2", (2, 8, 3, 4), lambda x: F.pixel_shuffle(x, 2))
    for mode in ("constant", "reflect", "replicate"):
        more = {"value": 1.5} if mode == "constant" else {}
        of_one(out, "pad_" + mode, f"1 above, 2 below, 3 left, 0 right, {more}", (2, 3, 4, 5),
               lambda x: F.pad(x, (3, 0, 1, 2), mode=mode, **more))


if __name__ == "__main__":
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    operators = golden_file()
    for group in (arithmetic, shapes, normalisation, products, images):
        group(operators)
    operators.write(os.path.join(folder, "operators.safetensors"))
