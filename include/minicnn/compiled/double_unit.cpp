// The templates of core/compiled.hpp, for double.
#define MINICNN_DOUBLE_UNIT
#include "minicnn/int8/quantizer.hpp"
#include "minicnn/minicnn.hpp"
#include "minicnn/testing/op_test_case.hpp"
