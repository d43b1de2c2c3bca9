#include <lopt/plugin.h>

using namespace lopt;

/// Tasks of one kind whose settings are drawn: {choice: [a, b], weights: [2, 1]}, {uniform: [a, b]}, {log_uniform: [a,
/// b]}, {integers: [a, b]} in the place of any setting's value, at any depth. All settings of the task stand beside
/// `task`. Members are drawn once, from `seed`; problems draw evenly among them.
class Sampled final : public TaskFamily {
 public:
  explicit Sampled(Settings& s) {
    const std::int64_t members =
        s.integer("members", 64).between(1, 100'000).doc("tasks that are drawn; problems are among them");
    const std::int64_t seed = s.integer("seed", 0).between(0, 4503599627370496.0).doc("from which members are drawn");
    members_ = s.drawn<Task>("task")
                   .doc("the task's plugin, or a mapping; its settings may also stand beside it, and be distributions")
                   .draws(members, static_cast<std::uint64_t>(seed));
  }

  std::size_t size() const override { return members_.size(); }
  const Task& task(std::size_t index) const override { return *members_.at(index).component; }
  std::string description(std::size_t index) const override { return members_.at(index).text; }

 private:
  std::vector<Drawn<Task>> members_;
};

LOPT_PLUGIN(Sampled, "sampled", {.summary = "Tasks of one kind whose settings are drawn from distributions"})
