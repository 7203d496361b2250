# For toolchain files: a place with the build machine's header-only libraries (doctest, stb, Eigen, CLI11), which any compiler can read.
# /usr/include itself holds the build machine's C library as well.
get_filename_component(header_only ${CMAKE_CURRENT_LIST_DIR}/../build/header_only ABSOLUTE)
file(MAKE_DIRECTORY ${header_only}/include)
foreach(library doctest stb eigen3/Eigen CLI)
  get_filename_component(name ${library} NAME)
  if(EXISTS /usr/include/${library} AND NOT EXISTS ${header_only}/include/${name})
    file(CREATE_LINK /usr/include/${library} ${header_only}/include/${name} SYMBOLIC)
  endif()
endforeach()
list(APPEND CMAKE_FIND_ROOT_PATH ${header_only})

# Libraries and packages of the build machine are for another processor or system.
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
