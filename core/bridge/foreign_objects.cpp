// lopt's interfaces, each function of which is a question to the program that describes it.
#include "bridge/foreign_component.h"

#include <fmt/format.h>

#include <mutex>

namespace lopt {
namespace {

std::optional<Tree> given(const Tensor& value) { return value ? std::optional(Tree(value)) : std::nullopt; }

/// Answers are asked for once: what they are made of does not change.
template <class Value>
class Once {
 public:
  template <class Make>
  const Value& get(Make make) const {
    const std::lock_guard lock(mutex_);
    if (!value_) value_ = make();
    return *value_;
  }

 private:
  mutable std::mutex mutex_;
  mutable std::optional<Value> value_;
};

class ForeignTask final : public Task {
 public:
  explicit ForeignTask(ForeignComponent component) : component_(std::move(component)) {}

  /// What an example of the batches is goes along: parameters may have its sizes.
  Tree init(Key key) const override {
    Json numbers = Json::object();
    const Types examples = batches().dataset ? batches().dataset->example_types() : Types(std::vector<Types::Entry>{});
    for (const auto& [name, type] : examples.entries())
      if (type.is_leaf()) numbers["batch"][name] = type_json(type.leaf());
    return component_.trace("init", {{"key", key.bits}}, std::move(numbers)).tree("result");
  }
  Tensor loss(const Tree& params, const Tree& batch, Key key) const override {
    return component_.trace("loss", {{"params", params}, {"batch", batch}, {"key", given(key.bits)}}).tree("result");
  }
  Batches batches() const override {
    return batches_.get([&] {
      const TracerMessage answer = component_.ask("batches");
      if (!answer.json.contains("dataset")) return Batches{};
      return Batches{std::static_pointer_cast<const Dataset>(
                         component_.component(Dataset::kind, answer.json.at("dataset").get<std::string>())),
                     answer.json.at("size").get<int>()};
    });
  }
  std::vector<Metric> metrics(const Tree& params, const Tree& batch, Key key) const override {
    return metrics_of("metrics", {{"params", params}, {"batch", batch}, {"key", given(key.bits)}});
  }
  Tensor normalized(const Tensor& loss) const override {
    return component_.trace("normalized", {{"loss", loss}}).tree("result");
  }
  Tree init_state(Key key) const override { return component_.trace("init_state", {{"key", key.bits}}).tree("result"); }
  TrainingLoss training_loss(const Tree& params, const Tree& state, const Tree& batch, Key key) const override {
    const Traced traced = component_.trace(
        "training_loss", {{"params", params}, {"state", state}, {"batch", batch}, {"key", given(key.bits)}});
    return {traced.tree("result"), traced.tree("state")};
  }
  Tensor evaluation_loss(const Tree& params, const Tree& state, const Tree& batch, Key key) const override {
    return component_
        .trace("evaluation_loss", {{"params", params}, {"state", state}, {"batch", batch}, {"key", given(key.bits)}})
        .tree("result");
  }
  std::vector<Metric> evaluation_metrics(const Tree& params, const Tree& state, const Tree& batch,
                                         Key key) const override {
    return metrics_of("evaluation_metrics",
                      {{"params", params}, {"state", state}, {"batch", batch}, {"key", given(key.bits)}});
  }

 private:
  std::vector<Metric> metrics_of(const char* function, const Arguments& arguments) const {
    const Traced traced = component_.trace(function, arguments);
    std::vector<Metric> metrics;
    for (const Json& metric : traced.json().at("metrics"))
      metrics.push_back({metric.at(0).get<std::string>(), traced.value(metric.at(1)), metric.at(2).get<bool>()});
    return metrics;
  }

  ForeignComponent component_;
  Once<Batches> batches_;
};

class ForeignFamily final : public TaskFamily {
 public:
  explicit ForeignFamily(ForeignComponent component) : component_(std::move(component)) {}

  std::size_t size() const override {
    return size_.get([&] { return component_.ask("size").json.at("size").get<std::size_t>(); });
  }
  const Task& task(std::size_t index) const override {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<const Task>& task = tasks_[index];
    if (!task)
      task = std::static_pointer_cast<const Task>(component_.component(
          Task::kind, component_.ask("task", {{"index", index}}).json.at("spec").get<std::string>()));
    return *task;
  }
  std::string description(std::size_t index) const override {
    return component_.ask("task", {{"index", index}}).json.at("description").get<std::string>();
  }

 private:
  ForeignComponent component_;
  Once<std::size_t> size_;
  mutable std::mutex mutex_;
  mutable std::map<std::size_t, std::shared_ptr<const Task>> tasks_;
};

class ForeignDataset final : public Dataset {
 public:
  explicit ForeignDataset(ForeignComponent component) : component_(std::move(component)) {}

  const Values& examples(Split split) const override {
    return examples_[split == Split::train ? 0 : 1].get([&] {
      const TracerMessage answer = component_.ask("examples", {{"split", split == Split::train ? "train" : "test"}});
      return tree_from_json<Array>(answer.json.at("examples"),
                                   [&](const Json& place) { return answer.array_at(place); });
    });
  }

 private:
  ForeignComponent component_;
  Once<Values> examples_[2];
};

class ForeignSchedule final : public Schedule {
 public:
  explicit ForeignSchedule(ForeignComponent component) : component_(std::move(component)) {}

  Tensor rate(const ScheduleContext& context) const override {
    return component_
        .trace("rate", {{"step", context.step}, {"steps", given(context.steps)}}, {{"num_steps", context.num_steps}})
        .tree("result");
  }

 private:
  ForeignComponent component_;
};

/// With θ: the optimizer that a learned one makes of it.
class ForeignOptimizer final : public Optimizer {
 public:
  explicit ForeignOptimizer(ForeignComponent component, std::optional<Tree> theta = std::nullopt)
      : component_(std::move(component)), theta_(std::move(theta)) {}

  Tree init(const Tree& params, const InitContext& context) const override {
    return component_
        .trace("start", {{"theta", theta_}, {"params", params}, {"key", given(context.key.bits)}},
               {{"num_steps", context.num_steps}})
        .tree("result");
  }
  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    return component_
        .trace("update",
               {{"theta", theta_},
                {"state", state},
                {"grads", grads},
                {"loss", given(context.loss)},
                {"iteration", given(context.iteration)},
                {"length", given(context.length)},
                {"key", given(context.key.bits)}},
               {{"num_steps", context.num_steps}})
        .tree("result");
  }
  Tree params(const Tree& state) const override {
    return component_.trace("params", {{"theta", theta_}, {"state", state}}).tree("result");
  }
  Tree evaluation_params(const Tree& state) const override {
    return component_.trace("evaluation_params", {{"theta", theta_}, {"state", state}}).tree("result");
  }

 private:
  ForeignComponent component_;
  std::optional<Tree> theta_;
};

class ForeignLearnedOptimizer final : public LearnedOptimizer {
 public:
  explicit ForeignLearnedOptimizer(ForeignComponent component) : component_(std::move(component)) {}

  Tree init(Key key) const override { return component_.trace("init", {{"key", key.bits}}).tree("result"); }
  std::unique_ptr<Optimizer> opt_fn(const Tree& theta) const override {
    return std::make_unique<ForeignOptimizer>(component_, theta);
  }

 private:
  ForeignComponent component_;
};

template <class Base, class Object>
std::shared_ptr<const void> made(ForeignComponent component) {
  return std::shared_ptr<const Base>(std::make_shared<const Object>(std::move(component)));
}

}  // namespace

std::shared_ptr<const void> foreign_object(const std::string& kind, ForeignComponent component) {
  if (kind == Task::kind) return made<Task, ForeignTask>(std::move(component));
  if (kind == TaskFamily::kind) return made<TaskFamily, ForeignFamily>(std::move(component));
  if (kind == Dataset::kind) return made<Dataset, ForeignDataset>(std::move(component));
  if (kind == Schedule::kind) return made<Schedule, ForeignSchedule>(std::move(component));
  if (kind == Optimizer::kind) return made<Optimizer, ForeignOptimizer>(std::move(component));
  if (kind == LearnedOptimizer::kind) return made<LearnedOptimizer, ForeignLearnedOptimizer>(std::move(component));
  return foreign_estimator(std::move(component));
}

}  // namespace lopt
