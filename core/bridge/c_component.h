#pragma once
// Components that C functions describe.

#include "bridge/exchange.h"

#include <lopt_trace.h>

namespace lopt {

/// Answers the questions to such a component by calling it.
Answer answers_of(const lopt_c_component& component);

}  // namespace lopt
