# What `cmake --install` puts where. Nothing in the tree holds its own path: it works from any prefix, and when moved.
include(CMakePackageConfigHelpers)

set_target_properties(lopt-run PROPERTIES INSTALL_RPATH "$ORIGIN/../lib" EXPORT_NAME run)
set_target_properties(lopt_core PROPERTIES EXPORT_NAME core SOVERSION ${PROJECT_VERSION_MAJOR})
set_target_properties(lopt_sdk PROPERTIES EXPORT_NAME sdk)
install(TARGETS lopt-run lopt_core lopt_sdk EXPORT loptTargets
  RUNTIME DESTINATION bin LIBRARY DESTINATION lib NAMELINK_COMPONENT dev INCLUDES DESTINATION include)
install(TARGETS lopt_conformance LIBRARY DESTINATION lib/lopt)
if(TARGET lopt_mpi)
  install(TARGETS lopt_mpi LIBRARY DESTINATION lib/lopt COMPONENT mpi)
endif()
# All that is installed, and no test.
add_custom_target(installable DEPENDS lopt-run lopt_conformance plugins schema)
if(TARGET lopt_mpi)
  add_dependencies(installable lopt_mpi)
endif()
install(DIRECTORY sdk/include/ DESTINATION include COMPONENT dev)

install(EXPORT loptTargets NAMESPACE lopt:: DESTINATION lib/cmake/lopt COMPONENT dev)
configure_package_config_file(cmake/loptConfig.cmake.in loptConfig.cmake INSTALL_DESTINATION lib/cmake/lopt)
write_basic_package_version_file(loptConfigVersion.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${PROJECT_BINARY_DIR}/loptConfig.cmake ${PROJECT_BINARY_DIR}/loptConfigVersion.cmake
  cmake/LoptAddPlugin.cmake cmake/LoptSeal.cmake DESTINATION lib/cmake/lopt COMPONENT dev)
configure_file(cmake/lopt.pc.in lopt.pc @ONLY)
configure_file(cmake/lopt-c.pc.in lopt-c.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/lopt.pc ${PROJECT_BINARY_DIR}/lopt-c.pc DESTINATION lib/pkgconfig COMPONENT dev)

install(DIRECTORY configs DESTINATION share/lopt)
install(DIRECTORY sdk/examples DESTINATION share/lopt COMPONENT dev)
install(DIRECTORY sdk/clusters DESTINATION share/lopt USE_SOURCE_PERMISSIONS)
# Where a runner finds recipes by name: the tree that is built has the same place.
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/share/lopt)
file(CREATE_LINK ${PROJECT_SOURCE_DIR}/configs ${PROJECT_BINARY_DIR}/share/lopt/configs SYMBOLIC)
# What the runner needs where a spec names components of Python modules.
install(DIRECTORY sdk/python/src/lopt DESTINATION share/lopt/python COMPONENT python PATTERN "__pycache__" EXCLUDE PATTERN "_prefix" EXCLUDE)
file(CREATE_LINK ${PROJECT_SOURCE_DIR}/sdk/python/src ${PROJECT_BINARY_DIR}/share/lopt/python SYMBOLIC)
install(FILES README.md CHANGELOG.md LICENSE DESTINATION share/doc/lopt)
install(DIRECTORY docs DESTINATION share/doc/lopt)
install(FILES sdk/shell/lopt-run.1 DESTINATION share/man/man1)
install(FILES sdk/shell/lopt-run.bash DESTINATION share/bash-completion/completions RENAME lopt-run)
install(FILES sdk/shell/_lopt-run DESTINATION share/zsh/site-functions)
