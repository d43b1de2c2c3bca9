#pragma once
// What differs between specs.

#include "spec/node.h"

namespace lopt {

/// A key path with what each spec has there, as YAML on a line; "" where it has nothing.
struct SpecDifference {
  std::string path;
  std::vector<std::string> values;
};

/// The deepest key paths at which the specs are not all the same, in their order.
std::vector<SpecDifference> differences_of(const std::vector<SpecNode>& specs);

}  // namespace lopt
