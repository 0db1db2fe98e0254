# Timelines and fences: what is ordered before what.
gmlake_layer(stream SOURCES stream/timelines.cpp stream/clocks.cpp stream/fences.cpp USES gmlake_support)
