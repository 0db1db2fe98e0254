# Warnings, sanitizers and the compiler cache: what every target of the project is built with.
add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wundef
  $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor> $<$<COMPILE_LANGUAGE:CXX>:-Woverloaded-virtual>)
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  add_compile_options(-Wthread-safety)  # support/thread_safety.h
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  add_compile_options(-Wno-restrict)  # false alarms on std::string (gcc bug 105651)
endif()
if(GMLAKE_WERROR)
  add_compile_options(-Werror)
endif()
# What is not used is left out at the link: the preloaded library is mapped into every process of a job.
add_compile_options(-ffunction-sections -fdata-sections)
add_link_options(-Wl,--gc-sections)
# What is installed goes into every process of a job. Characters on the stack that are written past end it there, and no hit
# has any; what the loader settles is settled at once and can not be written after (docs/building.md has what it costs).
set(GMLAKE_HARDENED_CODE -fstack-protector)
set(GMLAKE_HARDENED_LINK -Wl,-z,relro,-z,now)
if(GMLAKE_SANITIZE)
  add_compile_options(-fsanitize=${GMLAKE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${GMLAKE_SANITIZE})
endif()
if(GMLAKE_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)  # everything a target reaches guides it
endif()
# Most of a source's build is its headers: groups of sources that share them take a third of the time. Off, each is
# compiled by itself, as checkers that name files want it (tools/tidy), and as clang does, which takes a local name for one
# that hides a name of another file of the group.
set(in_groups ON)
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  set(in_groups OFF)
endif()
option(GMLAKE_UNITY "compile sources in groups" ${in_groups})
set(CMAKE_UNITY_BUILD ${GMLAKE_UNITY})
set(CMAKE_UNITY_BUILD_BATCH_SIZE 8)
find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()
