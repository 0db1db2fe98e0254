# `gmlake report --html`: the page's files, compiled into the command, and what fills them.
foreach(source inputs page report_document shortage_document trace_document)
  target_sources(gmlake_cli PRIVATE ${CMAKE_CURRENT_LIST_DIR}/${source}.cpp)
endforeach()

# In the order they are in the page: each uses those before it.
set(scripts format unpack trace axis timeline map blocks flame shortage figures main)
list(TRANSFORM scripts PREPEND ${CMAKE_CURRENT_LIST_DIR}/ OUTPUT_VARIABLE script_files)
list(TRANSFORM script_files APPEND .js)
set(parts ${PROJECT_BINARY_DIR}/generated/html/generated/page_parts.h)
add_custom_command(OUTPUT ${parts}
  COMMAND ${CMAKE_COMMAND} -D FOLDER=${CMAKE_CURRENT_LIST_DIR} -D OUT=${parts} -D "SCRIPTS=${scripts}"
    -P ${CMAKE_CURRENT_LIST_DIR}/parts.cmake
  DEPENDS ${CMAKE_CURRENT_LIST_DIR}/parts.cmake ${CMAKE_CURRENT_LIST_DIR}/page.html ${CMAKE_CURRENT_LIST_DIR}/style.css
    ${script_files}
  VERBATIM)
target_sources(gmlake_cli PRIVATE ${parts})
target_include_directories(gmlake_cli PRIVATE ${PROJECT_BINARY_DIR}/generated/html)
target_link_libraries(gmlake_cli PRIVATE ${GMLAKE_ZLIB})
