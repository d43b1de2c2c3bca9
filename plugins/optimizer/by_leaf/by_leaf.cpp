#include <lopt/plugin.h>

#include <algorithm>

using namespace lopt;

/// Several optimizers, by the names of the parameters: each takes the leaves that fit its pattern and none before it;
/// what is left takes `inner`. The state holds all parameters, and for each optimizer the state of its part.
class ByLeaf final : public Optimizer {
 public:
  explicit ByLeaf(Settings& s)
      : rest_(s.component<Optimizer>("inner").doc("for leaves that fit no pattern")),
        leaves_(s.named<Optimizer>("leaves").doc("optimizers by patterns of names, as in {\"b*\": {plugin: sgd}}")) {}

  Tree init(const Tree& params, const InitContext& context) const override {
    const std::vector<std::string> names = params.paths();
    for (const Named<Optimizer>& some : leaves_)
      if (std::ranges::none_of(names, [&](const std::string& name) { return fits_pattern(name, some.name); }))
        throw SettingsError(some.where + ": no parameter has a name like '" + some.name + "'" +
                            nearest(some.name, names));
    Tree state{{"params", params}};
    for (std::size_t which = 0; which <= leaves_.size(); ++which)
      if (const Tree part = part_of(params, which); part.leaf_count() > 0)
        state.set(key(which), optimizer(which).init(part, context));
    return state;
  }
  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    return each_part(state, [&](std::size_t which, const Tree& part) {
      return optimizer(which).update(part, part_of(grads, which), context);
    });
  }
  Tree params(const Tree& state) const override { return state["params"]; }
  Tree evaluation_params(const Tree& state) const override {
    return joined(state,
                  [](const Optimizer& optimizer, const Tree& part) { return optimizer.evaluation_params(part); });
  }
  Tree with_params(const Tree& state, const Tree& params) const override {
    return each_part(state, [&](std::size_t which, const Tree& part) {
      return optimizer(which).with_params(part, part_of(params, which));
    });
  }

 private:
  static std::string nearest(const std::string& pattern, const std::vector<std::string>& names) {
    if (std::string hint = did_you_mean(pattern, names); !hint.empty()) return hint;
    std::string list;
    for (const std::string& name : names) list += (list.empty() ? "; there is " : ", ") + name;
    return list;
  }

  const Optimizer& optimizer(std::size_t which) const {
    return which < leaves_.size() ? *leaves_[which].component : *rest_;
  }
  std::string key(std::size_t which) const { return "part" + std::to_string(which); }
  std::size_t owner(const std::string& name) const {
    return static_cast<std::size_t>(
        std::ranges::find_if(leaves_, [&](const auto& some) { return fits_pattern(name, some.name); }) -
        leaves_.begin());
  }

  /// The leaves of one optimizer by their paths: {"layer/w": …}, flat.
  Tree part_of(const Tree& whole, std::size_t which) const {
    const std::vector<std::string> names = whole.paths();
    const std::vector<Tensor> leaves = whole.leaves();
    std::vector<Tree::Entry> part;
    for (std::size_t i = 0; i < names.size(); ++i)
      if (owner(names[i]) == which) part.emplace_back(names[i], leaves[i]);
    return Tree(std::move(part));
  }
  /// The state with parts that f(which, part) makes, and the parameters in them.
  template <class Function>
  Tree each_part(const Tree& state, Function f) const {
    Tree next = state;
    for (std::size_t which = 0; which <= leaves_.size(); ++which)
      if (state.contains(key(which))) next.set(key(which), f(which, state[key(which)]));
    next.set("params",
             joined(next, [](const Optimizer& optimizer, const Tree& part) { return optimizer.params(part); }));
    return next;
  }
  /// What params_of gives of all parts, in the order of the parameters.
  template <class Function>
  Tree joined(const Tree& state, Function params_of) const {
    std::vector<std::vector<Tensor>> parts(leaves_.size() + 1);
    for (std::size_t which = 0; which < parts.size(); ++which)
      if (state.contains(key(which))) parts[which] = params_of(optimizer(which), state[key(which)]).leaves();
    std::vector<std::size_t> next(parts.size(), 0);
    std::vector<Tensor> leaves;
    for (const std::string& name : state["params"].paths()) {
      const std::size_t which = owner(name);
      leaves.push_back(parts[which][next[which]++]);
    }
    return state["params"].with_leaves<Tensor>(leaves);
  }

  std::shared_ptr<const Optimizer> rest_;
  std::vector<Named<Optimizer>> leaves_;
};

LOPT_PLUGIN(ByLeaf, "by_leaf", {.summary = "Several optimizers, by the names of the parameters"})
