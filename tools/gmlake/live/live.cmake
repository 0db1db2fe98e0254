# `gmlake stats`, `top` and `report`: processes as their pages show them, and their reports.
set(CURSES_NEED_NCURSES TRUE)
find_package(Curses REQUIRED)
gmlake_static_if_old_glibc(GMLAKE_CURSES "${CURSES_LIBRARIES}" ncurses tinfo)
foreach(source control_command pages prometheus rates report_command screen stats_command top_command)
  target_sources(gmlake_cli PRIVATE ${CMAKE_CURRENT_LIST_DIR}/${source}.cpp)
endforeach()
target_include_directories(gmlake_cli PRIVATE ${CURSES_INCLUDE_DIRS})
target_link_libraries(gmlake_cli PRIVATE gmlake_stats ${GMLAKE_CURSES})
