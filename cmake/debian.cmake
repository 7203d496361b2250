# `cpack -G DEB` in the build folder makes libminicnn-dev and, where the program was built, minicnn.

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME minicnn)
set(CPACK_PACKAGE_VENDOR "the minicnn authors")
set(CPACK_PACKAGE_CONTACT "the minicnn authors <minicnn@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_COMPONENTS_ALL library)
if(TARGET minicnn_program)
  list(APPEND CPACK_COMPONENTS_ALL program)
endif()

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)

set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libminicnn-dev)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libdevel)
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION "Convolutional networks on multicore CPUs: headers, and the decoder of pictures.")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_RECOMMENDS g++)

set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME minicnn)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION science)
set(CPACK_COMPONENT_PROGRAM_DESCRIPTION "Trains and applies classifiers of pictures.")
find_program(MINICNN_SHLIBDEPS dpkg-shlibdeps)
mark_as_advanced(MINICNN_SHLIBDEPS)
if(MINICNN_SHLIBDEPS)
  set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
endif()

if(TARGET minicnn_mpi AND TARGET minicnn_program)
  message(STATUS "minicnn: a Debian package of the program will depend on the MPI found here; -DMINICNN_MPI=OFF makes one that does not")
endif()

# Debian wants the licence in a file of this name.
foreach(component library program)
  string(TOUPPER ${component} upper)
  install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/doc/${CPACK_DEBIAN_${upper}_PACKAGE_NAME} RENAME copyright
          COMPONENT ${component})
endforeach()

# The guides, as Markdown, beside the headers that they are about.
set(doc_dir ${CMAKE_INSTALL_DATAROOTDIR}/doc/${CPACK_DEBIAN_LIBRARY_PACKAGE_NAME})
install(DIRECTORY docs DESTINATION ${doc_dir} COMPONENT library FILES_MATCHING PATTERN "*.md" PATTERN "*.png" PATTERN "*.svg")
install(FILES README.md CHANGELOG.md DESTINATION ${doc_dir} COMPONENT library)

include(CPack)
