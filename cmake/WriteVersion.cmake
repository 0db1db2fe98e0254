# Run at build time by cmake/Version.cmake; rewrites the header only when its content changes.
set(revision "unknown")
string(TIMESTAMP date "%Y-%m-%d" UTC)  # SOURCE_DATE_EPOCH's, if that is set
if(GIT)
  execute_process(COMMAND ${GIT} -C ${SOURCE} describe --always --dirty --abbrev=12
    OUTPUT_VARIABLE described OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(NOT failed)
    set(revision ${described})
    execute_process(COMMAND ${GIT} -C ${SOURCE} log -1 --format=%cs OUTPUT_VARIABLE date OUTPUT_STRIP_TRAILING_WHITESPACE)
  endif()
endif()
file(CONFIGURE OUTPUT ${OUT} CONTENT
"#pragma once
#define GMLAKE_VERSION \"${VERSION}\"
#define GMLAKE_REVISION \"${revision}\"
#define GMLAKE_DATE \"${date}\"
" @ONLY)
