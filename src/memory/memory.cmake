# Placement: which bytes a request gets.
gmlake_layer(memory SOURCES memory/span_set.cpp memory/plan.cpp memory/slots.cpp memory/placement.cpp USES gmlake_support)
