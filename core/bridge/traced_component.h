#pragma once
// Components of lopt as functions of symbolic values: how a rule in another language calls an optimizer inside it.

#include "bridge/functions.h"
#include "embed/embedded_spec.h"

#include <map>

namespace lopt {

class TracedComponents {
 public:
  /// Throws SettingsError for a function or an argument that there is not; what the component throws.
  FunctionResult apply(const std::string& kind, const std::string& spec, const std::string& function,
                       const std::vector<Tensor>& values, const Json& arguments);

 private:
  std::map<std::pair<std::string, std::string>, EmbeddedComponent> made_;  // by kind and spec
};

}  // namespace lopt
