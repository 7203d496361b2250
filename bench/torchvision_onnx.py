"""torchvision's network with random weights and two classes as an ONNX model of operator set 13 with a free batch, for
bench/compare_models.sh.

usage: /usr/bin/python3 bench/torchvision_onnx.py MODEL SIZE FILE     MODEL: torchvision's name; SIZE: pixels a side

Needs python3-torchvision and python3-onnx."""
import sys
import warnings

import torch
from torchvision import models

warnings.filterwarnings("ignore")
name, size, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
options = {"googlenet": dict(init_weights=False, aux_logits=False), "inception_v3": dict(init_weights=False),
           "vit_b_16": dict(image_size=size)}
model = getattr(models, name)(weights=None, num_classes=2, **options.get(name, {})).eval()
torch.onnx.export(model, torch.zeros(1, 3, size, size), path, input_names=["x"], output_names=["y"], opset_version=13,
                  dynamic_axes={"x": {0: "batch"}, "y": {0: "batch"}})
