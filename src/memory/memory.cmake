# Placement: which bytes a request gets.
gmlake_layer(memory SOURCES memory/free_index.cpp memory/unsettled.cpp memory/home.cpp memory/windows.cpp memory/recall.cpp memory/plan.cpp
  memory/placement.cpp memory/placement_miss.cpp memory/placement_cut.cpp USES gmlake_support)
