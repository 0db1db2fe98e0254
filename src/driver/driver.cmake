gmlake_layer(driver SOURCES driver/driver_table.cpp driver/cuda_device.cpp USES gmlake_support gmlake_cuda_headers)
