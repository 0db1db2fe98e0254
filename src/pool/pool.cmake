# Requests become blocks: the ladder, locking, reports.
gmlake_layer(pool SOURCES pool/books.cpp pool/books_accounts.cpp pool/books_blocks.cpp pool/books_order.cpp pool/books_loans.cpp pool/device_pool.cpp
  pool/follower.cpp pool/mappings.cpp pool/pool_accounts.cpp pool/pool_unproved.cpp pool/pool_unwanted.cpp pool/shortage.cpp
  pool/shortage_text.cpp pool/supply.cpp pool/unproved_pairs.cpp
  USES gmlake_memory gmlake_stream gmlake_stats gmlake_config gmlake_support)
