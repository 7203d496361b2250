"""ONNX models that minicnn writes, read by others: onnx.checker accepts each, and OpenCV's dnn computes what minicnn does.

usage: onnx_test.py PROGRAM ONNX_MODEL    ONNX_MODEL is the program of onnx_model.cpp. Exits with 77 (skipped) where python3-onnx is
missing; without python3-opencv only the checker and shape inference run, which is said. Where MINICNN_ONNXRUNTIME names a folder with
npm's onnxruntime-node, ONNX Runtime computes every model too."""
import json
import math
import os
import subprocess
import sys
import tempfile

try:
    import numpy
    import onnx
except ImportError as missing:
    print(f"SKIPPED: {missing} (Debian: python3-onnx)")
    sys.exit(77)
try:
    import cv2
except ImportError:
    cv2 = None
    print("SKIPPED: the half that runs the models, without python3-opencv")

import onnx_runtime  # noqa: E402

program, onnx_model = (os.path.abspath(path) for path in sys.argv[1:3])
weights = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/weights/alexnet-small-cats-dogs.safetensors")

# Every architecture, at an image size that it takes and that is quick. One of each is enough where depth alone differs.
MODELS = [("layers", 21), ("tensors", 21), ("lenet5", 32), ("alexnet", 67), ("alexnet-2012", 67), ("alexnet-torchvision", 63), ("alexnet-bn", 67),
          ("alexnet-small", 64), ("vgg11-bn", 32), ("googlenet", 65), ("inception-v3", 107), ("resnet18", 50), ("resnet50", 33),
          ("resnet20", 32), ("spp-net", 127), ("spp-net", 95), ("nin", 67), ("nin-cifar", 32), ("squeezenet", 65),
          ("squeezenet-1.0", 65), ("mobilenet-v2", 65), ("mobilenet-v3-small", 65), ("mobilenet-v3-large", 64), ("efficientnet-b0", 65),
          ("densenet121", 65), ("se-resnet50", 64), ("resnet50-d", 65), ("convnext-tiny", 64), ("vit-tiny", 32)]

# OpenCV 4.6 is not asked to run these: their operators on tokens and sizes are beyond what it promises.
CHECKED_ONLY = {"tensors", "convnext-tiny", "vit-tiny"}

# Quantised networks: residual, depthwise, concatenated, and those with layers that stay real between 8-bit ones.
QUANTIZED = [("few", 21), ("resnet18", 64), ("mobilenet-v2", 64), ("mobilenet-v3-small", 64), ("googlenet", 65), ("densenet121", 65),
             ("alexnet-bn", 67), ("alexnet-small", 64)]

# Networks whose models take images of any size: exported at the first size, computed at the second.
FREE = [("resnet18", 50, 77), ("mobilenet-v2", 65, 96), ("efficientnet-b0", 64, 91), ("densenet121", 65, 80), ("convnext-tiny", 64, 96)]


def run(*arguments):
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, arguments))}: exit code {done.returncode}: {done.stderr}")
    return done.stdout


def check(condition, text):
    if not condition:
        sys.exit(text)


def output_of(path, images):
    net = cv2.dnn.readNetFromONNX(path)
    net.setInput(images)
    return net.forward()


def checked(path):
    """The model, accepted by the checker; types and shapes can be inferred."""
    model = onnx.load(path)
    onnx.checker.check_model(model)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    check(len(model.graph.input) == 1 and len(model.graph.output) == 1, f"{path}: not one input and one output")
    return model


def difference(got, wanted):
    """The largest difference, relative to the largest value where that is above 1."""
    check(got.shape == wanted.shape, f"shape {got.shape}, wanted {wanted.shape}")
    return float(numpy.abs(got - wanted).max() / max(1.0, numpy.abs(wanted).max()))


def check_models(folder):
    for name, size in MODELS:
        run(onnx_model, name, size, folder)
        path = os.path.join(folder, "net.onnx")
        model = checked(path)
        line = f"{name} at {size} px: {len(model.graph.node)} operators"
        if cv2 and name not in CHECKED_ONLY:
            values = numpy.load(os.path.join(folder, "values.npz"))
            apart = float(numpy.abs(values["output"][0] - values["output"][1]).max())
            check(apart > 1e-3, f"{name}: the outputs of two images are {apart} apart: nothing is tested")
            for batch in (2, 1):
                got, wanted = output_of(path, values["input"][:batch]), values["output"][:batch]
                d = difference(got, wanted)
                check(d < 1e-4, f"{name}: differs by {d} from OpenCV with a batch of {batch}")
                d = float(numpy.abs(got - wanted).max()) / apart  # where biases make most of the output
                check(d < 1e-3, f"{name}: differs from OpenCV by {d} of what two images differ by")
            line += f", largest difference {difference(got, wanted):.1e}, {d:.1e} of what two images differ by"
        values = numpy.load(os.path.join(folder, "values.npz"))
        theirs = onnx_runtime.output(path, values["input"])
        if theirs is not None:
            d = difference(theirs.reshape(values["output"].shape), values["output"])
            check(d < 1e-4, f"{name}: differs by {d} from ONNX Runtime")
            line += f", from ONNX Runtime by {d:.1e}"
        print(line, flush=True)


def check_free_sizes(folder):
    """One model for images of any size: at another one it computes what the network built for that one does."""
    path = os.path.join(folder, "free.onnx")
    for name, size, other in FREE:
        run(onnx_model, "free:" + name, size, folder)
        os.replace(os.path.join(folder, "net.onnx"), path)
        dims = checked(path).graph.input[0].type.tensor_type.shape.dim
        check([d.dim_value for d in dims] == [0, 3, 0, 0], f"{name}: the input is {dims}")
        run(onnx_model, name, other, folder)
        values = numpy.load(os.path.join(folder, "values.npz"))
        theirs = onnx_runtime.output(path, values["input"])
        if theirs is not None:
            d = difference(theirs.reshape(values["output"].shape), values["output"])
            check(d < 1e-4, f"{name}: exported at {size} px differs by {d} from ONNX Runtime at {other} px")
            print(f"free:{name} exported at {size} px, at {other} px from ONNX Runtime by {d:.1e}", flush=True)


def check_quantized(folder):
    """8-bit models: the checker accepts them, and ONNX Runtime agrees with us: exactly where there are few layers. In deep networks one
    sum that falls on the other side of a half changes others, and the difference grows to what quantising itself is worth."""
    for name, size in QUANTIZED:
        run(onnx_model, "int8:" + name, size, folder)
        path = os.path.join(folder, "net.onnx")
        model = checked(path)
        kinds = [node.op_type for node in model.graph.node]
        check(kinds.count("QuantizeLinear") > 5, f"int8:{name}: {kinds.count('QuantizeLinear')} QuantizeLinear")
        line = f"int8:{name} at {size} px: {len(kinds)} operators"
        values = numpy.load(os.path.join(folder, "values.npz"))
        got, wanted = onnx_runtime.output(path, values["input"]), values["output"]
        if got is not None:
            got = got.reshape(wanted.shape)
            apart = float(numpy.abs(wanted[0] - wanted[1]).max())
            d = float(numpy.abs(got - wanted).max()) / float(numpy.abs(wanted).max())
            check(d < (1e-5 if name == "few" else 0.05), f"int8:{name}: differs from ONNX Runtime by {d} of the largest value")
            line += f", largest difference from ONNX Runtime {d:.1e} (two images differ by {apart:.1e})"
        print(line, flush=True)


def write_bmp(path, pixels):
    """24 bits a pixel, rows from the bottom, blue first. `pixels` is (height, width, 3), RGB, the width a multiple of 4."""
    height, width, _ = pixels.shape
    header = b"BM" + b"".join(n.to_bytes(4, "little") for n in (54 + pixels.size, 0, 54, 40, width, height))
    header += b"\1\0\x18\0" + bytes(24)
    with open(path, "wb") as file:
        file.write(header + pixels[::-1, :, ::-1].tobytes())


def metadata_of(path):
    with open(path, "rb") as file:
        return json.loads(file.read(int.from_bytes(file.read(8), "little")))["__metadata__"]


def check_command(folder):
    """`minicnn export` of the weights that ship: the model alone, with its metadata, says what `minicnn predict` says."""
    path = os.path.join(folder, "cats.onnx")
    run(program, "export", "--weights", weights, "--format", "onnx", "--probabilities", "--out", path)
    model = checked(path)
    metadata = {entry.key: json.loads(entry.value) for entry in model.metadata_props if entry.key in ("classes", "picture")}
    check(metadata["classes"] == ["cat", "dog"], f"classes are {metadata['classes']}")
    check(model.graph.output[0].name == "probabilities", model.graph.output[0].name)
    back = os.path.join(folder, "back.safetensors")
    run(program, "import", "--from", path, "--out", back)
    for key in ("tta", "clip"):  # what `predict` and `submit` do unasked
        check(metadata_of(back)[key] == metadata_of(weights)[key] not in ('"none"', "0.0"), f"{key}: {metadata_of(back)[key]} after import")
    if not cv2:
        return
    picture = metadata["picture"]
    size = model.graph.input[0].type.tensor_type.shape.dim[2].dim_value
    check(picture["size"] == size, f"picture {picture}, the model wants {size}")
    side = picture.get("resize_to") or size  # a picture of this size is not resized
    rows, columns = numpy.mgrid[0:side, 0:side]
    pixels = numpy.stack([(rows * 5 + columns) % 256, (columns * columns // 7) % 256, (rows * columns // 9) % 256], axis=-1)
    photo = os.path.join(folder, "photo.bmp")
    write_bmp(photo, pixels.astype(numpy.uint8))
    first = (side - size) // 2
    crop = pixels[first:first + size, first:first + size].astype(numpy.float32) * picture["scale"]
    prepared = (crop - numpy.array(picture["mean"])) / numpy.array(picture["deviation"])
    got = output_of(path, prepared.transpose(2, 0, 1)[None].astype(numpy.float32))[0]
    said = json.loads(run(program, "predict", "--weights", weights, "--tta", "none", "--json", photo))["probabilities"]
    wanted = [said["cat"], said["dog"]]
    check(max(abs(a - b) for a, b in zip(got, wanted)) < 1e-4, f"OpenCV says {got}, minicnn predict {wanted}")
    check(1e-3 < wanted[0] < 1 - 1e-3, f"probabilities {wanted} are too sure to test anything")
    print(f"minicnn export and predict: {wanted}, OpenCV {got.tolist()}")


def check_refusals(folder):
    path = os.path.join(folder, "refused.onnx")
    for arguments, text in [(["--format", "onnx", "--dtype", "f16"], "--dtype: not with onnx"),
                            (["--format", "onnx", "--names", "minicnn"], "--names: not with onnx"),
                            (["--format", "npz", "--probabilities"], "--probabilities goes with --format onnx only"),
                            (["--format", "npz", "--free-size"], "--free-size goes with --format onnx only")]:
        done = subprocess.run([program, "export", "--weights", weights, "--out", path, *arguments], capture_output=True, text=True)
        check(done.returncode == 2 and text in done.stderr, f"{arguments}: exit code {done.returncode}: {done.stderr}")
        check(not os.path.exists(path), f"{arguments}: wrote a file")


with tempfile.TemporaryDirectory(prefix="minicnn_onnx_") as scratch:
    check_models(scratch)
    check_free_sizes(scratch)
    check_quantized(scratch)
    check_command(scratch)
    check_refusals(scratch)
print("passed")
