# Requests become blocks: the ladder, locking, reports.
gmlake_layer(pool SOURCES pool/mappings.cpp pool/device_pool.cpp pool/pool_misses.cpp pool/pool_one_stream.cpp pool/pool_order.cpp
  pool/pool_proofs.cpp pool/pool_unproved.cpp pool/shortage.cpp pool/unproved_pairs.cpp
  USES gmlake_memory gmlake_stream gmlake_config gmlake_support)
