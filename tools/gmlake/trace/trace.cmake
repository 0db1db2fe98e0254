# Traces: memory, readers, writer, generator (library gmlake_trace, which the tests use) and `gmlake trace`.
add_library(gmlake_trace STATIC)
target_compile_options(gmlake_trace PRIVATE ${as_fast_as_possible})
foreach(source builder reader csv_fields csv_reader csv_writer pickle pickle_value snapshot_reader info generate/workload generate/recorder
    generate/framework generate/operations generate/attention generate/kv_cache generate/transformer generate/experts
    generate/optimizer generate/pipeline generate/generate generate/adversary)
  target_sources(gmlake_trace PRIVATE ${CMAKE_CURRENT_LIST_DIR}/${source}.cpp)
endforeach()
# What pictures and exports are made of.
foreach(source chrome memory_viz out_file pickle_writer places ranges snapshot_beside stacks)
  target_sources(gmlake_trace PRIVATE ${CMAKE_CURRENT_LIST_DIR}/${source}.cpp)
endforeach()
target_include_directories(gmlake_trace PUBLIC ${CMAKE_CURRENT_LIST_DIR}/..)
target_link_libraries(gmlake_trace PUBLIC gmlake_support PRIVATE nlohmann_json::nlohmann_json ${GMLAKE_ZLIB})

target_sources(gmlake_cli PRIVATE ${CMAKE_CURRENT_LIST_DIR}/trace_command.cpp ${CMAKE_CURRENT_LIST_DIR}/adversarial_command.cpp
  ${CMAKE_CURRENT_LIST_DIR}/export_command.cpp)
target_link_libraries(gmlake_cli PRIVATE gmlake_trace)
