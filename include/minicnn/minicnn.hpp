#pragma once
/// Everything but data/ (reading images needs stb) and eigen.hpp (needs Eigen). Programs that want short compile times
/// include what they use: a network's header brings the layers that it is made of.

#include "minicnn/fwd.hpp"
#include "minicnn/version.hpp"

#include "minicnn/core/arena.hpp"
#include "minicnn/core/error.hpp"
#include "minicnn/core/half.hpp"
#include "minicnn/core/parallel.hpp"
#include "minicnn/core/random.hpp"
#include "minicnn/core/shape.hpp"
#include "minicnn/core/tensor.hpp"

#include "minicnn/kernels/context.hpp"
#include "minicnn/kernels/conv.hpp"
#include "minicnn/kernels/conv_geometry.hpp"
#include "minicnn/kernels/gemm.hpp"
#include "minicnn/kernels/isa.hpp"

#include "minicnn/graph/initializer.hpp"
#include "minicnn/graph/memory_plan.hpp"
#include "minicnn/graph/node.hpp"
#include "minicnn/graph/op.hpp"
#include "minicnn/graph/parameter.hpp"

#include "minicnn/layers/window.hpp"

#include "minicnn/io/file.hpp"
#include "minicnn/io/json.hpp"
#include "minicnn/io/json_writer.hpp"
#include "minicnn/io/utf8.hpp"
