# lopt_add_plugin(NAME SOURCES…): a plugin library, placed where the runner looks for plugins.
function(lopt_add_plugin name)
  add_library(lopt_plugin_${name} MODULE ${ARGN})
  target_link_libraries(lopt_plugin_${name} PRIVATE lopt::sdk)
  set_target_properties(lopt_plugin_${name} PROPERTIES
    PREFIX "" OUTPUT_NAME ${name} CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib/lopt/plugins)
endfunction()
