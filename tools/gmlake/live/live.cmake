# `gmlake stats`, `top` and `report`: processes as their pages show them, and their reports.
set(CURSES_NEED_NCURSES TRUE)
find_package(Curses REQUIRED)
foreach(source control_command pages prometheus rates report_command screen stats_command top_command)
  target_sources(gmlake_cli PRIVATE ${CMAKE_CURRENT_LIST_DIR}/${source}.cpp)
endforeach()
target_include_directories(gmlake_cli PRIVATE ${CURSES_INCLUDE_DIRS})
target_link_libraries(gmlake_cli PRIVATE gmlake_stats ${CURSES_LIBRARIES})
