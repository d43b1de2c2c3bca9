#pragma once
// Primitives by their names, for programs that were written down.

#include "trace/node.h"

namespace lopt {

/// Null where there is none of that name; those of scans are in gradient/, of host code nowhere: it has no name.
const Primitive* primitive_named(std::string_view name);

// The rows of each file.
std::vector<const Primitive*> unary_primitives();
std::vector<const Primitive*> binary_primitives();
std::vector<const Primitive*> reduction_primitives();
std::vector<const Primitive*> shape_primitives();
std::vector<const Primitive*> row_primitives();
std::vector<const Primitive*> order_primitives();
std::vector<const Primitive*> product_primitives();
std::vector<const Primitive*> window_primitives();
std::vector<const Primitive*> random_primitives();

}  // namespace lopt
