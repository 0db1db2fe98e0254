# `gmlake replay`: the pool in this process, on the simulated device, which is loaded at run time.
add_library(gmlake_replay STATIC)
foreach(source malloc_pair progress recorded_pool replay report settings simulated_device smallest_device)
  target_sources(gmlake_replay PRIVATE ${CMAKE_CURRENT_LIST_DIR}/${source}.cpp)
endforeach()
target_compile_options(gmlake_replay PRIVATE ${as_fast_as_possible})
target_include_directories(gmlake_replay PRIVATE ${CMAKE_CURRENT_LIST_DIR}/..)
target_link_libraries(gmlake_replay PUBLIC gmlake_trace gmlake_pool gmlake_driver gmlake_config gmlake_stats
  nlohmann_json::nlohmann_json ${CMAKE_DL_LIBS} Threads::Threads PRIVATE gmlake_version)
target_sources(gmlake_cli PRIVATE ${CMAKE_CURRENT_LIST_DIR}/replay_command.cpp)
target_link_libraries(gmlake_cli PRIVATE gmlake_replay)
if(TARGET simcuda)
  add_dependencies(gmlake_cli simcuda)
endif()
