#include <lopt/plugin.h>

using namespace lopt;

/// A family of one task: all inner problems differ in their keys and batches alone.
class Fixed final : public TaskFamily {
 public:
  explicit Fixed(Settings& s) : task_(s.component<Task>("task").doc("the task")) {}

  std::size_t size() const override { return 1; }
  const Task& task(std::size_t) const override { return *task_; }

 private:
  std::shared_ptr<const Task> task_;
};

LOPT_PLUGIN(Fixed, "fixed", {.summary = "A family of one task"})
