#pragma once
#include "execute/tile.h"

#include <memory>
#include <unordered_map>

namespace lopt {

/// Memory that a thread runs plans in. Grows when a plan is first run in it, and never while one runs.
class Arena {
 public:
  Arena() = default;
  Arena(Arena&&) = default;  // not copied: what tiles keep points into itself
  Arena& operator=(Arena&&) = default;

  /// At least as much as `plan` needs.
  /// `parallel`: with scratch for each block of rows that may run at once.
  void reserve(const Plan& plan, bool parallel);
  std::byte* values() { return values_.get(); }
  std::byte* scratch() { return scratch_.get(); }
  std::vector<void*>& pointers() { return pointers_; }
  std::size_t bytes() const { return value_bytes_ + scratch_bytes_ + (inner_ ? inner_->bytes() : 0); }
  /// A run of a program begins, which lives as long as what is kept of it.
  template <class Program>
  void begin(const std::shared_ptr<Program>& program, std::size_t kernels) {
    auto found = kept_.find(program.get());
    if (found == kept_.end()) found = kept_.try_emplace(program.get(), program, kernels).first;
    tiles_ = &found->second.by_kernel;
  }
  /// What running region `kernel` of that program keeps, by chunk.
  std::vector<TileMemory>& tiles(std::size_t kernel) { return (*tiles_)[kernel]; }
  /// Where the body of a loop runs.
  Arena& inner() {
    if (!inner_) inner_ = std::make_shared<Arena>();
    return *inner_;
  }

 private:
  std::shared_ptr<std::byte> values_, scratch_;
  std::shared_ptr<Arena> inner_;
  std::size_t value_bytes_ = 0, scratch_bytes_ = 0;
  std::vector<void*> pointers_;
  struct OfProgram {
    std::shared_ptr<const void> program;
    std::vector<std::vector<TileMemory>> by_kernel;
    OfProgram(std::shared_ptr<const void> whose, std::size_t kernels) : program(std::move(whose)), by_kernel(kernels) {}
  };
  std::unordered_map<const void*, OfProgram> kept_;
  std::vector<std::vector<TileMemory>>* tiles_ = nullptr;  // of the program that runs
};

}  // namespace lopt
