// lopt-run train and resume: run a spec, or go on with a run.
#include "report/provenance.h"
#include "run/train/supervise.h"
#include "run/session/ranks.h"
#include "run/train/runs.h"
#include "spec/compose.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

namespace lopt {
namespace {

namespace po = boost::program_options;

void add_run_options(po::options_description& description, Options& o) {
  description.add_options()("trace", po::value(&o.trace), "npz file for the gradient and θ of every step")(
      "hosts", po::value(&o.hosts),
      "machines whose ranks share it, as node1:8,node2:8 or a file of those; begun again where ranks die");
  add_worker_options(description, o);
}

/// The first line in which two texts differ, as "`a` there, `b` now".
std::string first_difference(const std::string& before, const std::string& now) {
  std::istringstream a(before), b(now);
  for (std::string x, y;;) {
    const bool more_a = static_cast<bool>(std::getline(a, x)), more_b = static_cast<bool>(std::getline(b, y));
    if (!more_a && !more_b) return "";
    if (!more_a) x = "nothing";
    if (!more_b) y = "nothing";
    const auto trimmed = [](const std::string& text) {
      return text.substr(std::min(text.find_first_not_of(' '), text.size()));
    };
    if (x != y || more_a != more_b) return fmt::format("`{}` there, `{}` now", trimmed(x), trimmed(y));
  }
}

int run_session(Session& session, const Checkpoint* from = nullptr) {
  if (session.experiment().population.size > 0) return run_population(session, from);
  return session.experiment().kind == Experiment::Kind::meta_training ? run_meta_training(session, from)
                                                                      : run_inner_training(session, from);
}

/// What differs between the run of a checkpoint and what would go on with it.
std::vector<std::string> differences(const Json& before, const Json& now, const Registry& registry) {
  std::vector<std::string> found;
  if (before.at("lopt") != now.at("lopt"))
    found.push_back(fmt::format("the run was made by lopt {}, this is {}", before.at("lopt").get<std::string>(),
                                now.at("lopt").get<std::string>()));
  if (before.at("simd") != now.at("simd"))
    found.push_back(fmt::format("the run used the SIMD level {}, this is {}: the last bits will differ",
                                before.at("simd").get<std::string>(), now.at("simd").get<std::string>()));
  const std::string spec = first_difference(before.at("spec").get<std::string>(), now.at("spec").get<std::string>());
  if (!spec.empty()) found.push_back("the spec differs: " + spec);
  for (const std::string& sentence : changed_plugins(before, registry)) found.push_back(sentence);
  return found;
}

/// The checkpoint to go on from; nothing where the run ended before its first. Rank 0 reads it for all.
std::optional<Checkpoint> checkpoint_of(RunFolder* folder, Communicator* ranks, const std::string& path) {
  std::optional<Checkpoint> newest;
  if (folder) {
    std::vector<std::string> damaged;
    newest = folder->newest_checkpoint(damaged);
    for (const std::string& sentence : damaged) Session::warn(sentence + (newest ? "; the one before is used" : ""));
    if (!newest && !damaged.empty())
      throw DataError(fmt::format("{}: has no good checkpoint to go on from; `lopt-run train {}/spec.yaml` begins anew",
                                  path, path));
  }
  return ranks ? dealt_out(*ranks, newest) : newest;
}

/// What was logged of the steps after the checkpoint. Rank 0 reads it for all.
std::vector<std::vector<std::byte>> logged_of(RunFolder* folder, Communicator* ranks, const Checkpoint& checkpoint) {
  std::vector<std::vector<std::byte>> logged;
  if (folder) logged = logged_after(folder->path(), checkpoint.facts.at("step").get<int>());
  if (!ranks) return logged;
  logged.resize(static_cast<std::size_t>(most(*ranks, static_cast<std::int64_t>(logged.size()))));
  for (std::vector<std::byte>& record : logged) record = broadcast(*ranks, std::move(record));
  return logged;
}

/// Begins the run of a folder that was left before its first checkpoint.
int begin_again(Options o, std::unique_ptr<RunFolder> folder, Communicator* ranks) {
  if (std::ifstream earlier(std::filesystem::path(o.spec).replace_filename("run.json")); earlier && o.trace.empty())
    if (const Json run = parse_json(earlier); run.is_object()) o.trace = run.value("trace", "");
  Registry registry;
  Experiment experiment = experiment_of(o, registry);
  hear_signals();
  Session session(o, std::move(experiment), std::move(registry), ranks);
  session.say("The run ended before its first checkpoint: it begins anew.");
  session.use(std::move(folder));
  return run_session(session);
}

/// Goes on with a run, or begins it where it has no checkpoint.
int resume(const std::string& path, Options o, bool force, const std::string& usage, Communicator* ranks) {
  o.spec = path + "/spec.yaml";
  for (const std::string& assignment : o.overrides)
    if (!assignment.starts_with("steps="))
      throw UsageError("only steps=N can be changed in a run that goes on; usage: " + usage);

  std::unique_ptr<RunFolder> folder;
  if (!ranks || ranks->rank() == 0) folder = std::make_unique<RunFolder>(RunFolder::open(path));
  const std::optional<Checkpoint> checkpoint = checkpoint_of(folder.get(), ranks, path);
  if (!checkpoint) return begin_again(o, std::move(folder), ranks);
  const auto& run = checkpoint->facts.at("run");
  const bool has_stages = read_spec(o.spec).find("stages");
  if (o.overrides.empty() && !has_stages) o.overrides.push_back(fmt::format("steps={}", run.at("steps").get<int>()));
  if (!o.trace.empty() && run.at("trace").get<std::string>().empty())
    throw UsageError(path + ": kept no trace until now, and --trace goes on with one");
  if (o.trace.empty()) o.trace = run.at("trace").get<std::string>();
  Registry registry;
  Experiment experiment = experiment_of(o, registry);
  std::vector<std::vector<std::byte>> logged = logged_of(folder.get(), ranks, *checkpoint);
  const int done = checkpoint->facts.at("step").get<int>() + static_cast<int>(logged.size());
  if (experiment.steps < done)
    throw UsageError(fmt::format("{}: has {} steps already; steps={} is less", path, done, experiment.steps));
  hear_signals();
  Session session(o, std::move(experiment), registry, ranks);
  const std::vector<std::string> found = differences(run, session.identity(), registry);
  for (const std::string& sentence : found)
    if (session.writes()) Session::warn(fmt::format("{}: {}", path, sentence));
  if (!found.empty() && !force)
    throw UsageError(fmt::format("{}: would not go on as it was; --force goes on all the same", path));
  session.say(fmt::format("Going on after step {} of {}.", done, session.experiment().steps));
  session.go_on(std::move(folder), *checkpoint, std::move(logged));
  return run_session(session, &*checkpoint);
}

/// Calls `run`, which works in the folder `path`. Where ranks die without which those that are left can go on, they do,
/// from what is written: each step, where the spec says so.
int with_survivors(const std::string& path, const Options& options, Communicator* ranks,
                   const std::function<int()>& run) {
  try {
    return run();
  } catch (const RanksLost& lost) {
    if (path.empty()) throw;
    Session::warn(fmt::format("{}; the others go on", lost.what()));
  }
  Options left;
  left.spec = path;
  left.threads = options.threads;
  left.quiet = options.quiet;
  return with_survivors(path, left, ranks, [&] {
    ranks->recover();
    return resume(path, left, false, "", ranks);
  });
}

}  // namespace

int run_train(int argc, char** argv) {
  Options o;
  po::options_description description;
  description.add_options()("out", po::value(&o.out), "folder of the run (default: runs/DATE-NAME); never overwritten");
  add_run_options(description, o);
  description.add_options()("seed", po::value(&o.seed), "the same as seed=…")(
      "data", po::value(&o.data), "folder with IDX files (MNIST, Fashion-MNIST) to use as the dataset")(
      "plugin-path", po::value(&o.plugin_paths), "folder or file with plugins; may be given more than once");
  const std::string usage = "lopt-run train SPEC [key.path=value …] [options]";
  if (!parse_spec_call(argc, argv, description, o, usage,
                       "Runs the experiment of a spec: an inner training (optimizer), a trial of θ (learned_optimizer) "
                       "or a meta-training (with estimator). key.path=value replaces a value of the spec, as in "
                       "estimator.std=0.02; the value is YAML, null removes it. Specs to begin with are in configs/. "
                       "LOPT_TRAIN_LENGTH=n in the environment makes every loop n steps long; LOPT_SIMD=AVX2 (or SSE4, "
                       "AVX3) forces a SIMD level. Under mpirun the ranks share a meta-training's problems."))
    return success;
  if (!o.hosts.empty()) return run_on_hosts(o.hosts, argc, argv);
  const std::unique_ptr<Communicator> ranks = ranks_of_mpirun();
  Registry registry;
  Experiment experiment = experiment_of(o, registry);
  hear_signals();
  return with_survivors(o.out, o, ranks.get(), [&] {
    Session session(o, std::move(experiment), std::move(registry), ranks.get());
    return run_session(session);
  });
}

int run_resume(int argc, char** argv) {
  Options o;
  bool force = false;
  po::options_description description;
  add_run_options(description, o);
  description.add_options()("force", po::bool_switch(&force), "go on though the version, a plugin or the spec differs");
  const std::string usage = "lopt-run resume RUN [steps=N] [options]";
  if (!parse_spec_call(
          argc, argv, description, o, usage,
          "Goes on with a run from its newest good checkpoint (or begins it, if it has none), for the steps that were "
          "left or to more, bit for bit as if it had never ended. RUN is the run's folder."))
    return success;
  if (!o.hosts.empty()) return run_on_hosts(o.hosts, argc, argv);
  if (is_evaluation(o.spec)) {
    if (!o.overrides.empty()) throw UsageError("nothing can be changed in an evaluation that goes on");
    return resume_evaluation(o);
  }
  if (is_sweep(o.spec)) {
    if (!o.overrides.empty()) throw UsageError("nothing can be changed in a sweep that goes on");
    return resume_sweep(o);
  }
  if (is_paper(o.spec)) {
    if (!o.overrides.empty()) throw UsageError("nothing can be changed in a paper's experiment that goes on");
    return resume_paper(o);
  }
  const std::unique_ptr<Communicator> ranks = ranks_of_mpirun();
  const std::string path = o.spec;
  return with_survivors(path, o, ranks.get(), [&] { return resume(path, o, force, usage, ranks.get()); });
}

}  // namespace lopt
