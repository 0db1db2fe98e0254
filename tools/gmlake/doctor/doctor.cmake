# `gmlake doctor`: is this machine fit for gmlake, and what do its driver calls cost. The driver is loaded at run time.
foreach(source doctor_command driver checks costs cost_calls cost_memory)
  target_sources(gmlake_cli PRIVATE ${CMAKE_CURRENT_LIST_DIR}/${source}.cpp)
endforeach()
target_link_libraries(gmlake_cli PRIVATE gmlake_driver nlohmann_json::nlohmann_json ${CMAKE_DL_LIBS} Threads::Threads)
