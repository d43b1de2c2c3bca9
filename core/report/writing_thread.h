#pragma once
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

namespace lopt {

/// A thread that does one piece of work while others go on. What is not done when the object goes is done then.
class WritingThread {
 public:
  WritingThread() = default;
  ~WritingThread();
  WritingThread(const WritingThread&) = delete;
  WritingThread& operator=(const WritingThread&) = delete;

  /// Waits for the work before, and begins with this.
  void begin(std::function<void()> work);
  /// Waits for the work that was begun, if any. Throws what it threw, once.
  void finish();
  bool is_busy() const;
  /// How long the last piece took.
  double last_seconds() const;

 private:
  void run();

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> work_;  // empty: none
  std::exception_ptr error_;
  double last_seconds_ = 0;
  bool ending_ = false;
  std::thread thread_;  // from the first work on
};

}  // namespace lopt
