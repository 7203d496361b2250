# Installation, the package that find_package(minicnn) finds, pkg-config's files, and Debian packages.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/minicnn)

# Two components: what programs are built with, and the program `minicnn`.
install(DIRECTORY include/minicnn DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT library
        FILES_MATCHING PATTERN "*.hpp" PATTERN "*.inc" PATTERN "*_unit.cpp")
install(TARGETS minicnn EXPORT minicnnTargets INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT minicnnTargets NAMESPACE minicnn:: DESTINATION ${package_dir} COMPONENT library)
if(TARGET minicnn_image)
  install(TARGETS minicnn_image EXPORT minicnnImageTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
  install(EXPORT minicnnImageTargets NAMESPACE minicnn:: DESTINATION ${package_dir} COMPONENT library)
endif()
if(TARGET minicnn_program)
  install(TARGETS minicnn_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
endif()

configure_package_config_file(cmake/minicnnConfig.cmake.in ${PROJECT_BINARY_DIR}/minicnnConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/minicnnConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/minicnnConfig.cmake ${PROJECT_BINARY_DIR}/minicnnConfigVersion.cmake
        DESTINATION ${package_dir} COMPONENT library)

# pkg-config: `minicnn` for the headers, `minicnn-image` for reading pictures as well. Their prefix is where they lie.
set(MINICNN_PC_THREADS "")
if(MINICNN_WITH_OPENMP)
  set(MINICNN_PC_THREADS ${OpenMP_CXX_FLAGS})
endif()
file(RELATIVE_PATH MINICNN_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" MINICNN_PC_PREFIX ${MINICNN_PC_PREFIX})
set(pc_files minicnn)
if(TARGET minicnn_image)
  list(APPEND pc_files minicnn-image)
endif()
foreach(name ${pc_files})
  configure_file(cmake/${name}.pc.in ${PROJECT_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT library)
endforeach()

if(MINICNN_TOP_LEVEL)
  include(cmake/debian.cmake)
endif()
