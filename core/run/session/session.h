#pragma once
// A run in progress: its spec, its folder, what it says, and when it keeps a checkpoint. Where processes share a run,
// each has a session; the first alone writes and speaks.

#include "estimate/allowance.h"
#include "estimate/collectives.h"
#include "learn/meta_training.h"
#include "report/curves.h"
#include "report/rank_shares.h"
#include "report/run_folder.h"
#include "report/run_record.h"
#include "report/writing_thread.h"
#include "run/command_line.h"
#include "run/session/signals.h"
#include "run/session/tracer.h"

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
  void go_on(std::unique_ptr<RunFolder> folder, const Checkpoint& checkpoint,
             std::vector<std::vector<std::byte>> logged);
  /// Throws std::runtime_error or DataError where ranks differ in version, spec, plugins, data or SIMD level.
  void require_equal_ranks();

  /// Adds a line to metrics.jsonl. Where that fails and the spec says to go on, it is kept for the next time.
  void add_metrics(const Json& line);

  enum class Wish { go_on, tell, checkpoint, stop };
  /// What all ranks do after a step: a checkpoint where one is due, the end where a signal came to any. Now and then
  /// they tell rank 0 how much of the time they compute.
  Wish agree();
  /// Writes a checkpoint of a training. Where that fails, says so and goes on, or throws, as the spec says.
  void keep(int step, Checkpoint checkpoint);
  /// The same beside the steps that follow: where it fails, a later call says so or throws.
  void keep_beside(int step, Checkpoint checkpoint);
  /// Waits for that.
  void finish_writing();
  /// Whether each step's outcome is written down (`checkpoint.every: 1 step`): what a checkpoint needs to be made less
  /// often. Then log() is to be called after each step, and begin_log() where steps go on from a log of before.
  bool logs_steps() const;
  void begin_log(int step);
  void log(std::span<const std::byte> found);
  /// What an earlier process logged of the steps after the checkpoint that this one went on from.
  const std::vector<std::vector<std::byte>>& logged() const { return logged_; }
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
  bool checkpoint_is_due();
  void tell_shares();
  /// Which machines the run has, and what ranks are on each. All ranks must call it.
  Json hosts_of_all();

  Options options_;
  Experiment experiment_;
  Registry registry_;
  Communicator* ranks_;
  ThreadAllowance allowance_;
  int threads_;
  std::unique_ptr<tbb::global_control> thread_limit_;  // so that TBB makes as many threads as were asked for
  std::unique_ptr<RunFolder> folder_;
  Tracer tracer_;
  Json hosts_ = Json::array();
  struct Told {
    std::chrono::steady_clock::time_point at = std::chrono::steady_clock::now();
    double waited = 0;
  };
  Told told_;                    // when ranks last said how they get on
  std::string waiting_metrics_;  // lines that could not be written yet
  std::unique_ptr<StepLog> log_;
  std::vector<std::vector<std::byte>> logged_;
  int last_checkpoint_step_ = -1, steps_since_checkpoint_ = 0;
  std::chrono::steady_clock::time_point begun_, last_checkpoint_, next_page_;
  std::map<std::string, double> seconds_by_part_;
  WritingThread writing_;  // of checkpoints; the last member, so that it ends before what it uses
};

}  // namespace lopt
