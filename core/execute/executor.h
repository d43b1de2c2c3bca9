#pragma once
// Runs plans. An Executable is shared by threads; each thread has an arena of its own.

#include "execute/tile.h"
#include "plan/plan.h"

#include <memory>

namespace lopt {

/// Memory that a thread runs plans in. Grows when a plan is first run in it, and never while one runs.
class Arena {
 public:
  /// At least as much as `plan` needs.
  void reserve(const Plan& plan);
  std::byte* values() { return values_.get(); }
  std::byte* scratch() { return scratch_.get(); }
  std::vector<void*>& pointers() { return pointers_; }
  std::size_t bytes() const { return value_bytes_ + scratch_bytes_; }

 private:
  std::shared_ptr<std::byte> values_, scratch_;
  std::size_t value_bytes_ = 0, scratch_bytes_ = 0;
  std::vector<void*> pointers_;
};

/// A plan with its kernels looked up.
class Executable {
 public:
  explicit Executable(Plan plan);

  const Plan& plan() const { return plan_; }
  /// Runs the plan. inputs[i] and outputs[i] point to arrays of the plan's types, row-major, four bytes an element.
  /// Outputs must not overlap inputs. Memory behind inputs is readable for 64 bytes.
  void run(std::span<const void* const> inputs, std::span<void* const> outputs, Arena& arena) const;
  /// Seconds that each kernel of the plan takes on arrays of zeros, the least of some runs.
  std::vector<double> time_kernels() const;
  /// The same on arrays. Throws std::invalid_argument where their types are not the plan's.
  std::vector<Array> run(std::span<const Array> inputs) const;

 private:
  void bind(std::span<const void* const> inputs, std::span<void* const> outputs, Arena& arena) const;
  void run_kernel(std::size_t k, Arena& arena) const;
  void run_region(const Region& region, const BoundKernels& kernels, Arena& arena) const;

  Plan plan_;
  std::vector<BoundKernels> bound_;  // by kernel of the plan; empty but for regions
};

/// Plans a program and looks up its kernels.
Executable compile(const Program& program);

}  // namespace lopt
