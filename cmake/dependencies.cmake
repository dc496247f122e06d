# Everything Troupe links against. scripts/setup installs or builds what is missing and writes the prefix of a CAF
# that it built to build/prefix.cmake, or for ThreadSanitizer, which needs a CAF of its own, to build/prefix-tsan.cmake.
if(TROUPE_SANITIZE MATCHES "thread")
  include("${PROJECT_SOURCE_DIR}/build/prefix-tsan.cmake" OPTIONAL RESULT_VARIABLE prefix)
  if(NOT prefix AND NOT DEFINED ENV{CAF_ROOT})
    message(FATAL_ERROR "ThreadSanitizer needs a CAF that was compiled with it: run scripts/setup tsan, or set CAF_ROOT to "
                        "the prefix of one")
  endif()
else()
  include("${PROJECT_SOURCE_DIR}/build/prefix.cmake" OPTIONAL)
endif()
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
