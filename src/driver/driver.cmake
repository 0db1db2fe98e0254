# The seam to CUDA: the only layer below the hooks that includes cuda.h.
gmlake_layer(driver SOURCES driver/driver_table.cpp driver/cuda_device.cpp USES gmlake_support gmlake_cuda_headers)
