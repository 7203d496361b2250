# Installation and the package that find_package(minicnn) finds.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/minicnn)

install(DIRECTORY include/minicnn DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.hpp" PATTERN "*.inc")
install(TARGETS minicnn EXPORT minicnnTargets INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT minicnnTargets NAMESPACE minicnn:: DESTINATION ${package_dir})
if(TARGET minicnn_image)
  install(TARGETS minicnn_image EXPORT minicnnImageTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(EXPORT minicnnImageTargets NAMESPACE minicnn:: DESTINATION ${package_dir})
endif()
if(TARGET minicnn_program)
  install(TARGETS minicnn_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

configure_package_config_file(cmake/minicnnConfig.cmake.in ${PROJECT_BINARY_DIR}/minicnnConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/minicnnConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/minicnnConfig.cmake ${PROJECT_BINARY_DIR}/minicnnConfigVersion.cmake
        DESTINATION ${package_dir})
