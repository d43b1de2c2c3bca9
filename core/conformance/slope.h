#pragma once
// What checks of several kinds share: slopes against finite differences, and lanes on one thread against two.

#include "conformance/check.h"
#include "estimate/inner_problem.h"

namespace lopt {

/// d loss / d leaf of `of`, at `at`, along random directions, against central differences: in float64 where all
/// primitives have it, else in float32 with larger steps. The program's other inputs and their values follow.
Outcome compare_slope(const Tensor& loss, const Tree& of, const Values& at, const std::vector<Tensor>& other_inputs,
                      const std::vector<Array>& other_values);

/// Ten steps of eight lanes: losses and states have the same bits on one thread, on another, and on two.
Outcome compare_threads(const std::shared_ptr<const TaskFamily>& family, const OptimizerSource& optimizer,
                        const Values& theta);

}  // namespace lopt
