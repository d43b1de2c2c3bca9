#pragma once
// What an objective `relative_to` another optimizer divides losses by.

#include "learn/experiment.h"

#include <functional>

namespace lopt {

/// For each task of the stage's family: the mean loss at each step of problems that the other optimizer trains, four of
/// them, the same each time; of one that is to be tuned at the best of its rates. Throws Interrupted where `interrupt`
/// says true.
std::vector<std::vector<float>> baseline_losses(const Experiment& stage, std::uint64_t seed, int threads,
                                                const std::function<bool()>& interrupt);

}  // namespace lopt
