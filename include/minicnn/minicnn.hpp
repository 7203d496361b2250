#pragma once
/// Everything but data/ (reading images needs stb) and eigen.hpp (needs Eigen). Programs that want short compile times
/// include what they use: a network's header brings the layers that it is made of.

#include "minicnn/core/arena.hpp"
#include "minicnn/core/error.hpp"
#include "minicnn/core/parallel.hpp"
#include "minicnn/core/random.hpp"
#include "minicnn/core/shape.hpp"
#include "minicnn/core/tensor.hpp"

#include "minicnn/kernels/activation.hpp"
#include "minicnn/kernels/context.hpp"
#include "minicnn/kernels/conv.hpp"
#include "minicnn/kernels/conv_geometry.hpp"
#include "minicnn/kernels/elementwise.hpp"
#include "minicnn/kernels/gemm.hpp"
#include "minicnn/kernels/isa.hpp"
#include "minicnn/kernels/pack.hpp"
#include "minicnn/kernels/tile.hpp"
#include "minicnn/kernels/vector_math.hpp"

#include "minicnn/graph/execution.hpp"
#include "minicnn/graph/gradient_check.hpp"
#include "minicnn/graph/initializer.hpp"
#include "minicnn/graph/memory_plan.hpp"
#include "minicnn/graph/network.hpp"
#include "minicnn/graph/node.hpp"
#include "minicnn/graph/op.hpp"
#include "minicnn/graph/op_trial.hpp"
#include "minicnn/graph/parameter.hpp"
#include "minicnn/graph/summary.hpp"

#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/add.hpp"
#include "minicnn/layers/concat.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/dropout.hpp"
#include "minicnn/layers/flatten.hpp"
#include "minicnn/layers/window.hpp"

#include "minicnn/fwd.hpp"
#include "minicnn/version.hpp"

#include "minicnn/train/history.hpp"

#include "minicnn/io/checkpoint.hpp"

#include "minicnn/report/chart.hpp"
#include "minicnn/report/html.hpp"
#include "minicnn/report/progress.hpp"
