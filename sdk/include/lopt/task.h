#pragma once
#include <lopt/dataset.h>
#include <lopt/random.h>
#include <lopt/tree.h>

namespace lopt {

/// Where a task's batches come from. No dataset: the task needs none.
struct Batches {
  std::shared_ptr<const Dataset> dataset;
  int size = 0;  // examples a batch
};

/// Something that can be measured of a task's parameters beside their loss.
struct Metric {
  std::string name;  // by which specs call it: "accuracy"
  Tensor value;      // float32 scalar
  bool higher_is_better = false;
};

/// A problem to be trained: how its parameters start, and its loss. It keeps no parameters itself.
class Task {
 public:
  static constexpr const char* kind = "task";
  virtual ~Task() = default;

  /// Initial parameters.
  virtual Tree init(Key key) const = 0;
  /// Scalar loss of the parameters on a batch {name: [size, …]}. The key is for tasks that are stochastic.
  virtual Tensor loss(const Tree& params, const Tree& batch, Key key) const = 0;
  virtual Batches batches() const { return {}; }
  /// What else can be measured on a batch: what `meta_objective: {metric: …}` may ask for.
  // NOLINTNEXTLINE(performance-unnecessary-value-param): keys are passed by value everywhere
  virtual std::vector<Metric> metrics(const Tree& /*params*/, const Tree& /*batch*/, Key /*key*/) const { return {}; }
};

/// A distribution over tasks. Members may differ in everything, their architecture included.
class TaskFamily {
 public:
  static constexpr const char* kind = "task_family";
  virtual ~TaskFamily() = default;

  /// How many different tasks there are.
  virtual std::size_t size() const = 0;
  /// The task of an index below size(). It lives as long as the family.
  virtual const Task& task(std::size_t index) const = 0;
  /// Which task a key draws. The default draws evenly.
  virtual std::size_t sample(HostKey key) const;
};

}  // namespace lopt
