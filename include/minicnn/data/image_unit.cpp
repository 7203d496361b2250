#define MINICNN_IMAGE_IMPLEMENTATION
#include "minicnn/data/image.hpp"
