# What `cpack` in a build folder makes: Debian packages of what `cmake --install` installs, one of each component.
#   lopt          the runner, the library, the plugins, recipes and specs
#   lopt-dev      what plugins and programs in C are built with
#   lopt-mpi      what runs on many machines want
#   python3-lopt  the modules for Python
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME lopt)
set(CPACK_PACKAGE_VENDOR lopt)
# Who packs may say who answers for it, as Debian's own tools have it said.
set(CPACK_PACKAGE_CONTACT "The lopt developers <lopt@users.noreply.github.com>")
if(NOT "$ENV{DEBEMAIL}" STREQUAL "")
  set(CPACK_PACKAGE_CONTACT "$ENV{DEBFULLNAME} <$ENV{DEBEMAIL}>")
endif()
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES OFF)  # what a package holds is sealed once it is stripped: PackageFiles.cmake
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/PackageFiles.cmake)
set(CPACK_LOPT_SOURCE ${PROJECT_SOURCE_DIR})
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL lopt dev python)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_LOPT_DESCRIPTION "meta-training of learned optimizers, by specs and plugins
A learned optimizer is an update rule with weights. lopt meta-trains them
on many small problems, compares them with others, and applies them.")
set(CPACK_DEBIAN_LOPT_PACKAGE_NAME lopt)
set(CPACK_DEBIAN_LOPT_PACKAGE_SECTION science)
set(CPACK_DEBIAN_LOPT_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_LOPT_PACKAGE_SUGGESTS "lopt-mpi, python3-lopt")
set(CPACK_DEBIAN_LOPT_PACKAGE_CONTROL_EXTRA ${PROJECT_BINARY_DIR}/triggers ${PROJECT_BINARY_DIR}/shlibs)
file(WRITE ${PROJECT_BINARY_DIR}/triggers "activate-noawait ldconfig\n")
file(WRITE ${PROJECT_BINARY_DIR}/shlibs "liblopt ${PROJECT_VERSION_MAJOR} lopt (>= ${PROJECT_VERSION})\n")
set(CPACK_DEBIAN_DEV_DESCRIPTION "learned optimizers: headers for plugins and for programs in C
What plugins for lopt and programs in C are built with, and an example of
every kind of plugin.")
set(CPACK_DEBIAN_DEV_PACKAGE_NAME lopt-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "lopt (= ${PROJECT_VERSION}-1)")
set(CPACK_DEBIAN_DEV_PACKAGE_RECOMMENDS "cmake, g++")
set(CPACK_DEBIAN_PYTHON_DESCRIPTION "learned optimizers for NumPy and PyTorch, and written in Python
Optimizers that lopt has trained for arrays of NumPy and models of PyTorch;
tasks, optimizers and estimators written in Python or JAX.")
set(CPACK_DEBIAN_PYTHON_PACKAGE_NAME python3-lopt)
set(CPACK_DEBIAN_PYTHON_PACKAGE_SECTION python)
set(CPACK_DEBIAN_PYTHON_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_PYTHON_PACKAGE_DEPENDS "lopt (>= ${PROJECT_VERSION}), python3 (>= 3.11), python3-numpy")
set(CPACK_DEBIAN_PYTHON_PACKAGE_SUGGESTS "python3-torch")
# What Python makes of the modules comes with the package and goes with it.
file(WRITE ${PROJECT_BINARY_DIR}/postinst "#!/bin/sh\nset -e\nif command -v py3compile >/dev/null; then py3compile -p python3-lopt /usr/share/lopt/python; fi\n")
file(WRITE ${PROJECT_BINARY_DIR}/prerm "#!/bin/sh\nset -e\nif command -v py3clean >/dev/null; then py3clean -p python3-lopt; fi\n")
set(CPACK_DEBIAN_PYTHON_PACKAGE_CONTROL_EXTRA ${PROJECT_BINARY_DIR}/postinst ${PROJECT_BINARY_DIR}/prerm)
set(CPACK_DEBIAN_PYTHON_PACKAGE_CONTROL_STRICT_PERMISSION TRUE)
if(TARGET lopt_mpi)
  list(APPEND CPACK_COMPONENTS_ALL mpi)
  set(CPACK_DEBIAN_MPI_DESCRIPTION "learned optimizers: runs on many machines
What lopt-run wants to be started by mpirun, mpiexec or srun.")
  set(CPACK_DEBIAN_MPI_PACKAGE_NAME lopt-mpi)
  set(CPACK_DEBIAN_MPI_PACKAGE_SECTION science)
  set(CPACK_DEBIAN_MPI_PACKAGE_DEPENDS "lopt (= ${PROJECT_VERSION}-1)")
  set(CPACK_DEBIAN_MPI_PACKAGE_SHLIBDEPS ON)
endif()
include(CPack)
