#include "bridge/c_component.h"

#include "bridge/functions.h"
#include "bridge/trace_handle.h"
#include "bridge/written_program.h"
#include "registry/registry.h"

#include <fmt/format.h>

#include <cstdarg>
#include <set>

/// One call of a component: its arguments, and what it returned so far.
struct lopt_call {
  lopt_trace trace;
  lopt::Json settings;
  std::map<std::string, lopt::BasicTree<lopt::Tensor>> arguments;
  std::vector<std::pair<std::string, lopt::Tree>> results;  // by part; "" is the whole
  std::exception_ptr thrown;                                // the first that went wrong

  /// Calls f, unless something went wrong before.
  template <class Value, class Function>
  Value attempt(Value otherwise, Function f) noexcept {
    if (thrown) return otherwise;
    try {
      return f();
    } catch (...) {
      thrown = std::current_exception();
      return otherwise;
    }
  }
  /// An argument or a part of it; null where there is none.
  const lopt::Tree* find(const std::string& path) const {
    const std::size_t slash = path.find('/');
    const auto found = arguments.find(path.substr(0, slash));
    if (found == arguments.end()) return nullptr;
    const lopt::Tree* tree = &found->second;
    for (std::size_t at = slash; at != std::string::npos;) {
      const std::size_t end = path.find('/', at + 1);
      const std::string name = path.substr(at + 1, end == std::string::npos ? end : end - at - 1);
      if (!tree->contains(name)) return nullptr;
      tree = &(*tree)[name];
      at = end;
    }
    return tree;
  }
};

namespace lopt {
namespace {

/// The names that a component in C knows: what evaluates is what trains.
std::string c_name(const std::string& function) {
  if (function == "evaluation_params") return "params";
  if (function == "training_loss" || function == "evaluation_loss") return "loss";
  return function;
}

Json with_places(const Tree& tree, std::vector<Tensor>& values) {
  return tree_json(tree, [&](const Tensor& value) {
    if (!value) throw SettingsError("a part of the result was never given a value by lopt_call_return");
    values.push_back(value);
    return values.size() - 1;
  });
}

TracerMessage traced(const lopt_c_component& component, const TracerMessage& question) {
  const std::string function = question.json.at("function").get<std::string>();
  TracerMessage answer;
  lopt_call call;
  call.settings = question.json.at("settings");
  for (const auto& [name, told] : question.json.at("arguments").items())
    call.arguments.emplace(name, tree_from_json<Tensor>(told, [&](const Json& type) {
                             call.trace.inputs.push_back(make_input("argument", type_of_json(type)));
                             return call.trace.inputs.back();
                           }));
  std::vector<Tensor> values;
  Json result, state;
  if (function == "init_state" || function == "metrics" || function == "evaluation_metrics" ||
      function == "normalized") {
    if (function == "normalized") result = with_places(call.arguments.at("loss"), values);
    if (function == "init_state") result = {{"tree", Json::array()}};
    answer.json["metrics"] = Json::array();
  } else {
    const int code = component.trace(&call, c_name(function).c_str());
    if (call.thrown) std::rethrow_exception(call.thrown);
    if (code != 0)
      throw PluginError(fmt::format("'{}' failed in {}: it returned {}", component.name, c_name(function), code));
    if (call.results.empty())
      throw PluginError(fmt::format("'{}' gives nothing in {}: lopt_call_return gives what it returns", component.name,
                                    c_name(function)));
    Tree whole = call.results[0].second;
    if (!call.results[0].first.empty()) whole = Tree(call.results);
    result = with_places(whole, values);
    if (function == "training_loss") state = with_places(call.arguments.at("state"), values);
  }
  const std::vector<std::size_t> numbers = write_nodes(answer, call.trace.inputs, values);
  const auto numbered = [&](const Json& json) {
    return tree_json(tree_from_json<std::size_t>(json, [](const Json& place) { return place.get<std::size_t>(); }),
                     [&](std::size_t place) { return numbers.at(place); });
  };
  if (!result.is_null()) answer.json["result"] = numbered(result);
  if (!state.is_null()) answer.json["state"] = numbered(state);
  return answer;
}

}  // namespace

Answer answers_of(const lopt_c_component& component) {
  return [&component](const TracerMessage& question) {
    if (question.json.at("ask") == "trace") return traced(component, question);
    return TracerMessage{};
  };
}

}  // namespace lopt

using namespace lopt;

extern "C" {

double lopt_call_setting(lopt_call* call, const char* name) {
  return call->attempt(0.0, [&] {
    const auto found = call->settings.find(name);
    if (found == call->settings.end()) throw SettingsError(fmt::format("there is no setting '{}'", name));
    return found->is_boolean() ? (found->get<bool>() ? 1.0 : 0.0) : found->get<double>();
  });
}

size_t lopt_call_count(lopt_call* call, const char* argument) {
  return call->attempt(std::size_t{0}, [&] {
    const Tree* tree = call->find(argument);
    return tree ? tree->leaf_count() : 0;
  });
}

lopt_value lopt_call_argument(lopt_call* call, const char* argument, size_t i) {
  return call->attempt(lopt_value{-1}, [&] {
    const Tree* tree = call->find(argument);
    if (!tree || i >= tree->leaf_count())
      throw SettingsError(fmt::format("there is no value {} of the argument '{}'", i, argument));
    return add(call->trace, tree->leaves()[i]);
  });
}

lopt_value lopt_call_apply(lopt_call* call, const char* function, int count, ...) {
  std::vector<lopt_value> given;
  std::va_list more;
  va_start(more, count);
  for (int i = 0; i < count; ++i) given.push_back(va_arg(more, lopt_value));
  va_end(more);
  return call->attempt(lopt_value{-1}, [&] {
    std::vector<Tensor> values;
    for (const lopt_value value : given) values.push_back(value_at(call->trace, value));
    return add(call->trace, apply_function(function, values, Json::object()).values.at(0));
  });
}

lopt_value lopt_call_number(lopt_call* call, double number) {
  return call->attempt(lopt_value{-1}, [&] { return add(call->trace, Tensor(number)); });
}

void lopt_call_return(lopt_call* call, const char* part, const char* like, size_t i, lopt_value value) {
  call->attempt(0, [&] {
    const std::string name = part ? part : "";
    const Tree* tree = like ? call->find(like) : nullptr;
    if (like && !tree) throw SettingsError(fmt::format("there is no argument '{}' for a result to be like", like));
    auto found = std::find_if(call->results.begin(), call->results.end(),
                              [&](const auto& result) { return result.first == name; });
    if (found == call->results.end()) {
      const std::vector<Tensor> nothing(tree ? tree->leaf_count() : 1);
      call->results.emplace_back(name, tree ? tree->with_leaves<Tensor>(nothing) : Tree(nothing[0]));
      found = call->results.end() - 1;
    }
    std::vector<Tensor> leaves = found->second.leaves();
    leaves.at(i) = value_at(call->trace, value);
    found->second = found->second.with_leaves<Tensor>(leaves);
    return 0;
  });
}

lopt_trace* lopt_call_trace(lopt_call* call) { return &call->trace; }

}  // extern "C"
