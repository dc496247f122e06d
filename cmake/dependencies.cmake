# Everything Troupe links against. scripts/setup installs or builds what is missing and writes the prefix of a CAF
# that it built to build/prefix.cmake.
include("${PROJECT_SOURCE_DIR}/build/prefix.cmake" OPTIONAL)
if(DEFINED ENV{CAF_ROOT})
  list(PREPEND CMAKE_PREFIX_PATH "$ENV{CAF_ROOT}")
endif()

include(libraries)

if(TROUPE_APPS)
  find_package(CLI11 REQUIRED)
  find_package(tomlplusplus REQUIRED)
endif()
if(TROUPE_TESTS)
  find_package(Catch2 3 REQUIRED)
endif()
