# version.h with the project's version and the git revision it was built from, refreshed at every build.
find_package(Git QUIET)
set(GMLAKE_VERSION_DIR ${PROJECT_BINARY_DIR}/generated/version)
add_custom_target(gmlake_version_header
  BYPRODUCTS ${GMLAKE_VERSION_DIR}/version.h
  COMMAND ${CMAKE_COMMAND} -D GIT=${GIT_EXECUTABLE} -D SOURCE=${PROJECT_SOURCE_DIR}
    -D VERSION=${PROJECT_VERSION} -D OUT=${GMLAKE_VERSION_DIR}/version.h
    -P ${PROJECT_SOURCE_DIR}/cmake/WriteVersion.cmake)
add_library(gmlake_version INTERFACE)
target_include_directories(gmlake_version INTERFACE ${GMLAKE_VERSION_DIR})
add_dependencies(gmlake_version gmlake_version_header)
