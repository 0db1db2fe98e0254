# Statistics: the list of counters and what is made of them at exit.
gmlake_layer(stats
  SOURCES stats/file_output.cpp stats/holder.cpp stats/live_page.cpp stats/live_reader.cpp stats/mapped_page.cpp stats/page_folder.cpp
  stats/process_stamp.cpp stats/records.cpp stats/report.cpp stats/report_name.cpp
  stats/report_json.cpp stats/report_text.cpp stats/unproved_text.cpp
  USES gmlake_support)
