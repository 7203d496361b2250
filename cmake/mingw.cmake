# 64-bit Windows by Debian's MinGW-w64; programs run by wine (Debian: g++-mingw-w64-x86-64-posix wine64 wine). The programs hold the
# compiler's libraries, so that they run alone.
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR AMD64)
set(CMAKE_CXX_COMPILER x86_64-w64-mingw32-g++-posix)
set(CMAKE_FIND_ROOT_PATH /usr/x86_64-w64-mingw32)
set(CMAKE_CROSSCOMPILING_EMULATOR wine)
set(CMAKE_CXX_FLAGS_INIT -Wa,-mbig-obj)
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
# -static takes libraries of its own choice alone; OpenMP's is named by its path.
execute_process(COMMAND ${CMAKE_CXX_COMPILER} -print-file-name=libgomp.a OUTPUT_VARIABLE OpenMP_gomp_LIBRARY OUTPUT_STRIP_TRAILING_WHITESPACE)
set(OpenMP_gomp_LIBRARY ${OpenMP_gomp_LIBRARY} CACHE FILEPATH "")
include(${CMAKE_CURRENT_LIST_DIR}/header_only.cmake)
