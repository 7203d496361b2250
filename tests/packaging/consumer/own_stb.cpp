// The program's own stb, with every decoder on and its functions visible to the linker.
#define STB_IMAGE_IMPLEMENTATION
#include <stb/stb_image.h>
