# The libraries that Troupe links against; an installed Troupe looks for the same ones (this file is installed with it).

# No version in the call: CAF's package accepts only the very version asked for.
find_package(CAF COMPONENTS core io openssl REQUIRED)
if(CAF_VERSION VERSION_LESS 0.18.7)
  message(FATAL_ERROR "CAF ${CAF_VERSION} in ${CAF_DIR} is too old: 0.18.7 is the oldest that works; run scripts/setup "
                      "build, or set CAF_ROOT to the prefix of a newer one")
endif()
# CAF is not ours to warn about.
foreach(component core io openssl)
  get_target_property(include_dirs CAF::${component} INTERFACE_INCLUDE_DIRECTORIES)
  if(include_dirs)
    set_target_properties(CAF::${component} PROPERTIES INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${include_dirs}")
  endif()
endforeach()

find_package(Threads REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(OpenSSL REQUIRED COMPONENTS Crypto SSL)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(tl-expected REQUIRED)
find_package(Boost CONFIG REQUIRED COMPONENTS serialization) # its own package; CMake's module for it is going away

# oneDNN: its CMake package asks for OpenCL headers that nothing here includes, so the header and library are looked up.
find_path(DNNL_INCLUDE_DIR oneapi/dnnl/dnnl.hpp REQUIRED)
find_library(DNNL_LIBRARY dnnl REQUIRED)
if(NOT TARGET DNNL::dnnl)
  add_library(DNNL::dnnl UNKNOWN IMPORTED GLOBAL)
  set_target_properties(DNNL::dnnl PROPERTIES IMPORTED_LOCATION "${DNNL_LIBRARY}"
                        INTERFACE_INCLUDE_DIRECTORIES "${DNNL_INCLUDE_DIR}")
endif()

find_path(ISAL_INCLUDE_DIR isa-l.h REQUIRED)
find_library(ISAL_LIBRARY isal REQUIRED)
if(NOT TARGET troupe_isal) # ISA-L comes without a CMake package
  add_library(troupe_isal INTERFACE IMPORTED GLOBAL)
  target_include_directories(troupe_isal INTERFACE "${ISAL_INCLUDE_DIR}")
  target_link_libraries(troupe_isal INTERFACE "${ISAL_LIBRARY}")
endif()
