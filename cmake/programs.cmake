# What examples, tests and benchmarks share: warnings, and leaving out what needs a missing package.

find_package(Eigen3 3.3 QUIET NO_MODULE)
if(NOT TARGET Eigen3::Eigen AND CMAKE_CROSSCOMPILING)  # the plain headers
  find_path(MINICNN_EIGEN_INCLUDE_DIR Eigen/Core DOC "Folder that has Eigen/Core")
  mark_as_advanced(MINICNN_EIGEN_INCLUDE_DIR)
  if(MINICNN_EIGEN_INCLUDE_DIR)
    add_library(Eigen3::Eigen INTERFACE IMPORTED)
    set_target_properties(Eigen3::Eigen PROPERTIES INTERFACE_INCLUDE_DIRECTORIES ${MINICNN_EIGEN_INCLUDE_DIR})
  endif()
endif()
if(NOT TARGET Eigen3::Eigen)
  message(STATUS "minicnn: Eigen 3.3 not found, so programs that use it are left out (Debian: libeigen3-dev)")
endif()

# Everything that the project's own programs are compiled with.
add_library(minicnn_own INTERFACE)
target_link_libraries(minicnn_own INTERFACE minicnn)
if(MINICNN_TOP_LEVEL)
  target_compile_options(minicnn_own INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                                               $<$<BOOL:${MINICNN_WARNINGS_AS_ERRORS}>:-Werror>)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # g++ 12 sees overlapping copies in "text" + std::string at -O3 (its bug 105651), and reads of members of a std::variant that it
    # does not hold (its bug 105562).
    target_compile_options(minicnn_own INTERFACE -Wno-restrict -Wno-maybe-uninitialized)
  endif()
endif()
if(TARGET minicnn_image)
  target_link_libraries(minicnn_own INTERFACE minicnn_image)
endif()
if(TARGET Eigen3::Eigen)
  target_link_libraries(minicnn_own INTERFACE Eigen3::Eigen)
endif()

# Sets `result` to the names of missing packages that one of the source files asks for; empty when all are there.
function(minicnn_missing_for result)
  set(missing "")
  foreach(source ${ARGN})
    file(STRINGS ${source} includes REGEX "^#include")
    if(NOT TARGET minicnn_image AND includes MATCHES "minicnn/data/|stb/")
      list(APPEND missing stb)
    endif()
    if(NOT TARGET minicnn_mpi AND includes MATCHES "minicnn/train/mpi.hpp")
      list(APPEND missing MPI)
    endif()
    if(NOT TARGET Eigen3::Eigen AND includes MATCHES "<Eigen/|minicnn/eigen.hpp|minicnn/data/pca.hpp")
      list(APPEND missing Eigen)
    endif()
  endforeach()
  list(REMOVE_DUPLICATES missing)
  list(JOIN missing " and " missing)
  set(${result} "${missing}" PARENT_SCOPE)
endfunction()
