#include "learn/experiment.h"

#include "learn/theta_file.h"
#include "learn/tuned_optimizer.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace lopt {
namespace {

/// The family of a spec that names one task.
class SingleTask final : public TaskFamily {
 public:
  SingleTask(std::shared_ptr<const Task> task, std::string text) : task_(std::move(task)), text_(std::move(text)) {}
  std::size_t size() const override { return 1; }
  const Task& task(std::size_t) const override { return *task_; }
  std::string description(std::size_t) const override { return text_; }

 private:
  std::shared_ptr<const Task> task_;
  std::string text_;
};

constexpr int most_steps = 1 << 30;
/// Half-decades, among which `tuned` chooses.
constexpr double tuning_rates[] = {1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1, 3};

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
    load_objective();
    load_freeze();
    load_gradient_rules();
    load_checkpoint_rules();
    load_measure_rules();
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

  /// The file of an earlier run's θ, which must be of this spec's learned optimizer.
  std::string trained(const std::string& key, const std::string& run_or_file) {
    const std::string file = theta_file(run_or_file);
    if (const SpecNode* rule = spec_.find("learned_optimizer")) require_rule(file, *rule, spec_.find(key)->where, key);
    reader_.set_resolved(key, SpecNode::scalar(file, true));
    return file;
  }

  void load_task() {
    if (spec_.find("task") && spec_.find("task_family"))
      complain("task_family", "a spec has a task or a task family, not both");
    if (spec_.find("task_family")) {
      result_.family = settings_.component<TaskFamily>("task_family");
    } else {
      std::shared_ptr<const Task> task =
          settings_.component<Task>("task").doc("the problem that is trained (or a task_family)");
      if (task) result_.family = family_of(std::move(task), to_line(*reader_.resolved().find("task")));
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
        result_.theta_file = trained("theta", settings_.text("theta").doc("an earlier run, or its theta.npz"));
      else
        result_.theta_seeds = settings_.integers("theta_seeds", std::vector<std::int64_t>{0})
                                  .between(0, 9007199254740992.0)
                                  .doc("θ is drawn from these seeds, a run each");
      if (result_.theta_file.empty() && result_.theta_seeds.empty())
        complain("theta_seeds", "must have at least one seed");
      return;
    }
    result_.kind = Experiment::Kind::meta_training;
    if (spec_.find("init_theta"))
      result_.theta_file = trained(
          "init_theta", settings_.text("init_theta").doc("an earlier run, or its theta.npz, whose θ this begins from"));
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
      const std::string path = fmt::format("compare[{}]", i);
      if (const SpecNode* tuned = node->items[i].find("tuned"); tuned && node->items[i].entries.size() == 1) {
        SpecNode resolved = SpecNode::mapping();
        load_tuned(*tuned, path + ".tuned", resolved);
        resolved_list.items.push_back(std::move(resolved));
        continue;
      }
      SpecNode resolved;
      auto made = registry_.make(Optimizer::kind, node->items[i], path, errors_, resolved);
      std::string label = resolved.find("plugin") ? resolved.find("plugin")->text : "";
      if (const SpecNode* rate = resolved.find("learning_rate")) label += " " + rate->text;
      result_.comparisons.push_back({label, std::static_pointer_cast<const Optimizer>(made)});
      resolved_list.items.push_back(std::move(resolved));
    }
    reader_.set_resolved("compare", std::move(resolved_list));
  }

  /// An optimizer whose rate is tuned: one for each rate of a grid.
  void load_tuned(const SpecNode& node, const std::string& path, SpecNode& resolved) {
    SpecErrors own;
    const TunedOptimizer tuned(node, path, registry_, own);
    if (!own.empty()) return errors_.add(own);
    Comparison comparison{tuned.label(), nullptr, {}};
    for (const double rate : tuning_rates) comparison.candidates.push_back({rate, tuned.with_rate(rate)});
    resolved.set("tuned", tuned.resolved());
    result_.comparisons.push_back(std::move(comparison));
  }

  void load_objective() {
    if (result_.kind != Experiment::Kind::meta_training && spec_.find("meta_objective"))
      return complain("meta_objective", "needs an `estimator` beside it");
    load_section(
        "meta_objective", "{of: last, data: validation}", [&](Settings& s, const SpecNode& node, SpecReader& reader) {
          MetaObjective& objective = result_.objective;
          using Over = MetaObjective::Over;
          const std::string over =
              s.text("of", "mean")
                  .one_of({"mean", "last", "least"})
                  .doc("the mean over an unroll's losses, the last, or the smallest of the problem so far");
          objective.over = over == "last" ? Over::last : over == "least" ? Over::least : Over::mean;
          objective.validation =
              std::string(s.text("data", "train")
                              .one_of({"train", "validation"})
                              .doc("whose losses: of the batches that are trained on, or of others")) == "validation";
          const double share = s.real("validation_share", 0.2)
                                   .above(0)
                                   .below(1)
                                   .doc("of the training examples, which no inner problem is trained on then");
          if (objective.validation) objective.validation_share = share;
          const std::string metric =
              s.text("metric", "loss").doc("what is measured: the loss, or a metric of the task, as in accuracy");
          if (metric != "loss") objective.metric = metric;
          objective.normalized = s.boolean("normalized", false).doc("each loss over the problem's first");
          objective.log = s.boolean("log", false).doc("the logarithm of each loss");
          objective.normalizer =
              s.boolean("normalizer", false).doc("each loss on the task's own scale, where about 1 is a guess");
          if (!objective.metric.empty() && (objective.log || objective.normalized))
            reader.error(node, objective.log ? "log" : "normalized", "goes with losses alone, not with a metric");
        });
  }

  void load_freeze() {
    const SpecNode* node = reader_.take("freeze");
    if (!node || node->kind == SpecNode::Kind::null) return;
    if (result_.kind != Experiment::Kind::meta_training) return complain("freeze", "needs an `estimator` beside it");
    reader_.set_resolved("freeze", *node);
    const std::vector<SpecNode> items =
        node->kind == SpecNode::Kind::sequence ? node->items : std::vector<SpecNode>{*node};
    for (const SpecNode& item : items) {
      if (item.kind != SpecNode::Kind::scalar)
        return complain("freeze", "must be a list of names of parts of θ, as in [\"lstm*\"]");
      result_.freeze.push_back({item.text, item.where});
    }
  }

  /// A mapping of the spec with settings of its own, or an empty one where it is not there.
  template <class Function>
  void load_section(const std::string& key, const std::string& example, Function load) {
    const SpecNode* node = reader_.take(key);
    const SpecNode nothing = SpecNode::mapping();
    if (node && node->kind == SpecNode::Kind::null) node = nullptr;
    if (node && !node->is_mapping()) return complain(key, "must be a mapping, as in " + example);
    SpecReader reader(node ? *node : nothing, key, errors_, registry_.maker());
    Settings settings(reader);
    load(settings, node ? *node : nothing, reader);
    reader.check_unknown();
    if (node) reader_.set_resolved(key, reader.resolved());
  }

  void load_gradient_rules() {
    if (result_.kind != Experiment::Kind::meta_training && spec_.find("meta_gradient"))
      return complain("meta_gradient", "needs an `estimator` beside it");
    load_section("meta_gradient", "{clip_norm: 1}", [&](Settings& s, const SpecNode&, SpecReader&) {
      GradientRules& rules = result_.gradient_rules;
      const double clip = s.real("clip_norm", 0).at_least(0).at_most(1e30).doc("largest global norm; 0: any");
      if (clip > 0) rules.clip_norm = static_cast<float>(clip);
      rules.clip_non_finite =
          std::string(
              s.text("non_finite", "skip")
                  .one_of({"skip", "clip"})
                  .doc("what becomes of it: the step is skipped, or elements that are not finite count as 0")) ==
          "clip";
      rules.stop_after = s.integer("stop_after", 20).between(1, most_steps).unit("steps").doc("skipped in a row");
      rules.roll_back_above = static_cast<float>(
          double{s.real("roll_back_above", 0)
                     .between(0, 1e6)
                     .doc("times the best mean meta-loss of 20 steps, at which θ goes back; 0: never")});
      rules.most_roll_backs = s.integer("most_roll_backs", 5).between(1, most_steps).doc("after which training ends");
    });
  }

  void load_checkpoint_rules() {
    load_section(
        "checkpoint", "{every: 50 steps, keep: 3}", [&](Settings& s, const SpecNode& node, SpecReader& reader) {
          CheckpointRules& rules = result_.checkpoint_rules;
          const std::string every = s.text("every", "60 s").doc("`50 steps`, `60 s` or `never`");
          if (!read_every(every, rules) && node.find("every"))
            reader.error(*node.find("every"), "every",
                         "must be a number of steps or seconds, as in `50 steps` or `60 s`, or `never`");
          rules.keep = s.integer("keep", 3).between(1, 1000000).doc("how many checkpoints stay");
          rules.stop_if_it_fails = std::string(s.text("if_it_fails", "go_on")
                                                   .one_of({"go_on", "stop"})
                                                   .doc("what the run does where one cannot be written")) == "stop";
        });
  }

  void load_measure_rules() {
    if (result_.kind == Experiment::Kind::meta_training && spec_.find("metrics"))
      return complain("metrics", "goes with an inner training; here `apply` measures on test data at its end");
    load_section("metrics", "{every: 100}", [&](Settings& s, const SpecNode&, SpecReader&) {
      result_.measure.every_steps =
          s.integer("every", 0)
              .between(0, most_steps)
              .unit("steps")
              .doc("after which loss and metrics are measured on the split; 0: at the end alone");
      result_.measure.split =
          std::string(s.text("split", "test").one_of({"test", "train"}).doc("what is measured on")) == "train"
              ? Split::train
              : Split::test;
    });
  }

  /// Reads "50 steps", "60 s" or "never"; false for anything else.
  static bool read_every(const std::string& text, CheckpointRules& rules) {
    rules.wanted = text != "never";
    if (!rules.wanted) return true;
    double number = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
    std::string unit(end, text.data() + text.size());
    unit.erase(0, unit.find_first_not_of(' '));
    if (code != std::errc() || !(number > 0) || number > most_steps) return false;
    const bool by_steps = unit == "steps" || unit == "step" || unit.empty();
    if (by_steps && number != std::floor(number)) return false;
    rules.every_steps = by_steps ? static_cast<int>(number) : 0;
    rules.every_seconds = by_steps ? 0 : unit == "min" ? 60 * number : unit == "h" ? 3600 * number : number;
    return by_steps || unit == "s" || unit == "min" || unit == "h";
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

std::shared_ptr<const TaskFamily> family_of(std::shared_ptr<const Task> task, std::string description) {
  return std::make_shared<SingleTask>(std::move(task), std::move(description));
}

Experiment load_experiment(const SpecNode& spec, Registry& registry, std::optional<int> train_length) {
  return Loader(spec, registry, train_length).load();
}

}  // namespace lopt
