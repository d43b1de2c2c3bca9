# Writes a header with the files of a folder as C++ strings, {path, content}, in a namespace: a program needs no folder to
# find them in.
function(lopt_embed_files folder namespace output)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS RELATIVE ${folder} ${folder}/*)
  list(FILTER files EXCLUDE REGEX "__pycache__|/\\.|~$")  # what Python and editors leave there
  file(RELATIVE_PATH origin ${PROJECT_SOURCE_DIR} ${folder})
  set(text "#pragma once\n// Made from ${origin}.\nnamespace ${namespace} {\nstruct File {\n  const char *path, *content;\n};\ninline constexpr File files[] = {\n")
  foreach(file ${files})
    file(READ ${folder}/${file} content)
    string(APPEND text "{\"${file}\", R\"embedded(${content})embedded\"},\n")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${folder}/${file})
  endforeach()
  file(CONFIGURE OUTPUT ${output} CONTENT "${text}};\n}  // namespace ${namespace}\n" @ONLY)
endfunction()
