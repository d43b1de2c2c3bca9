#include "learn/experiment.h"

#include <fmt/format.h>

namespace lopt {
namespace {

/// The family of a spec that names one task.
class SingleTask final : public TaskFamily {
 public:
  explicit SingleTask(std::shared_ptr<const Task> task) : task_(std::move(task)) {}
  std::size_t size() const override { return 1; }
  const Task& task(std::size_t) const override { return *task_; }

 private:
  std::shared_ptr<const Task> task_;
};

constexpr int most_steps = 1 << 30;

class Loader {
 public:
  Loader(const SpecNode& spec, Registry& registry, std::optional<int> train_length)
      : spec_(spec),
        registry_(registry),
        train_length_(train_length),
        reader_(spec, "", errors_, registry.maker()),
        settings_(reader_) {}

  Experiment load() {
    result_.name = settings_.text("name", "run").doc("what the run is called");
    if (result_.name.find('/') != std::string::npos || result_.name.empty() || result_.name[0] == '.' ||
        result_.name.size() > 100)
      complain("name", "must be a plain word of at most 100 characters, without '/'");
    result_.seed =
        static_cast<std::uint64_t>(std::int64_t{settings_.integer("seed", 0)
                                                    .between(0, 9007199254740992.0)
                                                    .doc("JAX's PRNGKey of it is where all randomness begins")});
    result_.steps =
        length(settings_.integer("steps").between(1, most_steps).doc("meta-steps; inner steps in an inner training"));
    load_task();
    load_optimizer();
    load_application();
    load_comparisons();
    reader_.take("plugin_path");
    reader_.check_unknown();
    errors_.raise();
    result_.resolved = reader_.resolved();
    return std::move(result_);
  }

 private:
  int length(int steps) const { return train_length_.value_or(steps); }
  void complain(const std::string& key, const std::string& message) {
    const SpecNode* node = spec_.find(key);
    errors_.add(node ? node->where : spec_.where, key, message);
  }

  void load_task() {
    if (spec_.find("task") && spec_.find("task_family"))
      complain("task_family", "a spec has a task or a task family, not both");
    if (spec_.find("task_family")) {
      result_.family = settings_.component<TaskFamily>("task_family");
    } else {
      std::shared_ptr<const Task> task =
          settings_.component<Task>("task").doc("the problem that is trained (or a task_family)");
      if (task) result_.family = std::make_shared<SingleTask>(std::move(task));
    }
  }

  void load_optimizer() {
    const bool has_optimizer = spec_.find("optimizer"), has_learned = spec_.find("learned_optimizer"),
               has_estimator = spec_.find("estimator");
    if (has_optimizer == has_learned) {
      complain(
          has_optimizer ? "learned_optimizer" : "",
          has_optimizer
              ? "a spec has an optimizer or a learned optimizer, not both"
              : "a spec needs an `optimizer` (inner training) or a `learned_optimizer` (meta-training, or trying θ)");
      return;
    }
    if (has_optimizer) {
      result_.optimizer = settings_.component<Optimizer>("optimizer");
      for (const char* key : {"estimator", "meta_optimizer", "apply"})
        if (spec_.find(key))
          complain(key, "has no meaning in an inner training with `optimizer`; it goes with `learned_optimizer`");
      return;
    }
    result_.learned_optimizer = settings_.component<LearnedOptimizer>("learned_optimizer");
    if (!has_estimator) {
      result_.kind = Experiment::Kind::application;
      if (spec_.find("meta_optimizer")) complain("meta_optimizer", "needs an `estimator` beside it");
      if (spec_.find("theta"))
        result_.theta_file = settings_.text("theta").doc("theta.npz of an earlier run");
      else
        result_.theta_seeds = settings_.integers("theta_seeds", std::vector<std::int64_t>{0})
                                  .between(0, 9007199254740992.0)
                                  .doc("θ is drawn from these seeds, a run each");
      if (result_.theta_file.empty() && result_.theta_seeds.empty())
        complain("theta_seeds", "must have at least one seed");
      return;
    }
    result_.kind = Experiment::Kind::meta_training;
    result_.estimator = settings_.component<GradientEstimator>("estimator");
    result_.meta_optimizer = settings_.component<Optimizer>("meta_optimizer").doc("the optimizer that trains θ");
  }

  void load_application() {
    const SpecNode* node = reader_.take("apply");
    if (!node || node->kind == SpecNode::Kind::null || result_.kind != Experiment::Kind::meta_training) return;
    if (!node->is_mapping()) return complain("apply", "must be a mapping, as in {steps: 100, seeds: [0, 1, 2]}");
    SpecReader reader(*node, "apply", errors_, registry_.maker());
    Settings settings(reader);
    Application application;
    application.steps =
        length(settings.integer("steps").between(1, most_steps).doc("inner steps for which θ is tried after training"));
    application.seeds = settings.integers("seeds", std::vector<std::int64_t>{0})
                            .between(0, 9007199254740992.0)
                            .doc("initialisations that it is tried on");
    if (application.seeds.empty()) reader.error(*node, "seeds", "must have at least one seed");
    reader.check_unknown();
    reader_.set_resolved("apply", reader.resolved());
    result_.application = std::move(application);
  }

  void load_comparisons() {
    const SpecNode* node = reader_.take("compare");
    if (!node || node->kind == SpecNode::Kind::null) return;
    if (node->kind != SpecNode::Kind::sequence)
      return complain("compare", "must be a list of optimizers, as in [{plugin: sgd, learning_rate: 0.1}]");
    SpecNode resolved_list;
    resolved_list.kind = SpecNode::Kind::sequence;
    for (std::size_t i = 0; i < node->items.size(); ++i) {
      SpecNode resolved;
      auto made = registry_.make(Optimizer::kind, node->items[i], fmt::format("compare[{}]", i), errors_, resolved);
      std::string label = resolved.find("plugin") ? resolved.find("plugin")->text : "";
      if (const SpecNode* rate = resolved.find("learning_rate")) label += " " + rate->text;
      result_.comparisons.push_back({label, std::static_pointer_cast<const Optimizer>(made)});
      resolved_list.items.push_back(std::move(resolved));
    }
    reader_.set_resolved("compare", std::move(resolved_list));
  }

  const SpecNode& spec_;
  Registry& registry_;
  std::optional<int> train_length_;
  SpecErrors errors_;
  SpecReader reader_;
  Settings settings_;
  Experiment result_;
};

}  // namespace

Experiment load_experiment(const SpecNode& spec, Registry& registry, std::optional<int> train_length) {
  return Loader(spec, registry, train_length).load();
}

}  // namespace lopt
