#pragma once
#include "execute/tile.h"

#include <memory>
#include <unordered_map>
#include <utility>

namespace lopt {

/// Memory that a thread runs plans in. Grows when a plan is first run in it, and never while one runs.
class Arena {
 public:
  Arena() = default;
  Arena(Arena&&) = default;  // not copied: what tiles keep points into itself
  Arena& operator=(Arena&&) = default;

  /// A run of a program begins, which lives as long as what is kept of it: there is at least as much memory as its plan
  /// needs. False: it is the program that ran before, in the same memory.
  /// `parallel`: with scratch for each block of rows that may run at once. `beside`: other lanes' values lie beside
  /// its.
  template <class Program>
  bool begin(const std::shared_ptr<Program>& program, const Plan& plan, bool parallel, bool beside) {
    if (running_ && running_->program.get() == program.get() && parallel <= parallel_ && beside == (beside_.lanes > 0))
      return false;
    reserve(plan, parallel);
    auto found = kept_.find(program.get());
    if (found == kept_.end()) found = kept_.try_emplace(program.get(), program, plan.kernels.size()).first;
    running_ = &found->second;
    parallel_ = parallel;
    beside_ = {};
    return true;
  }
  /// Scratch of programs that run here lies in the other's, which must have begun them before.
  void share_scratch(const Arena& other) {
    scratch_ = other.scratch_;
    scratch_bytes_ = other.scratch_bytes_;
  }
  std::byte* values() { return values_.get(); }
  std::byte* scratch() { return scratch_.get(); }
  std::vector<void*>& pointers() { return pointers_; }
  std::size_t bytes() const { return value_bytes_ + scratch_bytes_ + (inner_ ? inner_->bytes() : 0); }
  /// What running region `kernel` of that program keeps, by chunk.
  std::vector<TileMemory>& tiles(std::size_t kernel) { return running_->tiles[kernel]; }
  /// What running it for several lanes side by side keeps, in the arena of the first.
  TileMemory& tile_together(std::size_t kernel) { return running_->together[kernel]; }
  /// Where the values of several lanes lie, in the arena of the first.
  std::byte* values_of_lanes(std::size_t bytes);
  /// The program's values lie there from now on, as those of lane `lane` of `lanes`. False: they did before.
  bool is_new_beside(const std::byte* values, std::size_t lanes, std::size_t lane) {
    const Beside now{values, lanes, lane};
    return std::exchange(beside_, now) != now;
  }
  /// Where columns of several lanes lie.
  std::byte* staging(std::size_t bytes);
  /// Where the body of a loop runs.
  Arena& inner() {
    if (!inner_) inner_ = std::make_shared<Arena>();
    return *inner_;
  }

 private:
  void reserve(const Plan& plan, bool parallel);

  struct Beside {
    const std::byte* values = nullptr;
    std::size_t lanes = 0, lane = 0;
    bool operator==(const Beside&) const = default;
  };

  std::shared_ptr<std::byte> values_, scratch_, staging_, lane_values_;
  std::shared_ptr<Arena> inner_;
  std::size_t value_bytes_ = 0, scratch_bytes_ = 0, staging_bytes_ = 0, lane_value_bytes_ = 0;
  Beside beside_;
  std::vector<void*> pointers_;
  struct OfProgram {
    std::shared_ptr<const void> program;
    std::vector<std::vector<TileMemory>> tiles;  // by kernel
    std::vector<TileMemory> together;            // by kernel
    OfProgram(std::shared_ptr<const void> whose, std::size_t kernels)
        : program(std::move(whose)), tiles(kernels), together(kernels) {}
  };
  std::unordered_map<const void*, OfProgram> kept_;
  OfProgram* running_ = nullptr;
  bool parallel_ = false;
};

}  // namespace lopt
