#pragma once
// Runs plans. An Executable is shared by threads; each thread has an arena of its own.

#include "execute/arena.h"
#include "execute/region_runner.h"

#include <memory>

namespace lopt {

/// A plan with its kernels looked up. Copies share it.
class Executable {
 public:
  explicit Executable(Plan plan);

  const Plan& plan() const { return bound_->plan; }
  /// The same plan for a program that differs in the elements of its constants alone.
  Executable with_constants(std::vector<Array> constants) const;
  /// Runs the plan. inputs[i] and outputs[i] point to arrays of the plan's types, row-major, four bytes an element.
  /// Outputs must not overlap inputs. Memory behind inputs is readable for 64 bytes.
  /// `team`: blocks of rows run on its threads too; the results are the same bits.
  void run(std::span<const void* const> inputs, std::span<void* const> outputs, Arena& arena,
           BlockTeam* team = nullptr) const;
  /// Seconds that each kernel of the plan takes on arrays of zeros, the least of some runs.
  std::vector<double> time_kernels() const;
  /// The same on arrays. Throws std::invalid_argument where their types are not the plan's.
  std::vector<Array> run(std::span<const Array> inputs) const;

 private:
  void bind(std::span<const void* const> inputs, std::span<void* const> outputs, Arena& arena, BlockTeam* team) const;
  void run_kernel(std::size_t k, Arena& arena, BlockTeam* team) const;
  void run_scan(std::size_t k, Arena& arena, BlockTeam* team) const;

  struct Bound {
    Plan plan;
    std::vector<BoundRegion> regions;                       // by kernel of the plan; empty but for regions
    std::vector<std::shared_ptr<const Executable>> bodies;  // by kernel; null but for scans
  };
  std::shared_ptr<const Bound> bound_;
  std::vector<Array> constants_;
};

/// Plans a program and looks up its kernels.
Executable compile(const Program& program);

}  // namespace lopt
