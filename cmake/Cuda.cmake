# Finds the CUDA Toolkit's headers (all the library needs) and nvcc (only used to build test clients).
# Looked for in CUDAToolkit_ROOT, CUDA_HOME, CUDA_PATH, beside nvcc, and in /usr/local/cuda.
find_path(GMLAKE_CUDA_INCLUDE cuda.h
  HINTS ${CUDAToolkit_ROOT} $ENV{CUDAToolkit_ROOT} $ENV{CUDA_HOME} $ENV{CUDA_PATH} /usr/local/cuda
  PATH_SUFFIXES include targets/x86_64-linux/include targets/sbsa-linux/include)
if(NOT GMLAKE_CUDA_INCLUDE)
  message(FATAL_ERROR
    "The CUDA Toolkit's headers were not found (cuda.h). Install the CUDA Toolkit, 13.0 or newer, "
    "and set CUDA_HOME=/path/to/cuda, or configure with -DCUDAToolkit_ROOT=/path/to/cuda. "
    "No GPU and no driver are needed to build.")
endif()
add_library(gmlake_cuda_headers INTERFACE)
target_include_directories(gmlake_cuda_headers SYSTEM INTERFACE ${GMLAKE_CUDA_INCLUDE})
cmake_path(GET GMLAKE_CUDA_INCLUDE PARENT_PATH GMLAKE_CUDA_ROOT)
find_program(GMLAKE_NVCC nvcc HINTS ${GMLAKE_CUDA_ROOT}/bin)
