#pragma once
// A run in progress: its spec, its folder, what it says, and when it keeps a checkpoint. Where processes share a run,
// each has a session; the first alone writes and speaks.

#include "estimate/allowance.h"
#include "estimate/collectives.h"
#include "learn/meta_training.h"
#include "report/curves.h"
#include "report/run_folder.h"
#include "report/run_record.h"
#include "run/command_line.h"
#include "run/train/tracer.h"

#include <tbb/global_control.h>

#include <chrono>

namespace lopt {

double seconds_since(std::chrono::steady_clock::time_point start);
/// The mean of the first or last 20 values, or of fewer where there are fewer.
double mean_first(const std::vector<float>& values);
double mean_last(const std::vector<float>& values);
/// ", accuracy 0.912", and the same as an object.
std::string metrics_text(const std::vector<std::pair<std::string, double>>& metrics);
Json metrics_json(const std::vector<std::pair<std::string, double>>& metrics);
/// True once SIGINT or SIGTERM came, after hear_signals().
bool stop_wanted();
void hear_signals();

class Session {
 public:
  Session(Options options, Experiment experiment, Registry registry, Communicator* ranks);

  const Options& options() const { return options_; }
  Experiment& experiment() { return experiment_; }
  Communicator* ranks() { return ranks_; }
  const Registry& registry() const { return registry_; }
  int threads() const { return threads_; }
  Tracer& tracer() { return tracer_; }
  bool writes() const { return !ranks_ || ranks_->rank() == 0; }
  /// Only where writes().
  RunFolder& folder() { return *folder_; }
  bool quiet() const { return options_.quiet || !writes(); }
  void say(const std::string& text) const;
  static void warn(const std::string& text);

  /// Makes the run's folder with spec.yaml and run.json, or begins anew in the one that it is to use.
  void begin();
  void use(std::unique_ptr<RunFolder> folder) { folder_ = std::move(folder); }
  /// Goes on in a folder, from a checkpoint of it.
  void go_on(std::unique_ptr<RunFolder> folder, const Checkpoint& checkpoint);
  /// Throws std::runtime_error or DataError where ranks differ in version, spec, plugins or SIMD level.
  void require_equal_ranks();

  /// Adds a line to metrics.jsonl. Where that fails and the spec says to go on, it is kept for the next time.
  void add_metrics(const Json& line);

  enum class Wish { go_on, checkpoint, stop };
  /// What all ranks do after a step: a checkpoint where one is due, the end where a signal came to any.
  Wish agree();
  /// Writes a checkpoint of a training. Where that fails, says so and goes on, or throws, as the spec says.
  void keep(int step, Checkpoint checkpoint);
  /// All that the run is about, for a checkpoint: version, spec, plugins.
  Json identity() const;

  /// Whether the page is to be renewed while the run goes on: at most every five seconds, and so that it takes less
  /// than a hundredth of the time.
  bool page_is_due() const { return writes() && std::chrono::steady_clock::now() >= next_page_; }
  /// report.html, which says first that the run is `under_way`; empty: that it has ended.
  void write_page(const RunRecord& record, const std::string& under_way);
  /// Where the time of the run goes.
  void add_seconds(const std::string& part, double seconds) { seconds_by_part_[part] += seconds; }
  /// An optimizer plugin with its defaults; null where there is none of that name.
  std::shared_ptr<const Optimizer> optimizer_named(const std::string& name) const;

  /// The files that end a run; returns the exit code.
  int finish(bool is_meta, int steps_done);

  Json summary, shown = Json::object();  // summary.json, page.json
  RunRecord record;                      // of metrics.jsonl
  std::vector<Curve> curves, applied_curves, metric_curves;

 private:
  Json description() const;
  void warn_of_changed_plugins() const;
  /// Goes on or throws, as the spec says, where a file could not be written.
  void could_not_write(const std::exception& error);

  Options options_;
  Experiment experiment_;
  Registry registry_;
  Communicator* ranks_;
  ThreadAllowance allowance_;
  int threads_;
  std::unique_ptr<tbb::global_control> thread_limit_;  // so that TBB makes as many threads as were asked for
  std::unique_ptr<RunFolder> folder_;
  Tracer tracer_;
  std::string waiting_metrics_;  // lines that could not be written yet
  int last_checkpoint_step_ = -1, steps_since_checkpoint_ = 0;
  std::chrono::steady_clock::time_point begun_, last_checkpoint_, next_page_;
  std::map<std::string, double> seconds_by_part_;
};

/// Runs a meta-training to its end, or until a signal; from a checkpoint where there is one.
int run_meta_training(Session& session, const Checkpoint* from);
/// The same for inner trainings.
int run_inner_training(Session& session, const Checkpoint* from);
/// Either of them.
int run_session(Session& session, const Checkpoint* from = nullptr);
/// Runs to the end, or until a signal comes. `after` is called now and then.
void run_all(InnerTraining& training, const std::function<void()>& after = {});

}  // namespace lopt
