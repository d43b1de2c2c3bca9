// lopt-run check: what is wrong with a spec, without running it.
#include "learn/evaluation.h"
#include "learn/paper_spec.h"
#include "learn/population.h"
#include "run/command_line.h"
#include "spec/compose.h"

#include <fmt/format.h>

#include <filesystem>

namespace lopt {

namespace po = boost::program_options;

int run_check(int argc, char** argv) {
  Options o;
  bool print = false;
  po::options_description description = spec_options(o);
  description.add_options()("print", po::bool_switch(&print), "the whole spec, each value with where it came from");
  const std::string usage = "lopt-run check SPEC [key.path=value …] [options]";
  if (!parse_spec_call(argc, argv, description, o, usage,
                       "Reads a spec, its plugins and its data, traces its programs, and reports everything that is "
                       "wrong, without running it. `-` reads it from standard input."))
    return success;
  Registry registry;
  if (o.spec != "-" && read_spec(o.spec).find("optimizers")) {
    const Evaluated evaluated = load_evaluation(ready_spec(o, registry), registry);
    fmt::print("{}", print ? to_yaml(evaluated.resolved) : o.spec + ": fine\n");
    return success;
  }
  if (o.spec != "-" && read_spec(o.spec).find("claim")) {
    load_paper(read_spec(o.spec), std::filesystem::absolute(o.spec).parent_path().string());
    fmt::print("{}: fine\n", o.spec);
    return success;
  }
  SpecNode written;
  const Experiment experiment = experiment_of(o, registry, &written);
  if (print) {
    fmt::print("{}", to_yaml_with_places(experiment.resolved, written));
    return success;
  }
  if (experiment.population.size > 0)
    Population(experiment, registry, 1, nullptr);
  else if (experiment.kind == Experiment::Kind::meta_training)
    MetaTraining(experiment, 1);
  else
    make_inner_training(experiment, 1);
  fmt::print("{}: fine\n", o.spec);
  return success;
}

}  // namespace lopt
