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
  /// The loss on a scale that tasks share, as about 1 for a guess: what `meta_objective: {normalizer: true}` minimises.
  virtual Tensor normalized(const Tensor& loss) const { return loss; }

  // For tasks that train otherwise than they are judged (dropout), or keep a state from step to step beside their
  // parameters (running statistics). The defaults keep none, and ask loss() and metrics().
  /// The state before the first step, from the key that init() got. No gradient goes through it.
  // NOLINTNEXTLINE(performance-unnecessary-value-param)
  virtual Tree init_state(Key /*key*/) const { return Tree(std::vector<Tree::Entry>{}); }
  struct TrainingLoss {
    Tensor loss;
    Tree state;  // after the step
  };
  /// What a step goes down.
  virtual TrainingLoss training_loss(const Tree& params, const Tree& state, const Tree& batch, Key key) const {
    return {loss(params, batch, std::move(key)), state};
  }
  /// The loss on examples that are not trained on.
  virtual Tensor evaluation_loss(const Tree& params, const Tree& /*state*/, const Tree& batch, Key key) const {
    return loss(params, batch, std::move(key));
  }
  virtual std::vector<Metric> evaluation_metrics(const Tree& params, const Tree& /*state*/, const Tree& batch,
                                                 Key key) const {
    return metrics(params, batch, std::move(key));
  }
};

/// A task around a task: all that it does not change is the inner one's.
class TaskWrapper : public Task {
 public:
  explicit TaskWrapper(std::shared_ptr<const Task> inner) : inner_(std::move(inner)) {}
  Tree init(Key key) const override { return inner_->init(std::move(key)); }
  Tensor loss(const Tree& params, const Tree& batch, Key key) const override {
    return inner_->loss(params, batch, std::move(key));
  }
  Batches batches() const override { return inner_->batches(); }
  std::vector<Metric> metrics(const Tree& params, const Tree& batch, Key key) const override {
    return inner_->metrics(params, batch, std::move(key));
  }
  Tensor normalized(const Tensor& loss) const override { return inner_->normalized(loss); }
  Tree init_state(Key key) const override { return inner_->init_state(std::move(key)); }
  TrainingLoss training_loss(const Tree& params, const Tree& state, const Tree& batch, Key key) const override {
    return inner_->training_loss(params, state, batch, std::move(key));
  }
  Tensor evaluation_loss(const Tree& params, const Tree& state, const Tree& batch, Key key) const override {
    return inner_->evaluation_loss(params, state, batch, std::move(key));
  }
  std::vector<Metric> evaluation_metrics(const Tree& params, const Tree& state, const Tree& batch,
                                         Key key) const override {
    return inner_->evaluation_metrics(params, state, batch, std::move(key));
  }

 protected:
  const Task& inner() const { return *inner_; }

 private:
  std::shared_ptr<const Task> inner_;
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
  /// What a task is, on a line: what `lopt-run sample` prints. The default says nothing.
  virtual std::string description(std::size_t /*index*/) const { return ""; }
  /// Which task a key draws. The default draws evenly.
  virtual std::size_t sample(HostKey key) const;
};

}  // namespace lopt
