# Run at build time by cmake/Version.cmake; rewrites the header only when its content changes.
set(revision "unknown")
if(GIT)
  execute_process(COMMAND ${GIT} -C ${SOURCE} describe --always --dirty --abbrev=12
    OUTPUT_VARIABLE described OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(NOT failed)
    set(revision ${described})
  endif()
endif()
file(CONFIGURE OUTPUT ${OUT} CONTENT
"#pragma once
#define GMLAKE_VERSION \"${VERSION}\"
#define GMLAKE_REVISION \"${revision}\"
" @ONLY)
