# The oldest C library that the library, the command and the simulated device run with. What is linked here needs a
# newer one only where it calls something newer: dlopen and pthread_create moved in 2.34, and every object linked since
# asks for that. So it is linked against stand-ins that have no symbol version above the floor (glibc_stub.py).
#
# 2.28 is what CUDA 13 and PyTorch's wheels ask for themselves (RHEL 8, Debian 10).
set(GMLAKE_GLIBC 2.28 CACHE STRING "oldest glibc to run with; empty: the one of this machine")
set(stand_ins ${PROJECT_BINARY_DIR}/generated/glibc)

if(GMLAKE_GLIBC AND NOT GMLAKE_SANITIZE)
  find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
  execute_process(COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/glibc_stub.py
    ${GMLAKE_GLIBC} ${CMAKE_CXX_COMPILER} ${stand_ins} COMMAND_ERROR_IS_FATAL ANY)
  add_library(gmlake_old_libc OBJECT ${PROJECT_SOURCE_DIR}/src/support/old_libc.cpp)
  add_library(gmlake_old_start OBJECT ${PROJECT_SOURCE_DIR}/src/support/old_start.cpp)
endif()

# Of a shared library or a program.
function(gmlake_runs_with_old_glibc target)
  if(NOT TARGET gmlake_old_libc)
    return()
  endif()
  # libc_nonshared.a: the part of the C library that is linked statically everywhere (atexit, which the C++ runtime behind
  # it may be the first to want). Libraries of this machine that nothing is used of ask for its glibc all the same.
  target_link_libraries(${target} PRIVATE $<TARGET_OBJECTS:gmlake_old_libc> -l:libc_nonshared.a)
  get_target_property(type ${target} TYPE)
  if(type STREQUAL EXECUTABLE)
    target_link_libraries(${target} PRIVATE $<TARGET_OBJECTS:gmlake_old_start>)
    target_link_options(${target} PRIVATE -Wl,--wrap=__libc_start_main)
  endif()
  target_link_options(${target} PRIVATE -L${stand_ins} -static-libstdc++ -Wl,--as-needed -Wl,-u,atexit
    -Wl,--push-state,--no-as-needed -ldl -lpthread -Wl,--pop-state)
endfunction()

# Of a shared library that has nothing but calls of other libraries in it, and the system's C++ runtime.
function(gmlake_links_with_old_glibc target)
  if(TARGET gmlake_old_libc)
    target_link_libraries(${target} PRIVATE -l:libc_nonshared.a)
    target_link_options(${target} PRIVATE -L${stand_ins})
  endif()
endfunction()

# Libraries that a program is to be linked with, static ones where it is to run with an older glibc: shared, they are this
# machine's, which ask for its glibc, and the other machine may not have them.
function(gmlake_static_if_old_glibc out shared)
  set(libraries ${shared})
  if(TARGET gmlake_old_libc)
    set(libraries)
    foreach(name ${ARGN})
      find_library(GMLAKE_STATIC_${name} lib${name}.a)
      if(NOT GMLAKE_STATIC_${name})
        message(FATAL_ERROR "lib${name}.a was not found: install it, or build for this machine's glibc with -DGMLAKE_GLIBC=")
      endif()
      list(APPEND libraries ${GMLAKE_STATIC_${name}})
    endforeach()
  endif()
  set(${out} ${libraries} PARENT_SCOPE)
endfunction()
