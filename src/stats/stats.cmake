# Statistics: the list of counters and what is made of them at exit.
gmlake_layer(stats
  SOURCES stats/file_output.cpp stats/report.cpp stats/report_json.cpp stats/report_text.cpp
  stats/unproved_text.cpp
  USES gmlake_support)
