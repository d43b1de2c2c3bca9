#pragma once
// What the evolution strategies share: each task runs twice, with θ + ε and with θ − ε, on the same batches.

#include "task_clip.h"

namespace lopt {

/// The setting `std`.
inline float perturbation_std(Settings& s) {
  return static_cast<float>(
      double{s.real("std", 0.01).above(0).at_most(1e6).doc("σ, standard deviation of the perturbations of θ")});
}

struct AntitheticPairs {
  std::vector<Values> noise;   // ε of each task
  std::vector<Values> thetas;  // θ + ε of all tasks, then θ − ε of all tasks
};

/// Of an ε for each task.
inline AntitheticPairs pairs_of(const Values& theta, std::vector<Values> noise) {
  AntitheticPairs pairs{std::move(noise), {}};
  for (float sign : {1.0F, -1.0F})
    for (const Values& noise : pairs.noise) {
      pairs.thetas.push_back(theta);
      add_scaled(pairs.thetas.back(), sign, noise);
    }
  return pairs;
}
/// ε = σ · normal, from each task's key.
inline AntitheticPairs perturbed(const Values& theta, const std::vector<HostKey>& keys, float std) {
  std::vector<Values> noise;
  for (HostKey key : keys) noise.push_back(normal_like(key, theta, std));
  return pairs_of(theta, std::move(noise));
}

/// Losses of an unroll of such pairs.
struct PairLosses {
  const Unrolled& unrolled;
  std::size_t tasks, steps;

  float positive(std::size_t task, std::size_t step) const { return unrolled.losses[task * steps + step]; }
  float negative(std::size_t task, std::size_t step) const { return unrolled.losses[(tasks + task) * steps + step]; }
  /// L⁺ − L⁻ of a step.
  double difference(std::size_t task, std::size_t step) const {
    return static_cast<double>(positive(task, step)) - static_cast<double>(negative(task, step));
  }
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

/// The mean over tasks of their own gradients, each no longer than the clip says.
class MeanGradient {
 public:
  MeanGradient(const Values& theta, std::size_t tasks, TaskClip clip)
      : tasks_(static_cast<float>(tasks)), clip_(clip), mean_(zeros_like(theta)) {}

  /// A task's gradient as a sum of multiples of perturbations.
  struct Part {
    float factor;
    const Values& noise;
  };
  void add(std::initializer_list<Part> parts) {
    if (!clip_) {
      for (const Part& part : parts) add_scaled(mean_, part.factor / tasks_, part.noise);
      return;
    }
    Values own = zeros_like(mean_);
    for (const Part& part : parts) add_scaled(own, part.factor, part.noise);
    if (const float factor = clip_.factor(own); factor > 0) add_scaled(mean_, factor / tasks_, own);
  }
  Values take() { return std::move(mean_); }

 private:
  float tasks_;
  TaskClip clip_;
  Values mean_;
};

/// Trees below each other: leaves [trees, …].
inline Values stacked(const std::vector<Values>& trees) {
  std::vector<std::vector<Array>> rows(trees[0].leaf_count());  // of each leaf
  for (const Values& tree : trees) {
    std::size_t leaf = 0;
    tree.for_leaves([&](const Array& row) { rows[leaf++].push_back(row); });
  }
  std::vector<Array> leaves;
  for (const std::vector<Array>& of_leaf : rows) leaves.push_back(stack_arrays(of_leaf));
  return trees[0].with_leaves<Array>(leaves);
}
/// Leaves [count, …] of zeros.
inline Values stacked_zeros(const Values& tree, int count) {
  return map(
      [&](const Array& leaf) {
        Shape shape = leaf.shape();
        shape.insert(shape.begin(), count);
        return Array(DType::float32, shape);
      },
      tree);
}
inline Values row_of(const Values& stacked, std::size_t row) {
  return map([&](const Array& rows) { return rows.row(row); }, stacked);
}

}  // namespace lopt
