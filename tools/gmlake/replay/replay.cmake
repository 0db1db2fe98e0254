# `gmlake replay`: the pool in this process, on the simulated device, which is loaded at run time.
foreach(source malloc_pair progress recorded_pool replay replay_command report settings simulated_device smallest_device)
  target_sources(gmlake_cli PRIVATE ${CMAKE_CURRENT_LIST_DIR}/${source}.cpp)
endforeach()
target_link_libraries(gmlake_cli PRIVATE gmlake_trace gmlake_pool gmlake_driver gmlake_config gmlake_stats
  nlohmann_json::nlohmann_json ${CMAKE_DL_LIBS} Threads::Threads)
if(TARGET simcuda)
  add_dependencies(gmlake_cli simcuda)
endif()
