#pragma once
#include "run/train/session.h"

namespace lopt {

/// Runs a population of meta-trainings to its end, or until a signal; from a checkpoint where there is one.
int run_population(Session& session, const Checkpoint* from);

}  // namespace lopt
