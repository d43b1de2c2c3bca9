#pragma once
// The mean loss of whole problems as a function of θ.

#include "learn/meta_training.h"

namespace lopt {

/// A weight of θ by its leaf's path, with its place in the leaf behind a slash where it has several: "log_rate/1".
struct WeightPlace {
  std::size_t leaf = 0, element = 0;
};
/// Throws DataError where θ has no such weight.
WeightPlace weight_place(const Values& theta, const std::string& name);
float weight_at(const Values& theta, WeightPlace place);

/// Problems of a meta-training: always the same ones, so that losses of different θ can be compared.
class LossSurface {
 public:
  LossSurface(const Experiment& experiment, int threads, int problems);

  /// θ at the training's start.
  const Values& theta() const { return training_.theta(); }
  /// The mean over problems and steps for each θ; not finite where a problem diverged. Throws Interrupted.
  std::vector<double> losses(const std::vector<Values>& thetas) const;
  void set_interrupt(std::function<bool()> interrupt) { training_.set_interrupt(std::move(interrupt)); }

 private:
  MetaTraining training_;
  std::int64_t steps_;
  int problems_;
};

}  // namespace lopt
