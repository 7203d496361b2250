// Reads pictures; the decoder is in another unit.
#include "minicnn/data/image.hpp"
#include "minicnn/data/image_folder.hpp"
#include "minicnn/data/loader.hpp"

minicnn::image_u8 read(const char* path);
minicnn::image_u8 read(const char* path) { return minicnn::load_image(path); }
