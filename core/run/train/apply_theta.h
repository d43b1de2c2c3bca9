#pragma once
// θ tried after meta-training, beside other optimizers; and what is drawn of it.

#include "run/session/session.h"

namespace lopt {

/// What a spec's `apply` and `compare` ask for: a table with a verdict in words, in summary.json and as curves. On the
/// page also θ as it was before meta-training and half-way. Does nothing where the spec has no `apply`.
void apply_theta(Session& session, const Values& theta, const std::optional<Values>& average);

/// For the page: what the rule does with a gradient and a momentum, beside Adam, and the data's first images.
void add_pictures(Session& session, const Values& theta, std::int64_t horizon);

/// θ half-way through meta-training, which the page shows: a file in the run's folder.
constexpr const char* half_way_file = "half_way/theta.npz";

}  // namespace lopt
