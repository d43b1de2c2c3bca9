// lopt-run: runs experiments that YAML specs describe.
#include "run/command_line.h"

#include "data/printable.h"
#include "kernels/simd.h"
#include "report/run_folder.h"
#include "run/crash.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <string_view>

namespace {

struct Verb {
  const char* group;  // what one does with it
  const char* name;
  int (*run)(int argc, char** argv);
  const char* summary;
};
constexpr const char *train = "Train", *try_out = "Try before training", *look = "Look at what came out",
                     *plugins = "Plugins and tasks of your own";
constexpr Verb verbs[] = {
    {try_out, "check", lopt::run_check, "report all that is wrong with a spec, without running it"},
    {try_out, "sample", lopt::run_sample, "show members of a spec's task family"},
    {try_out, "preview", lopt::run_preview, "draw the first images of a spec's data, or a rate"},
    {try_out, "plan", lopt::run_plan, "show what a spec's programs are made of, and their time"},
    {try_out, "compare-estimators", lopt::run_compare_estimators, "say which gradient estimator is best for a spec"},
    {try_out, "schema", lopt::run_schema, "write a JSON schema of specs, for editors"},
    {train, "train", lopt::run_train, "run a spec: an inner training, or a meta-training"},
    {train, "resume", lopt::run_resume, "go on with a run that ended early, or for longer"},
    {train, "supervise", lopt::run_supervise, "begin a command that trains again, as often as it dies"},
    {train, "sweep", lopt::run_sweep, "run a spec with many values of some of its keys"},
    {train, "evaluate", lopt::run_evaluate, "train tasks by optimizers, and say which is better"},
    {train, "reproduce", lopt::run_reproduce, "run a paper's experiment, and say whether its claim holds"},
    {look, "top", lopt::run_top, "show how a run under way gets on, and each of its ranks"},
    {look, "report", lopt::run_report, "write a page of one run, or of several beside each other"},
    {look, "diff", lopt::run_diff, "say what differs between two runs"},
    {look, "explain", lopt::run_explain, "say where values that are not finite come from in a step"},
    {look, "list", lopt::run_list, "show the plugins that are found; `list runs`: the runs"},
    {look, "describe", lopt::run_describe, "explain a plugin and its settings"},
    {plugins, "new-experiment", lopt::run_new_experiment, "write a meta-training for a task of yours"},
    {plugins, "new-plugin", lopt::run_new_plugin, "write the folder of a plugin to begin with"},
    {plugins, "check-plugin", lopt::run_check_plugin, "check a plugin file before others use it"},
    {plugins, "replay-updates", lopt::run_replay_updates, "compare a rule with the updates of another program"},
};

void print_help() {
  fmt::print("lopt-run: meta-training of learned optimizers\n\nUsage: lopt-run VERB …\n");
  std::string_view group;
  for (const Verb& verb : verbs) {
    if (group != verb.group) fmt::print("\n{}\n", group = verb.group);
    fmt::print("  {:<20}{}\n", verb.name, verb.summary);
  }
  fmt::print(
      "\n`lopt-run VERB --help` explains each; --version shows the version.\n"
      "Exit codes: 0 success, 1 failed while running, 2 wrong usage or spec, 3 plugin, 4 data,\n130 interrupted.\n");
}

/// LOPT_SIMD forces a SIMD level.
void select_simd() {
  if (lopt::kernels::simd_levels().empty())
    throw std::runtime_error("this processor is older than lopt supports: SSE4.2 and AES are needed (2010 and later)");
  const char* level = std::getenv("LOPT_SIMD");
  if (!level || !*level || lopt::kernels::select_simd(level)) return;
  throw lopt::UsageError(fmt::format("LOPT_SIMD: this processor has no level '{}'; it has {}", level,
                                     fmt::join(lopt::kernels::simd_levels(), ", ")));
}

int dispatch(int argc, char** argv) {
  select_simd();
  const std::string word = argc > 1 ? argv[1] : "";
  if (word == "--version") {
    fmt::print("lopt {}\n", LOPT_VERSION);
    return lopt::success;
  }
  if (word == "--help" || word == "-h" || word == "help") {
    print_help();
    return lopt::success;
  }
  std::vector<std::string> names;
  for (const Verb& verb : verbs) {
    if (word == verb.name) return verb.run(argc - 1, argv + 1);
    names.emplace_back(verb.name);
  }
  throw lopt::UsageError(word.empty() ? std::string("what should be done? `lopt-run --help` lists the verbs")
                                      : fmt::format("there is no verb '{}'{}; `lopt-run --help` lists them", word,
                                                    lopt::did_you_mean(word, names)));
}

int fail(int code, const std::string& message) {
  std::fflush(stdout);
  fmt::print(stderr, "lopt-run: {}\n", lopt::printable(message));
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  lopt::explain_crashes();
  try {
    return dispatch(argc, argv);
  } catch (const lopt::UsageError& error) {
    return fail(lopt::wrong_usage, error.what());
  } catch (const lopt::FolderError& error) {
    return fail(lopt::wrong_usage, error.what());
  } catch (...) {
    const lopt::Failure failure = lopt::failure_of(std::current_exception());
    for (const std::string& message : failure.messages) fail(failure.code, message);
    return failure.code;
  }
}
