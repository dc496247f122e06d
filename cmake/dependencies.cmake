# Everything Troupe links against. scripts/setup installs or builds what is missing and writes the prefix of a CAF
# that it built to build/prefix.cmake.
include("${PROJECT_SOURCE_DIR}/build/prefix.cmake" OPTIONAL)
if(DEFINED ENV{CAF_ROOT})
  list(PREPEND CMAKE_PREFIX_PATH "$ENV{CAF_ROOT}")
endif()

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
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(tl-expected REQUIRED)
find_package(Boost REQUIRED COMPONENTS serialization)
find_package(dnnl REQUIRED)

find_path(ISAL_INCLUDE_DIR isa-l.h REQUIRED)
find_library(ISAL_LIBRARY isal REQUIRED)
add_library(troupe_isal INTERFACE IMPORTED GLOBAL)
target_include_directories(troupe_isal INTERFACE "${ISAL_INCLUDE_DIR}")
target_link_libraries(troupe_isal INTERFACE "${ISAL_LIBRARY}")

if(TROUPE_APPS)
  find_package(CLI11 REQUIRED)
  find_package(tomlplusplus REQUIRED)
endif()
if(TROUPE_TESTS)
  find_package(Catch2 3 REQUIRED)
endif()
