#pragma once
// What the evolution strategies share: each task runs twice, with θ + ε and with θ − ε, on the same batches.

#include <lopt/estimator.h>

namespace lopt {

struct AntitheticPairs {
  std::vector<Values> noise;   // ε of each task
  std::vector<Values> thetas;  // θ + ε of all tasks, then θ − ε of all tasks
};

/// ε = σ · normal, from each task's key.
inline AntitheticPairs perturbed(const Values& theta, const std::vector<HostKey>& keys, float std) {
  AntitheticPairs pairs;
  for (HostKey key : keys) pairs.noise.push_back(normal_like(key, theta, std));
  for (float sign : {1.0F, -1.0F})
    for (const Values& noise : pairs.noise) {
      pairs.thetas.push_back(theta);
      add_scaled(pairs.thetas.back(), sign, noise);
    }
  return pairs;
}

/// Losses of an unroll of such pairs.
struct PairLosses {
  const Unrolled& unrolled;
  std::size_t tasks, steps;

  float positive(std::size_t task, std::size_t step) const { return unrolled.losses[task * steps + step]; }
  float negative(std::size_t task, std::size_t step) const { return unrolled.losses[(tasks + task) * steps + step]; }
  bool began(std::size_t task, std::size_t step) const { return unrolled.began[task * steps + step] != 0; }
  /// Mean of L⁺ − L⁻ over a task's steps.
  float difference(std::size_t task) const {
    double above = 0, below = 0;
    for (std::size_t step = 0; step < steps; ++step) {
      above += static_cast<double>(positive(task, step));
      below += static_cast<double>(negative(task, step));
    }
    return static_cast<float>((above - below) / static_cast<double>(steps));
  }
  /// Mean of all losses.
  float mean() const {
    double total = 0;
    for (float loss : unrolled.losses) total += static_cast<double>(loss);
    return static_cast<float>(total / static_cast<double>(unrolled.losses.size()));
  }
};

}  // namespace lopt
