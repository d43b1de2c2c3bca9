#include "bridge/traced_component.h"

#include "bridge/message.h"

#include <lopt/schedule.h>
#include <lopt/task.h>

#include <fmt/format.h>

#include <algorithm>

namespace lopt {
namespace {

/// The arguments of a call, by their names.
class Given {
 public:
  Given(const std::vector<Tensor>& values, const Json& arguments) : values_(values), arguments_(arguments) {}
  Tree tree(const char* name) const {
    if (!arguments_.contains(name)) throw SettingsError(fmt::format("the argument '{}' is missing", name));
    return tree_from_json<Tensor>(arguments_.at(name),
                                  [&](const Json& place) { return values_.at(place.get<std::size_t>()); });
  }
  Tensor tensor(const char* name) const { return arguments_.contains(name) ? tree(name).leaf() : Tensor(); }
  std::int64_t num_steps() const { return arguments_.value("num_steps", std::int64_t{0}); }
  UpdateContext update() const {
    return {tensor("loss"), tensor("iteration"), num_steps(), {tensor("key")}, tensor("length")};
  }

 private:
  const std::vector<Tensor>& values_;
  const Json& arguments_;
};

[[noreturn]] void no_such(const std::string& kind, const std::string& function) {
  throw SettingsError(fmt::format("a component of the kind {} has no function '{}'", kind, function));
}

Tree of_optimizer(const Optimizer& optimizer, const std::string& function, const Given& given) {
  if (function == "init") return optimizer.init(given.tree("params"), {given.num_steps(), {given.tensor("key")}});
  if (function == "update") return optimizer.update(given.tree("state"), given.tree("grads"), given.update());
  if (function == "params") return optimizer.params(given.tree("state"));
  if (function == "evaluation_params") return optimizer.evaluation_params(given.tree("state"));
  if (function == "with_params") return optimizer.with_params(given.tree("state"), given.tree("params"));
  no_such(Optimizer::kind, function);
}

Tree of_task(const Task& task, const std::string& function, const Given& given) {
  const Key key{given.tensor("key")};
  if (function == "init") return task.init(key);
  if (function == "loss") return task.loss(given.tree("params"), given.tree("batch"), key);
  no_such(Task::kind, function);
}

Tree result_of(const std::string& kind, const std::shared_ptr<const void>& component, const std::string& function,
               const Given& given) {
  if (kind == Optimizer::kind)
    return of_optimizer(*std::static_pointer_cast<const Optimizer>(component), function, given);
  if (kind == Task::kind) return of_task(*std::static_pointer_cast<const Task>(component), function, given);
  if (kind == Schedule::kind)
    return std::static_pointer_cast<const Schedule>(component)->rate(
        {given.tensor("step"), given.tensor("steps"), given.num_steps()});
  if (kind != LearnedOptimizer::kind) no_such(kind, function);
  const auto learned = std::static_pointer_cast<const LearnedOptimizer>(component);
  if (function == "weights") return learned->init({given.tensor("key")});
  return of_optimizer(*learned->opt_fn(given.tree("theta")), function, given);
}

}  // namespace

FunctionResult TracedComponents::apply(const std::string& kind, const std::string& spec, const std::string& function,
                                       const std::vector<Tensor>& values, const Json& arguments) {
  const std::vector<std::string> kinds = component_kinds();
  if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end())
    throw SettingsError(fmt::format("there is no kind of component '{}'{}", kind, did_you_mean(kind, kinds)));
  auto found = made_.find({kind, spec});
  if (found == made_.end()) found = made_.emplace(std::pair(kind, spec), component_of(kind, kind, spec)).first;
  try {
    return named_result(result_of(kind, found->second.component, function, {values, arguments}));
  } catch (const Json::exception& error) {
    throw SettingsError(fmt::format("the arguments are not as they should be: {}", error.what()));
  } catch (const std::out_of_range&) {
    throw SettingsError("an argument names a place at which there is no value");
  }
}

}  // namespace lopt
