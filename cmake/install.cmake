# Installation: the rooms as libraries with their headers, the troupe command, and a package for find_package(troupe) that
# offers troupe::messages, troupe::supervision, troupe::gpu, troupe::learn, troupe::actors, all of them as troupe::troupe,
# and troupe::testing for tests. Headers keep their path: #include "supervision/supervise.hpp".
include(CMakePackageConfigHelpers)

get_property(rooms GLOBAL PROPERTY TROUPE_ROOMS)
list(REMOVE_ITEM rooms testing) # no part of a program
list(TRANSFORM rooms PREPEND troupe_ OUTPUT_VARIABLE room_targets)

add_library(troupe_all INTERFACE)
add_library(troupe::troupe ALIAS troupe_all)
set_target_properties(troupe_all PROPERTIES EXPORT_NAME troupe)
target_link_libraries(troupe_all INTERFACE ${room_targets})

install(TARGETS ${room_targets} troupe_testing troupe_all EXPORT troupe-targets)
foreach(room ${rooms})
  install(DIRECTORY "${PROJECT_SOURCE_DIR}/${room}" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/troupe"
          FILES_MATCHING PATTERN "*.hpp" PATTERN cuda EXCLUDE) # a library of its own, which nothing installed needs
endforeach()
install(DIRECTORY "${PROJECT_SOURCE_DIR}/tests/support" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/troupe/tests"
        FILES_MATCHING PATTERN "*.hpp" PATTERN process.hpp EXCLUDE PATTERN temporary_folder.hpp EXCLUDE)
install(DIRECTORY "${PROJECT_BINARY_DIR}/generated/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/troupe")
if(TARGET troupe)
  install(TARGETS troupe)
endif()

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/troupe")
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/troupe-config.cmake.in"
  "${PROJECT_BINARY_DIR}/troupe-config.cmake" INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/troupe-config-version.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/troupe-config.cmake" "${PROJECT_BINARY_DIR}/troupe-config-version.cmake"
              "${PROJECT_SOURCE_DIR}/cmake/libraries.cmake"
        DESTINATION "${package_dir}")
install(EXPORT troupe-targets NAMESPACE troupe:: DESTINATION "${package_dir}")
