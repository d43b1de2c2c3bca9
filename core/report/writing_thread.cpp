#include "report/writing_thread.h"

#include <chrono>
#include <utility>

namespace lopt {

WritingThread::~WritingThread() {
  {
    const std::scoped_lock lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void WritingThread::begin(std::function<void()> work) {
  finish();
  {
    const std::scoped_lock lock(mutex_);
    work_ = std::move(work);
  }
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  changed_.notify_all();
}

void WritingThread::finish() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !work_; });
  if (const std::exception_ptr error = std::exchange(error_, nullptr)) std::rethrow_exception(error);
}

bool WritingThread::is_busy() const {
  const std::scoped_lock lock(mutex_);
  return static_cast<bool>(work_);
}
double WritingThread::last_seconds() const {
  const std::scoped_lock lock(mutex_);
  return last_seconds_;
}

void WritingThread::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return work_ || ending_; });
    if (!work_) return;
    lock.unlock();
    const auto start = std::chrono::steady_clock::now();
    std::exception_ptr error;
    try {
      work_();
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    last_seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    error_ = error;
    work_ = nullptr;
    changed_.notify_all();
  }
}

}  // namespace lopt
