"""ONNX Runtime for tests: where MINICNN_ONNXRUNTIME names a folder with npm's onnxruntime-node, models are computed by it too."""
import json
import os
import subprocess
import sys
import tempfile

import numpy

folder = os.environ.get("MINICNN_ONNXRUNTIME", "")

SCRIPT = """const ort = require(process.argv[1] + '/node_modules/onnxruntime-node'), fs = require('fs');
  (async () => { const s = await ort.InferenceSession.create(process.argv[2]);
    const data = new Float32Array(new Uint8Array(fs.readFileSync(process.argv[3])).buffer);
    const r = await s.run({[s.inputNames[0]]: new ort.Tensor('float32', data, JSON.parse(process.argv[4]))});
    console.log(JSON.stringify(Array.from(r[s.outputNames[0]].data))); })();"""


def output(path, x):
    """What ONNX Runtime makes of x, as a list of numbers; None without it."""
    if not folder:
        return None
    with tempfile.NamedTemporaryFile() as file:
        x.astype("<f4").tofile(file.name)
        done = subprocess.run(["node", "-e", SCRIPT, folder, path, file.name, json.dumps(x.shape)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"ONNX Runtime: {path}: {done.stderr}")
    return numpy.array(json.loads(done.stdout), "f4")
