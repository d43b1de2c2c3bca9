#pragma once
// What stands behind the handles of lopt_trace.h.

#include <lopt_trace.h>

#include "bridge/traced_component.h"

struct lopt_trace {
  std::vector<lopt::Tensor> values;
  std::vector<lopt::Tensor> inputs;
  lopt::TracedComponents components;
  std::string text;  // what was last handed out
};

namespace lopt {

lopt_value add(lopt_trace& trace, Tensor value);
/// Throws SettingsError where there is none.
const Tensor& value_at(const lopt_trace& trace, lopt_value value);

}  // namespace lopt
