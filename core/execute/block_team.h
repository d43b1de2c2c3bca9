#pragma once
// Threads that help one lane with its blocks of rows. A block takes some microseconds, a sleeping thread ten times that
// to wake: so helpers spin until the lane is done. Used where lanes are fewer than threads, which would idle otherwise.

#include <atomic>
#include <cstddef>

namespace lopt {

/// Tells the processor that a thread waits for another.
inline void pause_spinning() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

class BlockTeam {
 public:
  /// `threads`: with the one that calls run().
  explicit BlockTeam(std::size_t threads) : threads_(threads) {}
  std::size_t threads() const { return threads_; }

  /// f(i) for each i below count, by the calling thread and all that help. Calls come from one thread.
  template <class Function>
  void run(std::size_t count, Function f) {
    call_ = [](void* function, std::size_t i) { (*static_cast<Function*>(function))(i); };
    function_ = &f;
    count_ = count;
    next_ = 0;
    remaining_ = count;
    open_ = true;
    work();
    while (remaining_ != 0) pause_spinning();
    open_ = false;
    while (active_ != 0) pause_spinning();  // nobody looks at this job any more
  }

  /// Helps until close() is called.
  void help() {
    while (!closed_) {
      if (open_) {
        ++active_;
        if (open_) work();  // not before: run() may be setting up the next job
        --active_;
      }
      pause_spinning();
    }
  }
  void close() { closed_ = true; }

 private:
  void work() {
    for (std::size_t i = next_++; i < count_; i = next_++) {
      call_(function_, i);
      --remaining_;
    }
  }

  std::size_t threads_;
  void (*call_)(void*, std::size_t) = nullptr;
  void* function_ = nullptr;
  std::size_t count_ = 0;
  std::atomic<std::size_t> next_ = 0, remaining_ = 0, active_ = 0;
  std::atomic<bool> open_ = false, closed_ = false;
};

}  // namespace lopt
