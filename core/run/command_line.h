#pragma once
// What the runner's verbs share: their options, and how errors become sentences and exit codes.

#include "embed/failure.h"
#include "learn/experiment.h"

#include <boost/program_options.hpp>

namespace lopt {

/// Wrong use of the command line.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The options of a verb that runs a spec.
struct Options {
  std::string spec;
  std::vector<std::string> overrides, plugin_paths;
  std::string out, trace, data, seed, hosts;
  int threads = 0;
  bool quiet = false;
};

namespace options {
namespace po = boost::program_options;
/// Options of a verb, parsed; the positional arguments under `positional`. Prints help and returns nothing for --help.
std::optional<po::variables_map> parse(int argc, char** argv, const po::options_description& description,
                                       const std::string& usage, const std::string& about);
/// The positional arguments among them.
std::vector<std::string> positional(const po::variables_map& values);
}  // namespace options

/// The options of verbs that look at a spec: --seed, --data, --plugin-path.
boost::program_options::options_description spec_options(Options& options);

/// --threads and --quiet of verbs that compute.
void add_worker_options(boost::program_options::options_description& description, Options& options);
/// The same as options::parse() for verbs that have a spec and its overrides for arguments, which `options` takes.
/// Throws UsageError where there is no spec, or a number of threads that nobody has.
std::optional<boost::program_options::variables_map> parse_spec_call(
    int argc, char** argv, const boost::program_options::options_description& description, Options& options,
    const std::string& usage, const std::string& about);

/// A registry with the plugin paths of the command line, then `first`, then the usual ones.
Registry make_registry(const std::vector<std::string>& plugin_paths, const std::vector<std::string>& first = {});

/// Reads the spec that the options name, with their overrides, --seed and --data applied.
SpecNode spec_with_overrides(const Options& options);
/// The plugin paths in a spec, relative to its folder.
std::vector<std::string> plugin_paths_in(const SpecNode& spec, const std::string& spec_file);
/// Replaces the datasets of a spec by the dataset plugin that reads a folder.
void set_data_folder(SpecNode& spec, const std::string& folder, Registry& registry);
/// LOPT_TRAIN_LENGTH, where it is set. Throws UsageError if it is no positive number.
std::optional<int> train_length();

/// The spec that the options name, with overrides and data, the rules that `learned` files are of, and its plugin paths
/// as they are found from anywhere. `registry` becomes one that has its plugins.
SpecNode ready_spec(const Options& options, Registry& registry);
/// The experiment that the options name; `registry` becomes the one that made it, and `written` the spec without
/// defaults.
Experiment experiment_of(const Options& options, Registry& registry, SpecNode* written = nullptr);

// The verbs. Each returns an exit code.
int run_train(int argc, char** argv);
int run_resume(int argc, char** argv);
int run_replay_updates(int argc, char** argv);
int run_evaluate(int argc, char** argv);
/// Goes on with the evaluation of a folder, which is one where is_evaluation() says so.
bool is_evaluation(const std::string& run_folder);
int resume_evaluation(Options options);
int run_sweep(int argc, char** argv);
/// The same for a sweep's folder.
bool is_sweep(const std::string& run_folder);
int resume_sweep(const Options& options);
int run_reproduce(int argc, char** argv);
/// The same for a paper's folder.
bool is_paper(const std::string& run_folder);
int resume_paper(Options options);
int run_supervise(int argc, char** argv);
int run_new_experiment(int argc, char** argv);
int run_report(int argc, char** argv);
int run_top(int argc, char** argv);
int run_diff(int argc, char** argv);
/// The runs in a folder, a line each, with what came out.
int list_runs(const std::string& folder);
int run_schema(int argc, char** argv);
int run_explain(int argc, char** argv);
int run_check(int argc, char** argv);
int run_sample(int argc, char** argv);
int run_preview(int argc, char** argv);
int run_plan(int argc, char** argv);
int run_compare_estimators(int argc, char** argv);
int run_list(int argc, char** argv);
int run_describe(int argc, char** argv);
int run_new_plugin(int argc, char** argv);
int run_check_plugin(int argc, char** argv);

}  // namespace lopt
