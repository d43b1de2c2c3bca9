# lopt_add_plugin(NAME SOURCES…): the target NAME, a plugin library NAME.so. What is installed goes where the runner of
# that prefix looks for plugins.
function(lopt_add_plugin name)
  add_library(${name} MODULE ${ARGN})
  target_link_libraries(${name} PRIVATE lopt::sdk)
  target_compile_options(${name} PRIVATE $<$<CONFIG:>:-O2>)
  # The run path is the same where it is built and where it is installed: installing must not change a sealed file.
  set_target_properties(${name} PROPERTIES
    PREFIX "" CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH "$ORIGIN/../..")
  add_custom_command(TARGET ${name} POST_BUILD
    COMMAND ${CMAKE_COMMAND} -DFILE=$<TARGET_FILE:${name}> -P ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/LoptSeal.cmake)
  install(TARGETS ${name} LIBRARY DESTINATION lib/lopt/plugins)
endfunction()
