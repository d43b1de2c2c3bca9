#pragma once
// A task as functions: parameters at the start, batches, loss and gradient.

#include "execute/executor.h"
#include "registry/registry.h"

#include <lopt/task.h>

#include <span>
#include <string>

namespace lopt {

/// All of it is what `lopt-run train` does with the same task and seed.
class EmbeddedTask {
 public:
  /// `spec`: what stands behind `task:` in a spec. Throws SpecError, PluginError, DataError, ShapeError; SettingsError
  /// for a task that keeps a state beside its parameters, which a function of parameters cannot have.
  explicit EmbeddedTask(const std::string& spec);

  const std::vector<std::string>& param_names() const { return param_names_; }
  const std::vector<Type>& param_types() const { return param_types_; }
  const std::vector<std::string>& batch_names() const { return batch_names_; }
  const std::vector<Type>& batch_types() const { return batch_types_; }

  /// The parameters at the start of the problem of a seed.
  void init(std::uint64_t seed, std::span<float* const> params);
  /// The batch of a step of it; four bytes an element, of batch_types().
  void batch(std::uint64_t seed, std::int64_t step, std::span<void* const> parts);
  /// The loss on a batch, and its gradient where `grads` has places. Seed and step are for tasks that draw numbers.
  float loss(std::uint64_t seed, std::int64_t step, std::span<const float* const> params,
             std::span<const void* const> batch, std::span<float* const> grads);

 private:
  HostKey key_of(std::uint64_t seed, std::int64_t step);
  std::vector<const void*> copied(std::span<const void* const> memory, const std::vector<Type>& types,
                                  std::vector<Array>& copies) const;

  std::unique_ptr<Registry> registry_;
  std::shared_ptr<const Task> task_;
  std::vector<std::string> param_names_, batch_names_;
  std::vector<Type> param_types_, batch_types_;
  std::optional<Executable> start_, loss_, gradient_;
  struct LastKey {
    std::uint64_t seed = 0;
    std::int64_t step = -1;
    HostKey before;  // of the lane at that step
  } last_;
  Arena arena_;
};

}  // namespace lopt
