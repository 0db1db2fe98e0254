# A recording of what the program does with its memory: the ring it is noted in, and the thread that writes it to a file.
# zlib is linked statically: the library needs nothing but libc where it is loaded.
find_library(GMLAKE_STATIC_ZLIB libz.a)
if(NOT GMLAKE_STATIC_ZLIB)
  message(FATAL_ERROR "libz.a was not found: install zlib's static library (Debian: zlib1g-dev, Fedora: zlib-static)")
endif()
gmlake_layer(record SOURCES record/modules.cpp record/recorder.cpp record/rows.cpp record/segments.cpp record/writer.cpp
  USES gmlake_stats gmlake_support ${GMLAKE_STATIC_ZLIB} Threads::Threads)
