// lopt-run sweep: a spec with many values of some of its keys, each a run of its own.
#include "learn/sweep_space.h"
#include "report/run_page.h"
#include "run/train/child_runs.h"
#include "run/session/ranks.h"
#include "run/session/session.h"
#include "spec/compose.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <sstream>

namespace lopt {
namespace {

constexpr const char* sweep_kind = "sweep";
/// Of the trials, which go on each time in a halving; each time they are as many times longer.
constexpr int halving_factor = 3;

struct SweepPlan {
  std::vector<std::vector<std::string>> trials;  // assignments of each
  std::vector<int> rungs;                        // steps of the trials that are left; empty: once, as the spec says
  int jobs = 1;
  std::string by;  // path in summary.json; empty: as score_in() chooses
};

/// A number at a path like `applied.0.mean_loss`; nothing where there is none.
std::optional<double> number_at(const Json& json, const std::string& path) {
  const Json* at = &json;
  std::istringstream words(path);
  for (std::string word; std::getline(words, word, '.');) {
    std::size_t index = 0;
    const bool is_index =
        std::from_chars(word.data(), word.data() + word.size(), index).ptr == word.data() + word.size();
    if (at->is_object() && at->contains(word))
      at = &at->at(word);
    else if (at->is_array() && is_index && index < at->size())
      at = &at->at(index);
    else
      return std::nullopt;
  }
  if (at->is_null()) return std::numeric_limits<double>::infinity();  // JSON has no other word for what is not finite
  return at->is_number() ? std::optional(at->get<double>()) : std::nullopt;
}

/// What trials are compared by: less is better. Of a meta-training the validation's best score, or what `apply` gave,
/// or the last meta-losses; of an inner training its last losses.
std::optional<std::pair<std::string, double>> score_in(const Json& summary, const std::string& by) {
  std::vector<std::string> paths{"best_validation", "applied.0.mean_loss", "meta_loss_last_20", "runs.0.loss_last_20"};
  if (!by.empty()) paths = {by};
  for (const std::string& path : paths)
    if (const std::optional<double> value = number_at(summary, path)) return std::pair(path, *value);
  return std::nullopt;
}

class Sweep {
 public:
  Sweep(std::string folder, SweepPlan plan, int threads, bool quiet, Communicator* ranks)
      : folder_(std::move(folder)),
        plan_(std::move(plan)),
        threads_(std::max(1, threads / plan_.jobs)),
        quiet_(quiet || (ranks && ranks->rank() != 0)),
        ranks_(ranks) {}

  int run() {
    std::vector<std::size_t> left(plan_.trials.size());
    for (std::size_t i = 0; i < left.size(); ++i) left[i] = i;
    const std::size_t rungs = std::max<std::size_t>(1, plan_.rungs.size());
    for (std::size_t rung = 0; rung < rungs; ++rung) {
      if (!plan_.rungs.empty())
        say(fmt::format("{} {}, {} steps each:", left.size(), left.size() == 1 ? "trial" : "trials",
                        plan_.rungs[rung]));
      if (!run_rung(left, rung)) return stopped();
      std::stable_sort(left.begin(), left.end(), [&](std::size_t a, std::size_t b) { return score(a) < score(b); });
      if (rung + 1 < rungs) left.resize((left.size() + halving_factor - 1) / halving_factor);
    }
    return report();
  }

 private:
  /// How a trial ended at a rung, in a file of its own: any process may write it.
  struct Outcome {
    std::size_t rung = 0;
    std::optional<double> score;  // nothing: it failed
    std::string path, failed;     // what the score is; the sentence
  };

  std::string name_of(std::size_t trial) const { return fmt::format("{}/trials/{:03}", folder_, trial); }
  void say(const std::string& text) const {
    if (quiet_) return;
    fmt::print("{}\n", text);
    std::fflush(stdout);
  }

  std::optional<Outcome> outcome_of(std::size_t trial) const {
    const Json json = object_in_file(name_of(trial) + ".json");
    if (json.empty()) return std::nullopt;
    Outcome outcome{json.value("rung", std::size_t{0}), std::nullopt, json.value("by", ""), json.value("failed", "")};
    if (outcome.failed.empty())
      outcome.score = json["score"].is_number() ? json["score"].get<double>() : std::numeric_limits<double>::infinity();
    return outcome;
  }
  /// What failed comes last, then what is not finite.
  double score(std::size_t trial) const {
    const std::optional<Outcome> outcome = outcome_of(trial);
    return outcome && outcome->score ? std::min(*outcome->score, 1e300) : std::numeric_limits<double>::infinity();
  }

  /// Runs what is not done yet of these trials; false where it was stopped.
  bool run_rung(const std::vector<std::size_t>& trials, std::size_t rung) {
    std::vector<std::size_t> waiting;
    for (std::size_t i = 0; i < trials.size(); ++i) {
      const std::optional<Outcome> known = outcome_of(trials[i]);
      const bool is_mine =
          !ranks_ || i % static_cast<std::size_t>(ranks_->size()) == static_cast<std::size_t>(ranks_->rank());
      if (is_mine && !(known && (known->rung >= rung || !known->failed.empty()))) waiting.push_back(trials[i]);
    }
    std::reverse(waiting.begin(), waiting.end());
    std::vector<std::pair<pid_t, std::size_t>> running;
    bool was_stopped = false;
    while (!waiting.empty() || !running.empty()) {
      while (!was_stopped && !stop_wanted() && !waiting.empty() &&
             running.size() < static_cast<std::size_t>(plan_.jobs)) {
        running.emplace_back(start(waiting.back(), rung), waiting.back());
        waiting.pop_back();
      }
      if (running.empty()) break;
      std::vector<pid_t> processes;
      for (const auto& [process, trial] : running) processes.push_back(process);
      const EndedRun ended = wait_for_run(processes);
      const auto at =
          std::find_if(running.begin(), running.end(), [&](const auto& r) { return r.first == ended.process; });
      const std::size_t trial = at->second;
      running.erase(at);
      if (ended.code == interrupted || ended.code == terminated)
        was_stopped = true;
      else
        note(trial, rung, ended.code);
    }
    const bool stops = was_stopped || (stop_wanted() && !waiting.empty());
    return ranks_ ? most(*ranks_, stops) == 0 : !stops;
  }

  pid_t start(std::size_t trial, std::size_t rung) const {
    const std::string run = name_of(trial),
                      steps = plan_.rungs.empty() ? "" : fmt::format("steps={}", plan_.rungs[rung]);
    std::error_code error;
    std::vector<std::string> words;
    if (std::filesystem::exists(run + "/spec.yaml", error)) {
      words = {"resume", run};
    } else {
      words = {"train", folder_ + "/spec.yaml"};
      words.insert(words.end(), plan_.trials[trial].begin(), plan_.trials[trial].end());
    }
    if (!steps.empty()) words.push_back(steps);
    if (words[0] == "train") words.insert(words.end(), {"--out", run});
    words.insert(words.end(), {"--quiet", "--threads", std::to_string(threads_)});
    return start_run(words, run + ".log");
  }

  void note(std::size_t trial, std::size_t rung, int code) const {
    const std::string run = name_of(trial);
    Json json{{"rung", rung}, {"assignments", plan_.trials[trial]}};
    const auto found = code == success ? score_in(object_in_file(run + "/summary.json"), plan_.by) : std::nullopt;
    if (code != success)
      json["failed"] = code > 128
                           ? fmt::format("it was ended by signal {}: {}", code - 128, last_sentence(run + ".log"))
                           : last_sentence(run + ".log");
    else if (!found)
      json["failed"] =
          plan_.by.empty() ? "its summary has no loss" : fmt::format("its summary has no number '{}'", plan_.by);
    else
      json.update({{"by", found->first}, {"score", found->second}});
    write_durably(run + ".json", to_text(json) + "\n");
    say(line_of(trial));
  }

  std::string line_of(std::size_t trial) const {
    const std::optional<Outcome> outcome = outcome_of(trial);
    const std::string what = fmt::format("{}", fmt::join(plan_.trials[trial], "  "));
    if (!outcome) return fmt::format("  {:>4}  {:>9}  {}", trial, "", what);
    if (outcome->score) return fmt::format("  {:>4}  {:>9.4g}  {}", trial, *outcome->score, what);
    return fmt::format("  {:>4}  {:>9}  {}\n        {}", trial, "failed", what, outcome->failed);
  }

  int stopped() const {
    say(fmt::format("\nStopped; `lopt-run resume {}` goes on.", folder_));
    return interrupted;
  }

  /// The trials, the best ones first: what went further is above what did not, what failed below all.
  std::vector<std::size_t> best_first() const {
    std::vector<std::size_t> order(plan_.trials.size());
    std::iota(order.begin(), order.end(), 0);
    const auto place = [&](std::size_t trial) {
      const std::optional<Outcome> outcome = outcome_of(trial);
      return std::pair(outcome ? -static_cast<int>(outcome->rung) : 0, score(trial));
    };
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      const bool failed_a = std::isinf(score(a)), failed_b = std::isinf(score(b));
      return failed_a != failed_b ? failed_b : place(a) < place(b);
    });
    return order;
  }

  int report() const {
    if (ranks_ && ranks_->rank() != 0) return success;
    const std::vector<std::size_t> order = best_first();
    const std::size_t best = order.front();
    std::string csv = "trial,rung,score,assignments,failed\n";
    const std::optional<Outcome> of_best = outcome_of(best);
    std::string text = fmt::format("\n  trial  {}\n", of_best && of_best->score ? of_best->path : "score");
    for (const std::size_t trial : order) {
      const Outcome outcome = outcome_of(trial).value_or(Outcome());
      csv += fmt::format("{},{},{},\"{}\",\"{}\"\n", trial, outcome.rung,
                         outcome.score ? fmt::format("{:.9g}", *outcome.score) : "",
                         quoted(fmt::format("{}", fmt::join(plan_.trials[trial], " "))), quoted(outcome.failed));
      text += line_of(trial) + "\n";
    }
    write_durably(folder_ + "/sweep.csv", csv);
    write_durably(folder_ + "/sweep.txt", text.substr(1));
    say(text);
    if (!of_best || !of_best->score)
      throw std::runtime_error(fmt::format("no trial of {} came to its end; each says why above", plan_.trials.size()));
    SpecNode spec = read_spec(name_of(best) + "/spec.yaml");
    // A halving's trials have those of the round that they were begun in.
    if (!plan_.rungs.empty()) spec.set("steps", SpecNode::scalar(std::to_string(plan_.rungs.back())));
    write_durably(folder_ + "/best.yaml", to_yaml(spec));
    write_durably(folder_ + "/report.html", run_page(folder_, RunRecord(), ""));
    say(fmt::format("Best: trial {}, {} {:.4g}; its spec is {}/best.yaml, its run {}. All of them: {}/report.html.",
                    best, of_best->path, *of_best->score, folder_, name_of(best), folder_));
    return success;
  }

  static std::string quoted(const std::string& text) {
    std::string result;
    for (const char c : text) result += c == '"' ? std::string("\"\"") : std::string(1, c);
    return result;
  }

  std::string folder_;
  SweepPlan plan_;
  int threads_;
  bool quiet_;
  Communicator* ranks_;
};

Json to_json(const SweepPlan& plan) {
  return {{"kind", sweep_kind},  {"lopt", LOPT_VERSION}, {"trials", plan.trials},
          {"rungs", plan.rungs}, {"jobs", plan.jobs},    {"by", plan.by}};
}
SweepPlan plan_from(const Json& json, const std::string& file) {
  try {
    return {json.at("trials").get<std::vector<std::vector<std::string>>>(), json.at("rungs").get<std::vector<int>>(),
            json.at("jobs").get<int>(), json.at("by").get<std::string>()};
  } catch (const Json::exception& error) {
    throw DataError(fmt::format("{}: is damaged: {}", file, error.what()));
  }
}

/// Steps of each round of a halving: the last one's are the spec's.
std::vector<int> rungs_of(std::size_t trials, int steps) {
  std::vector<int> rungs{steps};
  for (std::size_t left = trials; left > 1 && rungs.front() >= 2 * halving_factor;
       left = (left + halving_factor - 1) / halving_factor)
    rungs.insert(rungs.begin(), rungs.front() / halving_factor);
  return rungs;
}

int threads_of(const Options& o) {
  return o.threads ? o.threads : std::max(1, allowed_threads().threads / ranks_on_this_machine());
}

}  // namespace

bool is_sweep(const std::string& run_folder) {
  return object_in_file(run_folder + "/run.json").value("kind", "") == sweep_kind;
}

int resume_sweep(const Options& o) {
  const std::string file = o.spec + "/run.json";
  const std::unique_ptr<Communicator> ranks = ranks_of_mpirun();
  std::optional<RunFolder> lock;
  if (!ranks || ranks->rank() == 0) lock = RunFolder::open(o.spec);
  hear_signals();
  return Sweep(o.spec, plan_from(object_in_file(file), file), threads_of(o), o.quiet, ranks.get()).run();
}

namespace {

struct SweepCall {
  Options options;
  SweepPlan plan;
  int count = 0;  // trials that are drawn; 0: all combinations
  bool halving = false;
};

/// What the command line says; null where it asked for help.
std::optional<SweepCall> parse_sweep(int argc, char** argv) {
  SweepCall call;
  options::po::options_description description = spec_options(call.options);
  description.add_options()("out", options::po::value(&call.options.out), "folder to write (default: runs/DATE-NAME)")(
      "trials", options::po::value(&call.count), "how many are drawn (default: all combinations of the lists)")(
      "jobs", options::po::value(&call.plan.jobs), "trials at once, which share the threads (default: 1)")(
      "halving", options::po::bool_switch(&call.halving),
      "all trials are run for a part of the steps; a third of them, the best, goes on each time")(
      "by", options::po::value(&call.plan.by), "what trials are compared by, a path in summary.json; less is better");
  add_worker_options(description, call.options);
  const std::string usage = "lopt-run sweep SPEC 'key.path=[…]' … [options]";
  const auto values = parse_spec_call(
      argc, argv, description, call.options, usage,
      "Runs a spec with many values of some of its keys, and writes the best spec out.\n\n'key.path=[a, b, c]' is a "
      "list, 'key.path=log_uniform(1e-4, 1e-2)', uniform(…) or integers(…) a distribution; what else is assigned holds "
      "for all. Lists alone give all of their combinations, --trials draws. Trials are compared by the validation's "
      "best score, or what `apply` gave, or the last losses. Each is a run of its own under trials/; one that fails "
      "does not end the sweep. `lopt-run resume FOLDER` goes on. Under mpirun the ranks share the trials.");
  if (!values) return std::nullopt;
  if (call.plan.jobs < 1 || call.plan.jobs > 1024) throw UsageError("--jobs must be between 1 and 1024");
  if (values->count("trials") && (call.count < 1 || call.count > 100'000))
    throw UsageError("--trials must be between 1 and 100000");
  return call;
}

}  // namespace

int run_sweep(int argc, char** argv) {
  std::optional<SweepCall> call = parse_sweep(argc, argv);
  if (!call) return success;
  Options& o = call->options;
  SweepPlan& plan = call->plan;
  const int count = call->count;
  const SweepSpace space(std::exchange(o.overrides, {}));
  if (space.has_distributions() && count == 0)
    throw UsageError("a distribution is drawn from: say how often by --trials");
  Registry registry;
  const SpecNode spec = ready_spec(o, registry);
  std::uint64_t seed = 0;
  if (const SpecNode* node = spec.find("seed"))
    std::from_chars(node->text.data(), node->text.data() + node->text.size(), seed);
  plan.trials = space.trials(count ? std::optional<std::size_t>(static_cast<std::size_t>(count)) : std::nullopt,
                             HostKey::from_seed(seed));
  // A key that does not exist is found out before anything is run.
  SpecNode first = spec;
  for (const std::string& assignment : plan.trials.front()) apply_override(first, assignment);
  const Experiment experiment = load_experiment(first, registry, train_length());
  if (call->halving && !experiment.stages.empty())
    throw UsageError("--halving makes trials shorter, and a spec with `stages` says how long each is");
  if (call->halving) plan.rungs = rungs_of(plan.trials.size(), experiment.steps);

  const std::unique_ptr<Communicator> ranks = ranks_of_mpirun();
  hear_signals();
  std::optional<RunFolder> folder;
  std::string path;
  if (!ranks || ranks->rank() == 0) {
    folder = RunFolder::make(o.out, experiment.name);
    path = folder->path();
    std::filesystem::create_directories(path + "/trials");
    folder->write("spec.yaml", to_yaml(spec));
    folder->write_json("run.json", to_json(plan));
  }
  if (ranks) path = from_rank_0(*ranks, path);
  return Sweep(path, std::move(plan), threads_of(o), o.quiet, ranks.get()).run();
}

}  // namespace lopt
