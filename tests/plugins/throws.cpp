#include "still.h"

#include <stdexcept>

class Throws final : public Still {
 public:
  explicit Throws(lopt::Settings& s) : Still(s) { throw std::runtime_error("no good today"); }
};
static constexpr lopt_component components[] = {lopt::component<Throws>("throws")};
extern "C" constexpr lopt_manifest lopt_plugin_manifest = lopt::manifest(components);
