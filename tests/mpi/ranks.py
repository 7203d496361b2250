#!/usr/bin/env python3
"""Trainings by several processes: ranks.py CASE MPIEXEC MINICNN EXAMPLE, where CASE is a function of the modules below.

Each case trains a small network with batch norm and dropout on drawn pictures, with augmentation, an average of weights and a ragged
last batch, and compares files byte by byte. MINICNN_MPI_KILLS: how often `resume` kills a rank (default 6).
MINICNN_MPI_HANG: seconds after which what does not happen is a hang (default 240)."""
import agreement
import endings
import same_results
from launch import CASE, DATA, MINICNN, clean_up, finish

try:
    finish([MINICNN, "generate", "--out", str(DATA), "--images", "90"])
    next(getattr(module, CASE) for module in (agreement, endings, same_results) if hasattr(module, CASE))()
finally:
    clean_up()
