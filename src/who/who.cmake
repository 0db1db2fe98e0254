# Who asked for the memory that is live: calls and names, of a sample of the blocks.
gmlake_layer(who SOURCES who/ledger.cpp who/ledger_report.cpp who/python.cpp who/python_lines.cpp who/python_text.cpp who/stack.cpp USES gmlake_stats gmlake_support)
