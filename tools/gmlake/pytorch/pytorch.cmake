# `gmlake run --pytorch`.
foreach(source conf interpreter pytorch)
  target_sources(gmlake_cli PRIVATE ${CMAKE_CURRENT_LIST_DIR}/${source}.cpp)
endforeach()
