#pragma once
// Where lopt is installed, whoever has loaded it.

#include <string>

namespace lopt {

/// The folder above lib/ in which this library lies: of an installation or a build.
std::string installation_prefix();

}  // namespace lopt
