#define MINICNN_TEST_VALUES values_ofast
#include "field_cases/fast_math_values.hpp"
