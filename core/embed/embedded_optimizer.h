#pragma once
// An optimizer for parameters and gradients that another program holds.

#include "embed/embedded_spec.h"
#include "execute/executor.h"

#include <lopt/optimizer.h>

#include <optional>
#include <span>
#include <string>

namespace lopt {

/// A parameter of that program: float32, row-major. The rule sees dimension axes[i] of `shape` as its dimension i.
struct EmbeddedParameter {
  std::string name;
  Shape shape;
  std::vector<std::size_t> axes;  // empty: as it is
};

class EmbeddedOptimizer {
 public:
  /// `spec`: what stands behind `optimizer:` in a spec; `num_steps` 0: not known. Throws SpecError, SettingsError,
  /// PluginError, DataError, ShapeError.
  EmbeddedOptimizer(const std::string& spec, const std::vector<EmbeddedParameter>& parameters, std::int64_t num_steps);

  std::size_t count() const { return parameters_.size(); }
  void set_threads(int threads) { threads_ = threads; }
  bool needs_loss() const { return needs_loss_; }
  std::int64_t steps() const { return iteration_; }

  /// Moves the parameters in place. A null gradient counts as 0, and its parameter stays. scales[i] multiplies the step
  /// of params[i]; none: 1. Where it throws nothing has changed, unless memory runs out. A rule that looks at the loss
  /// and can do without goes without where the first step has none. Throws SettingsError where the loss is missed.
  void step(std::span<float* const> params, std::span<const float* const> grads, std::optional<float> loss,
            std::span<const float> scales);
  /// What the parameters are judged by: an average, for some rules.
  void evaluation_params(std::span<const float* const> params, std::span<float* const> to);

  /// All that a step depends on, but the parameters. The same number of bytes at any time.
  std::size_t state_bytes() const;
  void save_state(std::span<std::byte> to);
  /// Throws DataError where it was saved by another rule or for other parameters, or is damaged.
  void load_state(std::span<const std::byte> from);
  /// Goes on from where another optimizer of the same rule is, whose parameters, by their names, are among these; the
  /// others begin now, at `params`. Throws SettingsError where the rule keeps something of all parameters together.
  void continue_from(const EmbeddedOptimizer& earlier, std::span<const float* const> params);

 private:
  struct Programs;
  /// Says what the state is, and gives the programs that make it and work on it.
  Programs trace(std::int64_t num_steps);
  /// The programs of the rule that sees the parameters as they lie, where it gives the same: then nothing need be
  /// copied.
  Programs as_they_lie(Programs programs, std::int64_t num_steps);
  void plan(const Programs& programs);
  /// What is large is taken when it is first needed.
  void take_memory();
  const void* zeros();
  bool is_direct(std::size_t leaf) const { return parameter_at_[leaf].has_value(); }
  /// Elements of all parameters.
  std::size_t elements() const;
  /// Where the rule finds a parameter: where it lies, or a copy in the order that the rule sees.
  float* readable(float* memory, std::size_t parameter, Array& copy, BlockTeam* team) const;
  void write(std::size_t parameter, const float* from, float* to, float scale, BlockTeam* team) const;
  std::vector<float*> readable_params(std::span<float* const> params, BlockTeam* team);
  /// Makes a state for parameters, as the rule sees them.
  void begin(const std::vector<float*>& params, BlockTeam* team);
  /// The leaves of the state as a program takes them, made or brought up to date with the parameters as they are now.
  std::vector<void*> state_for(std::span<float* const> params, BlockTeam* team);
  /// Where a step puts the leaves of the state: where they lie, as far as its plan and `stays` allow; of parameters
  /// that are to stay, or move by a share of their step, somewhere else.
  std::vector<void*> next_of(const std::vector<void*>& state, const std::vector<bool>& stays);

  std::unique_ptr<Registry> registry_;  // whose plugins made the optimizer
  std::shared_ptr<const Optimizer> optimizer_;
  std::string rule_;         // "adam"; of a learned optimizer "learned steered"
  std::string description_;  // the rule, and the types of what it remembers: what a saved state must agree with
  std::vector<EmbeddedParameter> parameters_;
  std::vector<Type> types_;  // of the parameters as the rule sees them
  /// Of each leaf of the state: the parameter that it is. Such leaves lie where the other program has them. None are
  /// where a rule makes its parameters of something else.
  std::vector<std::optional<std::size_t>> parameter_at_;
  std::vector<bool> in_place_;        // of each leaf, whether a step may put it where it lies
  std::vector<std::size_t> leaf_of_;  // of each parameter; empty where the rule makes them
  std::optional<Executable> start_, step_, with_params_, evaluation_params_;
  bool needs_loss_ = false, begun_ = false, without_loss_ = false;
  int threads_ = 1;
  std::int64_t iteration_ = 0;
  std::vector<Type> state_types_;
  std::vector<std::string> state_paths_;
  std::vector<Array> state_;  // leaves of the state; of those that are parameters, nothing
  std::vector<Array> next_;   // leaves that a step made and that could not be written where they were
  std::vector<Array> made_;   // the parameters of the state, where the rule makes them
  std::vector<Array> params_copy_, grads_copy_;
  Array zeros_, key_;
  Arena arena_;
};

}  // namespace lopt
