#include "registry/guard.h"

#include <fmt/format.h>

#include <atomic>
#include <cmath>
#include <csignal>
#include <ctime>
#include <mutex>
#include <new>

#include <unistd.h>

namespace lopt {
namespace {

// One a thread: a signal handler has no other way to learn what its thread was doing.
thread_local const PluginCall* current_call = nullptr;

// Signals are the process's, and so is what sends them: 0 seconds, never.
std::atomic<double> call_limit = 0;
std::atomic<int> call_limit_signal = 0;

/// Sends this thread a signal after some processor time, unless it goes out of scope before.
class CallLimit {
 public:
  explicit CallLimit(bool wanted) {
    const double seconds = call_limit;
    if (!wanted || seconds <= 0) return;
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = call_limit_signal;
    event._sigev_un._tid = ::gettid();
    if (::timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer_) != 0) return;
    armed_ = true;
    itimerspec after{};
    after.it_value.tv_sec = static_cast<time_t>(seconds);
    after.it_value.tv_nsec = static_cast<long>((seconds - std::floor(seconds)) * 1e9);
    ::timer_settime(timer_, 0, &after, nullptr);
  }
  ~CallLimit() {
    if (armed_) ::timer_delete(timer_);
  }
  CallLimit(const CallLimit&) = delete;
  CallLimit& operator=(const CallLimit&) = delete;

 private:
  timer_t timer_{};
  bool armed_ = false;
};

/// How the calls of one component are made.
class Caller {
 public:
  explicit Caller(const ComponentInfo& component)
      : text_(std::make_shared<const std::string>(to_text(component))),
        runs_programs_(component.kind == GradientEstimator::kind),
        limited_(component.kind != GradientEstimator::kind && component.kind != Dataset::kind) {}

  template <class Function>
  auto operator()(const char* name, Function function) const {
    const PluginCall call(*text_, name);
    const CallLimit limit(limited_ && call.outermost());
    try {
      return function();
    } catch (const PluginError&) {
      throw;
    } catch (const CoreError&) {
      throw;
    } catch (const DataError&) {
      throw;
    } catch (const SettingsError&) {
      throw;
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const ShapeError& error) {
      if (runs_programs_) throw;  // it was thrown, and located, by what the estimator runs
      throw ShapeError(fmt::format("{}, in {} of {}", error.what(), name, *text_));
    } catch (const TreeError& error) {
      if (runs_programs_) throw;
      throw TreeError(fmt::format("{}, in {} of {}", error.what(), name, *text_));
    } catch (const std::exception& error) {
      throw PluginError(fmt::format("{} failed in {}: {}", *text_, name, error.what()));
    } catch (...) {
      throw PluginError(fmt::format("{} failed in {}: it threw something that is no std::exception", *text_, name));
    }
  }

  /// A pointer that the component should have given.
  template <class Pointer>
  Pointer not_null(const char* name, Pointer pointer) const {
    if (!pointer) throw PluginError(fmt::format("{} failed in {}: it gave a null pointer", *text_, name));
    return pointer;
  }

 private:
  std::shared_ptr<const std::string> text_;
  bool runs_programs_, limited_;
};

class GuardedDataset final : public Dataset {
 public:
  GuardedDataset(Caller call, std::shared_ptr<const Dataset> inner)
      : call_(std::move(call)), inner_(std::move(inner)) {}
  const Values& examples(Split split) const override {
    return *call_("examples()", [&] { return &inner_->examples(split); });
  }
  void batch(HostKey key, std::uint32_t stream, std::int64_t step, std::span<std::int32_t> indices) const override {
    call_("batch()", [&] { inner_->batch(key, stream, step, indices); });
  }
  std::int64_t count(Split split) const override {
    return call_("count()", [&] { return inner_->count(split); });
  }
  Types example_types() const override {
    return call_("example_types()", [&] { return inner_->example_types(); });
  }
  void rows(Split split, std::span<const std::int32_t> indices, std::vector<Array>& batch) const override {
    call_("rows()", [&] { inner_->rows(split, indices, batch); });
  }
  Range range(const std::string& name) const override {
    return call_("range()", [&] { return inner_->range(name); });
  }
  std::string source() const override {
    return call_("source()", [&] { return inner_->source(); });
  }
  std::vector<std::string> notes() const override {
    return call_("notes()", [&] { return inner_->notes(); });
  }

 private:
  Caller call_;
  std::shared_ptr<const Dataset> inner_;
};

class GuardedTask final : public Task {
 public:
  GuardedTask(Caller call, std::shared_ptr<const Task> inner) : call_(std::move(call)), inner_(std::move(inner)) {}
  Tree init(Key key) const override {
    return call_("init()", [&] { return inner_->init(key); });
  }
  Tensor loss(const Tree& params, const Tree& batch, Key key) const override {
    return call_("loss()", [&] { return inner_->loss(params, batch, key); });
  }
  Batches batches() const override {
    return call_("batches()", [&] { return inner_->batches(); });
  }
  std::vector<Metric> metrics(const Tree& params, const Tree& batch, Key key) const override {
    return call_("metrics()", [&] { return inner_->metrics(params, batch, key); });
  }
  Tensor normalized(const Tensor& loss) const override {
    return call_("normalized()", [&] { return inner_->normalized(loss); });
  }
  Tree init_state(Key key) const override {
    return call_("init_state()", [&] { return inner_->init_state(key); });
  }
  TrainingLoss training_loss(const Tree& params, const Tree& state, const Tree& batch, Key key) const override {
    return call_("training_loss()", [&] { return inner_->training_loss(params, state, batch, key); });
  }
  Tensor evaluation_loss(const Tree& params, const Tree& state, const Tree& batch, Key key) const override {
    return call_("evaluation_loss()", [&] { return inner_->evaluation_loss(params, state, batch, key); });
  }
  std::vector<Metric> evaluation_metrics(const Tree& params, const Tree& state, const Tree& batch,
                                         Key key) const override {
    return call_("evaluation_metrics()", [&] { return inner_->evaluation_metrics(params, state, batch, key); });
  }

 private:
  Caller call_;
  std::shared_ptr<const Task> inner_;
};

class GuardedFamily final : public TaskFamily {
 public:
  GuardedFamily(Caller call, std::shared_ptr<const TaskFamily> inner)
      : call_(std::move(call)), inner_(std::move(inner)) {}
  std::size_t size() const override {
    return call_("size()", [&] { return inner_->size(); });
  }
  const Task& task(std::size_t index) const override {
    const std::lock_guard lock(mutex_);
    auto found = tasks_.find(index);
    if (found == tasks_.end()) {
      const Task* task = call_("task()", [&] { return &inner_->task(index); });
      // The family owns the task, and this owns the family.
      found = tasks_.try_emplace(index, call_, std::shared_ptr<const Task>(inner_, task)).first;
    }
    return found->second;
  }
  std::string description(std::size_t index) const override {
    return call_("description()", [&] { return inner_->description(index); });
  }
  std::size_t sample(HostKey key) const override {
    return call_("sample()", [&] { return inner_->sample(key); });
  }

 private:
  Caller call_;
  std::shared_ptr<const TaskFamily> inner_;
  mutable std::mutex mutex_;
  mutable std::map<std::size_t, GuardedTask> tasks_;
};

class GuardedSchedule final : public Schedule {
 public:
  GuardedSchedule(Caller call, std::shared_ptr<const Schedule> inner)
      : call_(std::move(call)), inner_(std::move(inner)) {}
  Tensor rate(const ScheduleContext& context) const override {
    return call_("rate()", [&] {
      try {
        return inner_->rate(context);
      } catch (const std::invalid_argument& error) {
        throw SettingsError(error.what());  // whose rate it is says where
      }
    });
  }

 private:
  Caller call_;
  std::shared_ptr<const Schedule> inner_;
};

class GuardedOptimizer final : public Optimizer {
 public:
  GuardedOptimizer(Caller call, std::shared_ptr<const Optimizer> inner)
      : call_(std::move(call)), inner_(std::move(inner)) {}
  Tree init(const Tree& params, const InitContext& context) const override {
    return call_("init()", [&] { return inner_->init(params, context); });
  }
  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    return call_("update()", [&] { return inner_->update(state, grads, context); });
  }
  Tree params(const Tree& state) const override {
    return call_("params()", [&] { return inner_->params(state); });
  }
  Tree evaluation_params(const Tree& state) const override {
    return call_("evaluation_params()", [&] { return inner_->evaluation_params(state); });
  }
  Tree with_params(const Tree& state, const Tree& params) const override {
    return call_("with_params()", [&] { return inner_->with_params(state, params); });
  }
  bool can_do_without_loss() const override {
    return call_("can_do_without_loss()", [&] { return inner_->can_do_without_loss(); });
  }

 private:
  Caller call_;
  std::shared_ptr<const Optimizer> inner_;
};

class GuardedLearnedOptimizer final : public LearnedOptimizer {
 public:
  GuardedLearnedOptimizer(Caller call, std::shared_ptr<const LearnedOptimizer> inner)
      : call_(std::move(call)), inner_(std::move(inner)) {}
  Tree init(Key key) const override {
    return call_("init()", [&] { return inner_->init(key); });
  }
  std::unique_ptr<Optimizer> opt_fn(const Tree& theta) const override {
    std::shared_ptr<const Optimizer> made = call_("opt_fn()", [&] { return inner_->opt_fn(theta); });
    return std::make_unique<GuardedOptimizer>(call_, call_.not_null("opt_fn()", std::move(made)));
  }

 private:
  Caller call_;
  std::shared_ptr<const LearnedOptimizer> inner_;
};

class GuardedEstimator final : public GradientEstimator {
 public:
  GuardedEstimator(Caller call, std::shared_ptr<const GradientEstimator> inner)
      : call_(std::move(call)), inner_(std::move(inner)) {}
  EstimatorState init(const Values& theta, HostKey key, const Unroller& unroller) const override {
    return call_("init()", [&] { return inner_->init(theta, key, unroller); });
  }
  Estimate estimate(const Values& theta, HostKey key, EstimatorState& state, const Unroller& unroller) const override {
    return call_("estimate()", [&] { return inner_->estimate(theta, key, state, unroller); });
  }
  std::string bias() const override {
    return call_("bias()", [&] { return inner_->bias(); });
  }
  std::int64_t problem_steps() const override {
    return call_("problem_steps()", [&] { return inner_->problem_steps(); });
  }

 private:
  Caller call_;
  std::shared_ptr<const GradientEstimator> inner_;
};

template <class Base, class Guarded>
std::shared_ptr<const void> wrap(const ComponentInfo& component, const std::shared_ptr<const void>& object) {
  return std::shared_ptr<const Base>(
      std::make_shared<const Guarded>(Caller(component), std::static_pointer_cast<const Base>(object)));
}

}  // namespace

PluginCall::PluginCall(const std::string& component, const char* function)
    : component_(component.c_str()), function_(function), outer_(current_call) {
  current_call = this;
}
PluginCall::~PluginCall() { current_call = outer_; }
void limit_calls(double seconds, int signal) {
  call_limit_signal = signal;
  call_limit = seconds;
}
const PluginCall* PluginCall::current() { return current_call; }

std::shared_ptr<const void> guarded(const ComponentInfo& component, const std::shared_ptr<const void>& object) {
  if (component.kind == Dataset::kind) return wrap<Dataset, GuardedDataset>(component, object);
  if (component.kind == Task::kind) return wrap<Task, GuardedTask>(component, object);
  if (component.kind == TaskFamily::kind) return wrap<TaskFamily, GuardedFamily>(component, object);
  if (component.kind == Schedule::kind) return wrap<Schedule, GuardedSchedule>(component, object);
  if (component.kind == Optimizer::kind) return wrap<Optimizer, GuardedOptimizer>(component, object);
  if (component.kind == LearnedOptimizer::kind)
    return wrap<LearnedOptimizer, GuardedLearnedOptimizer>(component, object);
  return wrap<GradientEstimator, GuardedEstimator>(component, object);
}

}  // namespace lopt
