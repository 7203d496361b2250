"""Darknet's AlexNet (no normalisation), for bench/compare.sh: one JSON line with images/s (median step) and peak memory.

usage: /usr/bin/python3 bench/alexnet_darknet.py train|infer BATCH STEPS

The network is Debian's /usr/share/darknet/cfg/alexnet.cfg at 227 pixels with two classes, the library /usr/lib/darknet/libdarknet.so,
which computes on one thread. A training step is darknet's own: forward, backward, SGD with momentum.
"""
import ctypes
import os
import random
import re
import sys
import tempfile

import timing


class Matrix(ctypes.Structure):
    _fields_ = [("rows", ctypes.c_int), ("cols", ctypes.c_int), ("vals", ctypes.POINTER(ctypes.POINTER(ctypes.c_float)))]


class Data(ctypes.Structure):
    _fields_ = [("w", ctypes.c_int), ("h", ctypes.c_int), ("x", Matrix), ("y", Matrix), ("shallow", ctypes.c_int),
                ("num_boxes", ctypes.POINTER(ctypes.c_int)), ("boxes", ctypes.c_void_p)]


def matrix(rows):
    vals = (ctypes.POINTER(ctypes.c_float) * len(rows))(*[ctypes.cast(row, ctypes.POINTER(ctypes.c_float)) for row in rows])
    return Matrix(len(rows), len(rows[0]), vals)


def main():
    mode, batch, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with open("/usr/share/darknet/cfg/alexnet.cfg", encoding="ascii") as cfg:
        text = re.sub(r"^batch=.*$", f"batch={batch}", cfg.read(), flags=re.M).replace("output=1000", "output=2")
    darknet = ctypes.CDLL("/usr/lib/darknet/libdarknet.so")
    darknet.load_network.restype = ctypes.c_void_p
    darknet.train_network.argtypes, darknet.train_network.restype = [ctypes.c_void_p, Data], ctypes.c_float
    darknet.network_predict.argtypes = [ctypes.c_void_p, ctypes.POINTER(ctypes.c_float)]
    with tempfile.NamedTemporaryFile("w", suffix=".cfg") as cfg:
        cfg.write(text)
        cfg.flush()
        quiet, err = os.open(os.devnull, os.O_WRONLY), os.dup(2)
        os.dup2(quiet, 2)  # it prints every layer
        net = darknet.load_network(cfg.name.encode(), None, 0)
        os.dup2(err, 2)

    inputs = 3 * 227 * 227
    images = (ctypes.c_float * (batch * inputs))(*[random.gauss(0, 1) for _ in range(batch * inputs)])
    if mode == "train":
        rows = [(ctypes.c_float * inputs).from_buffer(images, i * inputs * 4) for i in range(batch)]
        labels = [(ctypes.c_float * 2)(i % 2, 1 - i % 2) for i in range(batch)]
        data = Data(227, 227, matrix(rows), matrix(labels), 1, None, None)
        step = lambda: darknet.train_network(net, data)  # noqa: E731
    else:
        step = lambda: darknet.network_predict(net, images)  # noqa: E731
    timing.report(step, steps, batch, mode=mode)


main()
