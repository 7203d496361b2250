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
#define near  // windef.h
#define far
#define small char  // rpcndr.h
#define interface struct
#define ERROR 0        // wingdi.h
#define OPAQUE 2       // wingdi.h
#define DELETE 65536L  // winnt.h
#define IN
#define OUT
#define I _Complex_I  // complex.h
#define None 0L       // X.h
#define Status int
#define Bool int
#define Success 0
#define True 1
#define False 0
#define major(device) (device)  // sys/sysmacros.h
#define minor(device) (device)
#define linux 1  // -std=gnu++20
#define unix 1

#include "all_headers_reversed.hpp"

const void* second_unit_address();
const void* second_unit_address() { return &minicnn::max_threads; }
