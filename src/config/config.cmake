# Configuration: the option table, its reader and what is generated from it.
gmlake_layer(config
  SOURCES config/environment.cpp config/file.cpp config/load.cpp config/located_json.cpp config/nearest.cpp config/option.cpp
    config/pattern.cpp config/problem.cpp config/processes.cpp config/schema.cpp config/value.cpp config/value_text.cpp config/value_write.cpp
  USES gmlake_support nlohmann_json::nlohmann_json)
