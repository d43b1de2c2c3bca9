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
  /// What running the regions of a program keeps, by kernel and chunk. `program` is whose they are; it lives as long.
  using Tiles = std::vector<std::vector<TileMemory>>;
  template <class Program>
  Tiles& tiles_of(const std::shared_ptr<Program>& program, std::size_t kernels) {
    const auto found = tiles_.find(program.get());
    return found != tiles_.end() ? found->second.by_kernel
                                 : tiles_.try_emplace(program.get(), program, kernels).first->second.by_kernel;
  }
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
    Tiles by_kernel;
    OfProgram(std::shared_ptr<const void> whose, std::size_t kernels) : program(std::move(whose)), by_kernel(kernels) {}
  };
  std::unordered_map<const void*, OfProgram> tiles_;
};

}  // namespace lopt
