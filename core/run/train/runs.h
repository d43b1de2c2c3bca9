#pragma once
// What a session runs, by the kind of its experiment.

#include "run/session/session.h"

namespace lopt {

/// Runs a meta-training to its end, or until a signal; from a checkpoint where there is one.
int run_meta_training(Session& session, const Checkpoint* from);
/// The same for a population of meta-trainings.
int run_population(Session& session, const Checkpoint* from);
/// The same for inner trainings.
int run_inner_training(Session& session, const Checkpoint* from);

/// Inner trainings to their end, or until a signal comes. `after` is called now and then.
void run_all(InnerTraining& training, const std::function<void()>& after = {});

}  // namespace lopt
