// The second unit: the headers in the opposite order, without RTTI, among macros that other people's headers define.
// Standard headers come first, since those macros would break them too.
#if __has_include(<bits/stdc++.h>)
#include <bits/stdc++.h>
#endif
#if __has_include(<omp.h>)
#include <omp.h>
#endif
#if __has_include(<unistd.h>)
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif
#if __has_include(<Eigen/Dense>)
#include <Eigen/Dense>
#endif

#define min(a, b) (((a) < (b)) ? (a) : (b))  // windows.h
#define max(a, b) (((a) > (b)) ? (a) : (b))
#define I _Complex_I  // complex.h
#define None 0L       // X.h
#define Status int

#include "all_headers_reversed.hpp"

const void* second_unit_address();
const void* second_unit_address() { return &minicnn::max_threads; }
