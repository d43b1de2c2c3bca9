#include <lopt/plugin.h>

#include <numeric>

using namespace lopt;

/// Tasks and families side by side. A problem draws one of them by its weight, and in a family a member as the family
/// does.
class Mixture final : public TaskFamily {
 public:
  explicit Mixture(Settings& s)
      : tasks_(s.drawn<Task>("tasks").doc("a list of tasks").all()),
        families_(s.drawn<TaskFamily>("families").doc("a list of families, which come after the tasks").all()),
        weights_(s.integers("weights", std::vector<std::int64_t>{})
                     .between(0, 1'000'000'000)
                     .doc("of the tasks, then of the families, as whole numbers; all alike where there are none")) {
    const std::size_t parts = tasks_.size() + families_.size();
    if (parts == 0) throw std::invalid_argument("needs `tasks` or `families`, or both");
    if (weights_.empty()) weights_.assign(parts, 1);
    if (weights_.size() != parts)
      throw std::invalid_argument("there are " + std::to_string(weights_.size()) + " weights for " +
                                  std::to_string(parts) + " tasks and families");
    if (std::accumulate(weights_.begin(), weights_.end(), std::int64_t{0}) == 0)
      throw std::invalid_argument("all weights are 0");
  }

  std::size_t size() const override {
    std::size_t total = tasks_.size();
    for (const auto& family : families_) total += family.component->size();
    return total;
  }
  const Task& task(std::size_t index) const override {
    if (index < tasks_.size()) return *tasks_[index].component;
    const auto [family, member] = place(index);
    return families_[family].component->task(member);
  }
  std::string description(std::size_t index) const override {
    if (index < tasks_.size()) return tasks_[index].text;
    const auto [family, member] = place(index);
    return families_[family].component->description(member);
  }
  std::size_t sample(HostKey key) const override {
    std::int64_t total = 0;
    for (const std::int64_t weight : weights_) total += weight;
    auto left = static_cast<std::int64_t>(uniform(fold_in(key, 0), {}).item<float>() * static_cast<float>(total));
    std::size_t part = 0;
    while (part + 1 < weights_.size() && left >= weights_[part]) left -= weights_[part++];
    while (weights_[part] == 0) part = (part + 1) % weights_.size();  // by rounding at the end
    if (part < tasks_.size()) return part;
    std::size_t first = tasks_.size();
    for (std::size_t i = tasks_.size(); i < part; ++i) first += families_[i - tasks_.size()].component->size();
    return first + families_[part - tasks_.size()].component->sample(fold_in(key, 1));
  }

 private:
  struct Place {
    std::size_t family, member;
  };
  Place place(std::size_t index) const {
    index -= tasks_.size();
    std::size_t family = 0;
    while (index >= families_.at(family).component->size()) index -= families_[family++].component->size();
    return {family, index};
  }

  std::vector<Drawn<Task>> tasks_;
  std::vector<Drawn<TaskFamily>> families_;
  std::vector<std::int64_t> weights_;
};

LOPT_PLUGIN(Mixture, "mixture", {.summary = "Tasks and families side by side, with weights"})
