#pragma once
// Runs plans. An Executable is shared by threads; each thread has an arena of its own.

#include "execute/arena.h"
#include "execute/region_runner.h"
#include "execute/side_by_side.h"

#include <memory>

namespace lopt {

/// What a run of a program works with: where its inputs and outputs lie, as Executable::run() takes them, and memory.
struct ProgramRun {
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  Arena arena;
};

/// A plan with its kernels looked up. Copies share it.
class Executable {
 public:
  explicit Executable(Plan plan);

  const Plan& plan() const { return bound_->plan; }
  /// The same plan for a program that differs in the elements of its constants alone.
  Executable with_constants(std::vector<Array> constants) const;
  /// Runs the plan. inputs[i] and outputs[i] point to arrays of the plan's types, row-major, four bytes an element.
  /// Outputs must not overlap inputs, but lie where an input lies where InPlace (plan/in_place.h) allows it. Memory
  /// behind inputs is readable for 64 bytes. `team`: blocks of rows run on its threads too; the results are the same
  /// bits.
  void run(std::span<const void* const> inputs, std::span<void* const> outputs, Arena& arena,
           BlockTeam* team = nullptr) const;
  /// How many lanes are best run together: 1 where regions of few rows take little of the time, or where what several
  /// lanes touch does not fit the second cache.
  std::size_t lanes_together() const { return bound_->lanes_together; }
  /// Whether all of the plan is run side by side, so that lanes' arrays are best given lying one after the other.
  bool all_side_by_side() const { return bound_->all_side_by_side; }
  /// The same programs, perhaps with other constants.
  bool has_plan_of(const Executable& other) const { return bound_ == other.bound_; }
  /// Runs the plan for several lanes, at most most_lanes_together: regions of few rows side by side. The results are
  /// the same bits as of each alone.
  void run_together(std::span<ProgramRun* const> lanes) const;
  /// Seconds that each kernel of the plan takes on arrays of zeros, the least of some runs.
  std::vector<double> time_kernels() const;
  /// The same on arrays. Throws std::invalid_argument where their types are not the plan's.
  std::vector<Array> run(std::span<const Array> inputs) const {
    Arena arena;
    return run(inputs, arena);
  }
  std::vector<Array> run(std::span<const Array> inputs, Arena& arena) const;

 private:
  void bind(std::span<const void* const> inputs, std::span<void* const> outputs, Arena& arena, BlockTeam* team,
            bool beside = false) const;
  /// Puts what the lanes' plans have in their arenas one after the other.
  void bind_beside(std::span<ProgramRun* const> lanes) const;
  void run_kernel(std::size_t k, Arena& arena, BlockTeam* team) const;
  void run_scan(std::size_t k, Arena& arena, BlockTeam* team) const;

  struct Bound {
    Plan plan;
    std::vector<std::pair<BufferId, std::uint32_t>> inputs, outputs, constants;  // buffers, and which of these they are
    // By kernel of the plan:
    std::vector<BoundRegion> regions;                       // empty but for regions
    std::vector<std::shared_ptr<const Executable>> bodies;  // null but for scans
    std::vector<std::optional<SideBySide>> together;        // of regions of few rows
    std::size_t staging_bytes = 0;                          // of the largest of them
    std::size_t lanes_together = 1;
    bool all_side_by_side = false;
  };
  static std::size_t lanes_worth_together(const Bound& bound);
  std::shared_ptr<const Bound> bound_;
  std::vector<Array> constants_;
};

/// Behind arrays there is room.
inline PlanOptions all_outputs_have_room(const Program& program) {
  return {.outputs_with_room = std::vector<bool>(program.outputs.size(), true)};
}
/// Plans a program and looks up its kernels.
Executable compile(const Program& program, const PlanOptions& options = {});

}  // namespace lopt
