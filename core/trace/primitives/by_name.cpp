#include "trace/primitives/by_name.h"

#include <map>

namespace lopt {

const Primitive* primitive_named(std::string_view name) {
  static const std::map<std::string_view, const Primitive*> all = [] {
    std::map<std::string_view, const Primitive*> rows;
    for (auto* list : {unary_primitives, binary_primitives, reduction_primitives, shape_primitives, row_primitives,
                       order_primitives, product_primitives, window_primitives, random_primitives})
      for (const Primitive* row : list()) rows.emplace(row->name, row);
    return rows;
  }();
  const auto found = all.find(name);
  return found == all.end() ? nullptr : found->second;
}

}  // namespace lopt
