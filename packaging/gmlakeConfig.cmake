# find_package(gmlake): the target gmlake::gmlake, for programs and plug-ins that call gmlake.h.
include(${CMAKE_CURRENT_LIST_DIR}/gmlakeTargets.cmake)
