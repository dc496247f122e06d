# The CUDA backend, gpu/cuda: TROUPE_HAS_CUDA says whether it is built. nvcc takes g++ alone here, and nothing of its is
# for sanitizers.
set(TROUPE_HAS_CUDA OFF)
if(TROUPE_CUDA STREQUAL "AUTO" AND (TROUPE_SANITIZE OR NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU"))
  return()
endif()
if(NOT TROUPE_CUDA)
  return()
endif()

find_program(TROUPE_NVCC nvcc HINTS ENV CUDACXX PATHS "$ENV{CUDA_HOME}/bin" /usr/local/cuda/bin)
if(TROUPE_NVCC AND NOT CMAKE_CUDA_COMPILER)
  set(CMAKE_CUDA_COMPILER "${TROUPE_NVCC}")
endif()
if(NOT CMAKE_CUDA_COMPILER)
  if(TROUPE_CUDA STREQUAL "AUTO")
    return()
  endif()
  message(FATAL_ERROR "TROUPE_CUDA is ON, and there is no nvcc: install the CUDA toolkit, name its compiler with CUDACXX, "
                      "or leave TROUPE_CUDA at AUTO")
endif()

# Machine code for A100 and H100, and PTX of the latter for what comes.
set(CMAKE_CUDA_ARCHITECTURES "80-real;90" CACHE STRING "Architectures of GPUs")
set(CMAKE_CUDA_HOST_COMPILER "${CMAKE_CXX_COMPILER}" CACHE STRING "The C++ compiler that nvcc calls")
if(TROUPE_CCACHE AND NOT CMAKE_CUDA_COMPILER_LAUNCHER)
  set(CMAKE_CUDA_COMPILER_LAUNCHER "${TROUPE_CCACHE}")
endif()
enable_language(CUDA)
if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 13)
  if(TROUPE_CUDA STREQUAL "AUTO")
    message(STATUS "No CUDA backend: ${CMAKE_CUDA_COMPILER} is of version ${CMAKE_CUDA_COMPILER_VERSION}, and 13 is needed")
    return()
  endif()
  message(FATAL_ERROR "TROUPE_CUDA is ON, and ${CMAKE_CUDA_COMPILER} is of version ${CMAKE_CUDA_COMPILER_VERSION}: install "
                      "the CUDA toolkit 13, or leave TROUPE_CUDA at AUTO")
endif()
find_package(CUDAToolkit 13 REQUIRED)
set(TROUPE_HAS_CUDA ON)

# Links a program so that it needs nothing but CUDA's libraries and those of every Linux.
function(troupe_runs_beside_cuda_alone target)
  target_compile_definitions(${target} PRIVATE FMT_HEADER_ONLY)
  target_link_options(${target} PRIVATE -Wl,--as-needed -static-libstdc++ -static-libgcc)
endfunction()
