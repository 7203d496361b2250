"""Small ONNX models and what PyTorch computes of them, for tests/formats/onnx_import_test.cpp: onnx/NAME.onnx and onnx/values.npz
with NAME.x and NAME.y. Written with PyTorch 1.13 and onnx 1.12 (Debian: python3-torch, python3-torchvision, python3-onnx):

    /usr/bin/python3 tests/golden/make_onnx.py
"""
import os
import warnings

import numpy
import onnx
import torch
import torchvision
from onnx import TensorProto, helper, numpy_helper
from torch import nn

warnings.filterwarnings("ignore")
torch.manual_seed(0)
here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "onnx")
os.makedirs(here, exist_ok=True)
values = {}


def disturb(model):
    """Statistics and affine numbers that are not 0 and 1."""
    for m in model.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.running_mean.uniform_(-0.3, 0.3)
            m.running_var.uniform_(0.5, 2)
            m.weight.data.uniform_(0.5, 1.5)
            m.bias.data.uniform_(-0.3, 0.3)
    return model.eval()


def keep(name, x, y):
    values[name + ".x"] = x.detach().numpy().astype(numpy.float32)
    values[name + ".y"] = y.detach().numpy().astype(numpy.float32)


def export(name, model, x, opset, fold=True, free=True):
    disturb(model)
    y = model(x)
    axes = {"x": {0: "batch"}, "y": {0: "batch"}} if free else None
    mode = torch.onnx.TrainingMode.EVAL if fold else torch.onnx.TrainingMode.PRESERVE
    torch.onnx.export(model, x[:1], os.path.join(here, name + ".onnx"), input_names=["x"], output_names=["y"], opset_version=opset,
                      do_constant_folding=fold, training=mode, dynamic_axes=axes)
    keep(name, x, y)


class View(nn.Module):
    """x.view(x.size(0), -1), which exporters spell out by Shape, Gather, Unsqueeze, Concat and Reshape."""

    def forward(self, x):
        return x.view(x.size(0), -1)


class Cnn(nn.Module):
    """Groups, dilation, strides, padding on two sides, pooling that rounds up, batch norm in front and behind."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 8, (3, 5), stride=2, padding=(1, 2))
        self.norm = nn.BatchNorm2d(8)
        self.grouped = nn.Conv2d(8, 12, 3, padding=2, dilation=2, groups=4, bias=False)
        self.after = nn.BatchNorm2d(12, eps=0.01)
        self.last = nn.Linear(12 * 9, 5)

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.norm(self.first(x))), 3, 2, ceil_mode=True)
        x = torch.relu(self.after(self.grouped(x)))
        x = nn.functional.avg_pool2d(x, 2, 2, padding=1, count_include_pad=False)
        return self.last(View()(x))


class Residual(nn.Module):
    """Pictures prepared in the graph, sums, concatenation, global averages by mean over axes."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 6, 3, padding=1)
        self.b = nn.Conv2d(6, 6, 1, bias=False)
        self.bn = nn.BatchNorm2d(6)
        self.head = nn.Conv2d(12, 4, 1)

    def forward(self, x):
        a = self.a((x - 0.4) / 0.25)
        b = self.bn(a) + self.b(torch.relu(a))
        x = torch.cat([a, b], 1)
        return self.head(x).mean([2, 3])


class Activations(nn.Module):
    def forward(self, x):
        f = nn.functional
        parts = [f.relu(x), f.leaky_relu(x, 0.2), f.elu(x, 0.7), torch.sigmoid(x), torch.tanh(x), f.softplus(x), f.silu(x),
                 f.hardswish(x), f.gelu(x)]
        return torch.cat(parts, 1)


class Dense(nn.Module):
    """Products with constants on either side of the bias, and a softmax at the end."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(12, 7))
        self.bias = nn.Parameter(torch.randn(7))
        self.last = nn.Linear(7, 4)

    def forward(self, x):
        x = torch.matmul(x.flatten(1), self.weight) + self.bias
        return torch.softmax(self.last(torch.tanh(x)), 1)


x = torch.rand(2, 3, 21, 18)
for opset in (7, 9, 11, 13, 17):
    torch.manual_seed(1)
    export(f"cnn{opset}", Cnn(), x, opset)
torch.manual_seed(1)
export("cnn_raw", Cnn(), x, 13, fold=False)
torch.manual_seed(1)
export("cnn_fixed", Cnn(), x, 13, free=False)
export("residual", Residual(), torch.rand(3, 3, 8, 8), 13)
export("residual11", Residual(), torch.rand(3, 3, 8, 8), 11)
export("activations", Activations(), torch.randn(2, 2, 3, 5) * 2, 13)
export("activations17", Activations(), torch.randn(2, 2, 3, 5) * 2, 17)
export("dense", Dense(), torch.rand(3, 3, 2, 2), 13)
export("dense9", Dense(), torch.rand(3, 3, 2, 2), 9)


def save(name, nodes, inputs, outputs, weights, opset=13, **how):
    graph = helper.make_graph(nodes, name, inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    onnx.checker.check_model(model)
    onnx.save(model, os.path.join(here, name + ".onnx"), **how)


def free(name, *dims):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *dims])


def typed(name, array, kind):
    """A tensor of the given type, its values listed instead of raw where the type has a list."""
    if kind == TensorProto.BFLOAT16:
        bits = numpy.ascontiguousarray(array.astype(numpy.float32)).view(numpy.uint32) >> 16
        t = TensorProto(name=name, data_type=kind, dims=array.shape)
        t.raw_data = bits.astype(numpy.uint16).tobytes()
        return t
    if kind == TensorProto.FLOAT16:
        t = TensorProto(name=name, data_type=kind, dims=array.shape)
        t.int32_data.extend(int(b) for b in array.astype(numpy.float16).view(numpy.uint16).ravel())
        return t
    return helper.make_tensor(name, kind, array.shape, array.ravel().tolist())


# Weights of every floating type, made float by Cast, of numbers that all of them hold.
weight = numpy.round(numpy.random.RandomState(3).uniform(-1, 1, (4, 2, 3, 3)) * 64) / 64
kinds = {"f16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16, "f64": TensorProto.DOUBLE, "f32": TensorProto.FLOAT}
x = torch.rand(2, 2, 6, 6)
for kind, code in kinds.items():
    nodes = [helper.make_node("Cast", ["w"], ["weight"], to=TensorProto.FLOAT),
             helper.make_node("Conv", ["x", "weight"], ["y"], auto_pad="SAME_UPPER", strides=[2, 2], name="conv")]
    save(f"weights_{kind}", nodes, [free("x", 2, 6, 6)], [free("y", 4, 3, 3)], [typed("w", weight, code)])
    padded = nn.functional.pad(x, (0, 1, 0, 1))
    keep(f"weights_{kind}", x, nn.functional.conv2d(padded, torch.tensor(weight, dtype=torch.float32), stride=2))

# Weights beside the model.
w, b = numpy.random.RandomState(4).randn(3, 2, 1, 1).astype("f4"), numpy.random.RandomState(5).randn(3).astype("f4")
save("external", [helper.make_node("Conv", ["x", "conv.weight", "conv.bias"], ["y"])], [free("x", 2, 6, 6)], [free("y", 3, 6, 6)],
     [numpy_helper.from_array(w, "conv.weight"), numpy_helper.from_array(b, "conv.bias")], save_as_external_data=True,
     all_tensors_to_one_file=True, location="external.bin", size_threshold=0)
keep("external", x, nn.functional.conv2d(x, torch.tensor(w), torch.tensor(b)))

# As tf2onnx writes: pictures with channels last, prepared in the graph, zeros by Pad, biases by Add.
w, b = numpy.random.RandomState(6).randn(4, 3, 3, 3).astype("f4"), numpy.random.RandomState(7).randn(4).astype("f4")
dense = numpy.random.RandomState(8).randn(4, 5).astype("f4")
nodes = [helper.make_node("Sub", ["x", "mean"], ["centred"]), helper.make_node("Mul", ["centred", "factor"], ["scaled"]),
         helper.make_node("Transpose", ["scaled"], ["nchw"], perm=[0, 3, 1, 2]),
         helper.make_node("Pad", ["nchw", "pads"], ["padded"]),
         helper.make_node("Conv", ["padded", "w"], ["conv"], strides=[2, 2]),
         helper.make_node("Add", ["conv", "b"], ["biased"]), helper.make_node("Relu", ["biased"], ["relu"]),
         helper.make_node("Transpose", ["relu"], ["nhwc"], perm=[0, 2, 3, 1]),
         helper.make_node("ReduceMean", ["nhwc"], ["mean_of"], axes=[1, 2], keepdims=0),
         helper.make_node("MatMul", ["mean_of", "dense"], ["product"]), helper.make_node("Add", ["product", "dense_bias"], ["y"])]
mean, factor = numpy.array([0.4, 0.5, 0.6], "f4"), numpy.array(2.0, "f4")
weights = [numpy_helper.from_array(v, n) for n, v in
           [("mean", mean), ("factor", factor), ("pads", numpy.array([0, 0, 0, 0, 0, 0, 1, 1])), ("w", w), ("b", b.reshape(1, 4, 1, 1)),
            ("dense", dense), ("dense_bias", numpy.ones(5, "f4"))]]
save("channels_last", nodes, [free("x", 7, 7, 3)], [free("y", 5)], weights)
x = torch.rand(2, 7, 7, 3)
y = ((x - torch.tensor(mean)) * 2).permute(0, 3, 1, 2)
y = torch.relu(nn.functional.conv2d(nn.functional.pad(y, (0, 1, 0, 1)), torch.tensor(w), torch.tensor(b), stride=2))
y = y.mean([2, 3]) @ torch.tensor(dense) + 1
values["channels_last.x"] = x.permute(0, 3, 1, 2).contiguous().numpy()  # as the network here is fed
values["channels_last.y"] = y.numpy()

# Attention as torchvision's vision transformer has it: tokens first, batch second, heads a factor of the batch; with the batch
# free, and fixed to one.
def attention():
    torch.manual_seed(9)
    model = torchvision.models.VisionTransformer(8, 4, 1, 2, 12, 16, num_classes=3)
    for name, p in model.named_parameters():
        p.data.uniform_(0.5, 1.5) if name.endswith("ln.weight") or ".ln_" in name else p.data.uniform_(-0.6, 0.6)
    return model


x = torch.rand(3, 3, 8, 8)
for opset in (11, 13, 17):
    export(f"attention{opset}", attention(), x, opset)
export("attention_fixed", attention(), x, 13, free=False)


class ChannelNorm(nn.LayerNorm):
    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Norms(nn.Module):
    """Layer normalisation of channels around dense layers on channels (ConvNeXt), of groups, of each channel, of the last axes."""

    def __init__(self):
        super().__init__()
        self.channels, self.up, self.down = ChannelNorm(4, eps=1e-6), nn.Linear(4, 8), nn.Linear(8, 4)
        self.groups, self.plain = nn.GroupNorm(2, 4), nn.GroupNorm(4, 4, affine=False)
        self.each, self.last = nn.InstanceNorm2d(4, affine=True), nn.LayerNorm((6, 5))
        self.factor = nn.Parameter(torch.rand(4, 1, 1) + 0.5)
        for p in self.parameters():
            p.data.uniform_(0.3, 1.2)

    def forward(self, x):
        y = self.channels(x).permute(0, 2, 3, 1)
        y = x + self.factor * self.down(nn.functional.gelu(self.up(y))).permute(0, 3, 1, 2)
        return torch.cat([self.groups(y), self.plain(y), self.each(y), self.last(y)], 1)


x = torch.randn(2, 4, 6, 5)
export("norms13", Norms(), x, 13)
export("norms17", Norms(), x, 17)


class Parts(nn.Module):
    """Borders, blocks, parts of axes and what puts them together; means and sums over axes."""

    def __init__(self):
        super().__init__()
        self.slopes = nn.PReLU(4, 0.3)

    def forward(self, x):
        f = nn.functional
        a = f.pad(x, (1, 2, 0, 1), "reflect") + f.pad(x, (1, 2, 0, 1), "replicate") * f.pad(x, (1, 2, 0, 1), value=0.5)
        b = f.pixel_shuffle(self.slopes(x), 2)
        c = f.pad(b, (0, 0, 0, 0, 1, 2), value=-0.25)[:, :, :7, :9]
        a = torch.cat([a, a[:, [2, 0, 1, 3]].flip(2)], 2)[:, :, 2:12:2]
        d = f.pad(x, (0, 0, 1, 1, 0, 1))[:, :, ::2].mean(1, keepdim=True) - x.sum(3, keepdim=True)[:, :1, :4]
        return torch.cat([a.flatten(1), c.flatten(1), d.flatten(1), f.pad(x.flatten(2), (1, 0)).softmax(1).flatten(1)], 1)


export("parts", Parts(), torch.randn(2, 4, 6, 7), 13)


class Rows(nn.Module):
    """A model of one sample, (3, 4), which softmax along its first axis and a transpose take as a whole."""

    def __init__(self):
        super().__init__()
        self.weight, self.last = nn.Parameter(torch.rand(3, 4)), nn.Linear(3, 2)

    def forward(self, x):
        return self.last(((x + self.weight) * (2 - self.weight)).softmax(0).t())


torch.manual_seed(10)
rows, x = Rows(), torch.rand(2, 3, 4)
torch.onnx.export(rows, x[0], os.path.join(here, "no_batch.onnx"), input_names=["x"], output_names=["y"], opset_version=13)
keep("no_batch", x, torch.stack([rows(one) for one in x]))

numpy.savez(os.path.join(here, "values.npz"), **values)
print(sum(os.path.getsize(os.path.join(here, f)) for f in os.listdir(here)), "bytes")
