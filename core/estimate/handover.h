#pragma once
// TBB hands work from thread to thread in a library that ThreadSanitizer does not see. In its builds these calls tell
// it what happens before what; in others they are nothing.

#include <utility>

#if defined(__SANITIZE_THREAD__)
extern "C" void __tsan_acquire(void* address);
extern "C" void __tsan_release(void* address);

namespace lopt::detail {
inline char hand_over_place;  // an address that both sides name
}
#endif

namespace lopt {

/// What this thread did until now happens before what others do behind take_over().
inline void hand_over() {
#if defined(__SANITIZE_THREAD__)
  __tsan_release(&detail::hand_over_place);
#endif
}
inline void take_over() {
#if defined(__SANITIZE_THREAD__)
  __tsan_acquire(&detail::hand_over_place);
#endif
}

/// What is done with work that was handed over: its end is handed over too, by an exception as well.
class TakenWork {
 public:
  TakenWork() { take_over(); }
  ~TakenWork() { hand_over(); }
  TakenWork(const TakenWork&) = delete;
  TakenWork& operator=(const TakenWork&) = delete;
};

/// Who gives work to others and waits for it: what they did is taken over, by an exception as well.
class AwaitedWork {
 public:
  AwaitedWork() { hand_over(); }
  ~AwaitedWork() { take_over(); }
  AwaitedWork(const AwaitedWork&) = delete;
  AwaitedWork& operator=(const AwaitedWork&) = delete;
};

/// Work for another thread: handed over when it is copied to where that thread will find it.
template <class Work>
class HandedOver {
 public:
  explicit HandedOver(Work work) : work_(std::move(work)) {}
  HandedOver(const HandedOver& other) : work_(other.work_) { hand_over(); }
  HandedOver& operator=(const HandedOver&) = delete;
  void operator()() const {
    const TakenWork taken;
    work_();
  }

 private:
  Work work_;
};

}  // namespace lopt
