#pragma once
// The functions of the SDK by their names, for callers that cannot call C++.

#include "data/json.h"

#include <lopt/tree.h>

namespace lopt {

/// What a function gives: values, and where they have names, a tree of their places.
struct FunctionResult {
  std::vector<Tensor> values;
  Json structure;  // null: no names
};

/// The leaves of a tree, with its names.
FunctionResult named_result(const Tree& tree);

/// Throws SettingsError for a function that there is not, or settings that it has not; what the function throws.
FunctionResult apply_function(const std::string& name, const std::vector<Tensor>& values, const Json& settings);
std::vector<std::string> function_names();

}  // namespace lopt
