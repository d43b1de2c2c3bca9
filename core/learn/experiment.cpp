#include "learn/experiment.h"

#include "estimate/shard.h"
#include "learn/experiment_sections.h"
#include "learn/theta_file.h"
#include "learn/training.h"
#include "spec/compose.h"

#include <fmt/format.h>

#include <algorithm>

namespace lopt {
namespace {

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
    read();
    reader_.check_unknown();
    errors_.raise();
    result_.resolved = reader_.resolved();
    result_.most_steps = train_length_;
    return std::move(result_);
  }

  /// The keys that were asked for on the way. What the spec has is of no matter, but that it has a key.
  std::vector<SpecKey> describe() {
    describing_ = true;
    reader_.describe_only();
    read();
    keep_declarations("", reader_);
    return std::move(keys_);
  }

 private:
  void read() {
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
    load_freeze();
    load_sections();
    reader_.take("plugin_path", "texts", "folders or files with plugins, relative to the spec's file");
    reader_.take("stages", "list of specs",
                 "meta-trainings that follow each other: what each says is laid over the rest of the spec");
    if (describing_)
      reader_.take("extends", "texts", "specs that this one is laid over, relative to its file; null removes a key");
  }

  void keep_declarations(const std::string& section, const SpecReader& reader) {
    for (const Declaration& declaration : reader.declarations()) keys_.push_back({section, declaration});
  }

  int length(int steps) const { return train_length_.value_or(steps); }
  void complain(const std::string& key, const std::string& message) {
    const SpecNode* node = spec_.find(key);
    errors_.add(node ? node->where : spec_.where, key, message);
  }

  /// The file of an earlier run's θ, which must be of this spec's learned optimizer.
  std::string trained(const std::string& key, const std::string& run_or_file) {
    if (describing_) return run_or_file;
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
    result_.shards = settings_.integer("shards", 1)
                         .between(1, most_shards)
                         .doc(
                             "how often the estimator is at work, each time with problems of its own; the mean is "
                             "the meta-gradient. Ranks of mpirun share them");
    result_.asynchronous =
        std::string(settings_.text("exchange", "exact")
                        .one_of({"exact", "asynchronous"})
                        .doc("of ranks: they wait for each other, and results are the same bits for any number; or "
                             "rank 0 takes estimates as they come, so that a slow one slows nobody")) == "asynchronous";
    result_.staleness = settings_.integer("staleness", 4)
                            .between(0, 1 << 20)
                            .unit("meta-steps")
                            .doc("exchange: asynchronous: θ may have gone on by so many since an estimate was begun");
    result_.meta_optimizer = settings_.component<Optimizer>("meta_optimizer").doc("the optimizer that trains θ");
  }

  void load_application() {
    const SpecNode* node = reader_.take("apply", "mapping", "θ is tried on fresh problems after meta-training");
    if (!node || node->kind == SpecNode::Kind::null || result_.kind != Experiment::Kind::meta_training) return;
    if (!node->is_mapping()) return complain("apply", "must be a mapping, as in {steps: 100, seeds: [0, 1, 2]}");
    SpecReader reader(*node, "apply", errors_, registry_.maker());
    if (describing_) reader.describe_only();
    Settings settings(reader);
    Application application;
    application.steps =
        length(settings.integer("steps").between(1, most_steps).doc("inner steps for which θ is tried after training"));
    application.seeds = settings.integers("seeds", std::vector<std::int64_t>{0})
                            .between(0, 9007199254740992.0)
                            .doc("initialisations that it is tried on");
    if (application.seeds.empty()) reader.error(*node, "seeds", "must have at least one seed");
    reader.check_unknown();
    keep_declarations("apply", reader);
    reader_.set_resolved("apply", reader.resolved());
    result_.application = std::move(application);
  }

  void load_comparisons() {
    const SpecNode* node = reader_.take("compare", "list of optimizers",
                                        "optimizers that θ is compared with where it is applied; {tuned: adam} has the "
                                        "best rate of those that it tries");
    if (!node || node->kind == SpecNode::Kind::null) return;
    if (node->kind != SpecNode::Kind::sequence)
      return complain("compare", "must be a list of optimizers, as in [{plugin: sgd, learning_rate: 0.1}]");
    SpecNode resolved_list;
    resolved_list.kind = SpecNode::Kind::sequence;
    for (std::size_t i = 0; i < node->items.size(); ++i) {
      const std::string path = fmt::format("compare[{}]", i);
      SpecNode resolved;
      if (auto comparison = read_comparison(node->items[i], path, registry_, errors_, resolved))
        result_.comparisons.push_back(std::move(*comparison));
      resolved_list.items.push_back(std::move(resolved));
    }
    reader_.set_resolved("compare", std::move(resolved_list));
  }

  void load_sections() {
    const bool is_meta = result_.kind == Experiment::Kind::meta_training;
    for (const char* key :
         {"meta_objective", "meta_gradient", "validate", "meta_training", "shards", "exchange", "staleness"})
      if (!is_meta && spec_.find(key)) complain(key, "needs an `estimator` beside it");
    if (is_meta && spec_.find("metrics"))
      complain("metrics", "goes with an inner training; here `apply` measures on test data at its end");
    load_section("meta_objective", "{of: last, data: validation}",
                 [&](const SpecSection& s) { read_objective(s, result_.objective, result_.relative_to); });
    load_section("meta_gradient", "{clip_norm: 1}",
                 [&](const SpecSection& s) { read_gradient_rules(s, result_.gradient_rules); });
    load_section("checkpoint", "{every: 50 steps, keep: 3}",
                 [&](const SpecSection& s) { read_checkpoint_rules(s, result_.checkpoint_rules); });
    load_section("metrics", "{every: 100}", [&](const SpecSection& s) { read_measure_rules(s, result_.measure); });
    if (spec_.find("validate"))
      load_section("validate", "{every: 100, tasks: [mlp_classifier], steps: 100}",
                   [&](const SpecSection& s) { read_validation(s, result_.validation, train_length_); });
    if (spec_.find("meta_training")) {
      load_section("meta_training", "{population: 8, vary: {estimator.std: {log_uniform: [0.003, 0.03]}}}",
                   [&](const SpecSection& s) { read_population(s, result_.population); });
      result_.population.spec = spec_;
      std::erase_if(result_.population.spec.entries, [](const auto& entry) { return entry.first == "meta_training"; });
    }
    if (result_.asynchronous && result_.population.size > 0)
      complain("exchange", "asynchronous does not go with a population, whose ranks have members of their own");
    if (result_.asynchronous && result_.gradient_rules.roll_back_above > 0)
      complain("exchange",
               "asynchronous does not go with meta_gradient.roll_back_above: inner problems do not go back");
    if (result_.relative_to && result_.estimator && result_.estimator->problem_steps() == 0)
      complain("meta_objective", "relative_to needs an estimator whose problems have an end");
  }

  void load_freeze() {
    const SpecNode* node = reader_.take("freeze", "texts", "parts of θ that are not trained, as in [\"lstm*\"]");
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
    const SpecNode* node = reader_.take(key, "mapping", "as in " + example);
    const SpecNode nothing = SpecNode::mapping();
    if (node && node->kind == SpecNode::Kind::null) node = nullptr;
    if (node && !node->is_mapping()) return complain(key, "must be a mapping, as in " + example);
    SpecReader reader(node ? *node : nothing, key, errors_, registry_.maker());
    if (describing_) reader.describe_only();
    Settings settings(reader);
    load(SpecSection{settings, node ? *node : nothing, reader, key, registry_, errors_});
    reader.check_unknown();
    keep_declarations(key, reader);
    if (node) reader_.set_resolved(key, reader.resolved());
  }

  const SpecNode& spec_;
  Registry& registry_;
  std::optional<int> train_length_;
  SpecErrors errors_;
  SpecReader reader_;
  Settings settings_;
  Experiment result_;
  bool describing_ = false;
  std::vector<SpecKey> keys_;
};

/// Keys that are of the whole, which a stage leaves as they are.
constexpr const char* common_keys[] = {"name", "seed", "apply", "compare", "checkpoint", "plugin_path", "init_theta"};
/// Keys of which a spec has one.
constexpr std::pair<const char*, const char*> either_or[] = {{"task", "task_family"}, {"task_family", "task"}};

void remove(SpecNode& mapping, const std::string& key) {
  std::erase_if(mapping.entries, [&](const auto& entry) { return entry.first == key; });
}

/// The stages of a spec, each as an experiment of its own.
class StagesLoader {
 public:
  StagesLoader(const SpecNode& spec, Registry& registry, std::optional<int> train_length)
      : spec_(spec), registry_(registry), train_length_(train_length), stages_(*spec.find("stages")) {}

  Experiment load() {
    if (stages_.kind != SpecNode::Kind::sequence || stages_.items.empty())
      complain(stages_, "stages",
               "must be a list, as in [{steps: 1000}, {steps: 500, estimator: {problem_length: 1000}}]");
    errors_.raise();
    std::vector<std::shared_ptr<const Experiment>> made;
    SpecNode resolved_list;
    resolved_list.kind = SpecNode::Kind::sequence;
    int steps = 0;
    for (std::size_t i = 0; i < stages_.items.size(); ++i) {
      made.push_back(std::make_shared<const Experiment>(Loader(spec_of(i), registry_, train_length_).load()));
      require_like_the_first(*made[0], *made[i], i);
      steps += made.back()->steps;
      SpecNode resolved = made.back()->resolved;
      for (const char* key : common_keys) remove(resolved, key);
      resolved_list.items.push_back(std::move(resolved));
    }
    bool all_have_steps = true;
    for (const SpecNode& stage : stages_.items) all_have_steps = all_have_steps && stage.find("steps");
    if (const SpecNode* all = spec_.find("steps"); all && all_have_steps)
      complain(*all, "steps", "says nothing here: each stage has its own");
    errors_.raise();
    Experiment result = *made.back();
    result.steps = steps;
    result.theta_file = made.front()->theta_file;
    result.resolved = SpecNode::mapping();
    for (const char* key : common_keys)
      for (const auto& stage : {made.front(), made.back()})
        if (const SpecNode* node = stage->resolved.find(key)) result.resolved.set(key, *node);
    result.resolved.set("learned_optimizer", *made.back()->resolved.find("learned_optimizer"));
    result.resolved.set("stages", std::move(resolved_list));
    result.stages = std::move(made);
    return result;
  }

 private:
  void complain(const SpecNode& node, const std::string& path, const std::string& message) {
    errors_.add(node.where, path, message);
  }

  /// The spec with what a stage says laid over it.
  SpecNode spec_of(std::size_t index) {
    const SpecNode& stage = stages_.items[index];
    const std::string path = fmt::format("stages[{}]", index);
    SpecNode below = spec_;
    remove(below, "stages");
    if (index > 0) remove(below, "init_theta");
    if (index + 1 < stages_.items.size())
      for (const char* key : {"apply", "compare"}) remove(below, key);
    if (!stage.is_mapping()) complain(stage, path, "must be a mapping, as in {steps: 500}");
    for (const auto& [key, value] : stage.entries) {
      if (key == "stages") complain(value, path, "a stage has no stages of its own");
      if (std::find(std::begin(common_keys), std::end(common_keys), key) != std::end(common_keys))
        complain(value, path + "." + key, "is the same for all stages: it stands beside `stages`");
    }
    for (const auto& [one, other] : either_or)
      if (stage.find(one)) remove(below, other);
    errors_.raise();
    SpecNode whole = merged(below, stage);
    whole.where = stage.where;
    return whole;
  }

  /// θ goes from stage to stage.
  void require_like_the_first(const Experiment& first, const Experiment& stage, std::size_t index) {
    const SpecNode& node = stages_.items[index];
    const std::string path = fmt::format("stages[{}]", index);
    if (stage.kind != Experiment::Kind::meta_training)
      return complain(node, path, "is no meta-training: it needs an `estimator`");
    if (stage.asynchronous) complain(node, path, "has `exchange: asynchronous`, which does not go with stages");
    const Types one = types_of(initial_theta(*first.learned_optimizer, 0)),
                other = types_of(initial_theta(*stage.learned_optimizer, 0));
    if (one.paths() != other.paths() || one.leaves() != other.leaves())
      complain(node, path, "has a learned optimizer whose θ has other parts, or other shapes, than that of the first");
  }

  const SpecNode& spec_;
  Registry& registry_;
  std::optional<int> train_length_;
  const SpecNode& stages_;
  SpecErrors errors_;
};

}  // namespace

std::vector<SpecKey> experiment_keys() {
  // One of each kind that there is, with the keys that change what is asked for.
  std::vector<SpecKey> keys;
  Registry nothing;
  for (const char* text : {"{learned_optimizer: a, estimator: a, init_theta: a, task: a, apply: {}, validate: {}, "
                           "meta_training: {}}",
                           "{learned_optimizer: a, theta: a, task_family: a}", "{learned_optimizer: a, task: a}",
                           "{optimizer: a, task: a}"}) {
    const SpecNode spec = parse_spec(text, "a description");
    for (SpecKey& key : Loader(spec, nothing, {}).describe())
      if (std::none_of(keys.begin(), keys.end(), [&](const SpecKey& known) {
            return known.section == key.section && known.declaration.name == key.declaration.name;
          }))
        keys.push_back(std::move(key));
  }
  return keys;
}

Experiment load_experiment(const SpecNode& spec, Registry& registry, std::optional<int> train_length) {
  const SpecNode* stages = spec.find("stages");
  if (const SpecNode* population = spec.find("meta_training");
      population && stages && stages->kind != SpecNode::Kind::null)
    refuse(population->where, "meta_training: a population has no stages: take one of the two out");
  if (stages && stages->kind != SpecNode::Kind::null) return StagesLoader(spec, registry, train_length).load();
  return Loader(spec, registry, train_length).load();
}

}  // namespace lopt
