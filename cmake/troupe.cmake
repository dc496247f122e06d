# One function per kind of target: troupe_library (a room), troupe_app, troupe_test, troupe_bench.
include(GNUInstallDirs)

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ON) # an installed command finds the CAF it was linked with

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

# A broken assertion is a bug of ours and ends the process in every kind of build.
foreach(kind RELEASE RELWITHDEBINFO)
  string(REPLACE "-DNDEBUG" "" CMAKE_CXX_FLAGS_${kind} "${CMAKE_CXX_FLAGS_${kind}}")
endforeach()

find_program(TROUPE_CCACHE ccache)
if(TROUPE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Without this sloppiness nothing that uses a precompiled header is cached.
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env CCACHE_SLOPPINESS=pch_defines,time_macros
      "${TROUPE_CCACHE}")
endif()

# Flags every target of the project is compiled with.
function(troupe_flags target)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                                           # options are structs that callers name a few members of
                                           -Wno-missing-field-initializers
                                           $<$<BOOL:${TROUPE_WERROR}>:-Werror>
                                           # g++ 12 sees these three in std::string, std::variant and fmt where they
                                           # are not (PR 105651, 105562); clang and the sanitizers look for real ones
                                           "$<$<CXX_COMPILER_ID:GNU>:-Wno-restrict;-Wno-maybe-uninitialized;-Wno-stringop-overflow>")
  if(TROUPE_NATIVE)
    target_compile_options(${target} PRIVATE -march=native)
  endif()
  if(TROUPE_CCACHE) # what ccache asks for where precompiled headers are in use
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
  endif()
  if(TROUPE_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${TROUPE_SANITIZE} -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC -fsanitize=${TROUPE_SANITIZE})
  endif()
endfunction()

# troupe_library(messages SOURCES a.cpp b.cpp PUBLIC x PRIVATE y)
# defines troupe_messages and the alias troupe::messages; headers are included from the repository root.
function(troupe_library room)
  cmake_parse_arguments(arg "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(troupe_${room} ${arg_SOURCES})
  add_library(troupe::${room} ALIAS troupe_${room})
  set_target_properties(troupe_${room} PROPERTIES EXPORT_NAME ${room})
  target_include_directories(troupe_${room} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/troupe>)
  target_link_libraries(troupe_${room} PUBLIC ${arg_PUBLIC} PRIVATE ${arg_PRIVATE})
  troupe_flags(troupe_${room})
  set_property(GLOBAL APPEND PROPERTY TROUPE_ROOMS ${room})
endfunction()

# troupe_app(name SOURCES … LIBS …): an executable in bin/.
function(troupe_app name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LIBS})
  troupe_flags(${name})
endfunction()

if(TROUPE_TESTS)
  # What the sanitizer presets build and run: the programs labelled unit or topology.
  add_custom_target(sanitized_tests)
  set(TROUPE_DATA "$ENV{TROUPE_DATA}" CACHE PATH "Folder with mnist/ and cifar-10/ for tests on real data")
  if(NOT TROUPE_DATA)
    cmake_path(SET TROUPE_DATA NORMALIZE "${PROJECT_SOURCE_DIR}/../shared/data")
  endif()
endif()

# troupe_test(name SOURCES … LIBS … LABELS …): a Catch2 program, one CTest entry per program.
function(troupe_test name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBS;LABELS" ${ARGN})
  add_executable(${name}_test ${arg_SOURCES})
  target_link_libraries(${name}_test PRIVATE ${arg_LIBS} Catch2::Catch2WithMain)
  troupe_flags(${name}_test)
  set_target_properties(${name}_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
  if(arg_LIBS MATCHES "troupe::(messages|supervision|actors)")
    target_precompile_headers(${name}_test REUSE_FROM troupe_test_pch)
    target_link_libraries(${name}_test PRIVATE OpenMP::OpenMP_CXX) # the flags have to be those of the header
  endif()
  add_test(NAME ${name} COMMAND ${name}_test)
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT 600
                       ENVIRONMENT "TROUPE_DATA=${TROUPE_DATA}")
  if(arg_LABELS MATCHES "unit|topology")
    add_dependencies(sanitized_tests ${name}_test)
  endif()
endfunction()
