// The engine by itself: updates of many parameters against the processor's peak, tiny problems, and how cost grows.
// Prints a JSON object. usage: lopt-bench [--growth | --peak]
#include "estimate/lane_unroller.h"
#include "kernels/kernels.h"
#include "kernels/simd.h"
#include "plan/in_place.h"
#include "registry/registry.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <thread>

using namespace lopt;

namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// The least time of some runs, in seconds.
template <class Function>
double best_of(int runs, Function f) {
  double best = INFINITY;
  for (int i = 0; i < runs; ++i) {
    const double start = now();
    f();
    best = std::min(best, now() - start);
  }
  return best;
}

/// Memory in use now, in MB.
double resident_mb() {
  std::ifstream statm("/proc/self/statm");
  long total = 0, resident = 0;
  statm >> total >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e6;
}

/// ½‖x‖² of n parameters that start at random.
class Quadratic final : public Task {
 public:
  explicit Quadratic(std::int64_t n) : n_(n) {}
  Tree init(Key key) const override { return {{"x", normal(key, {n_})}}; }
  Tensor loss(const Tree& params, const Tree&, Key) const override { return 0.5 * sum(square(params["x"].leaf())); }

 private:
  std::int64_t n_;
};
class One final : public TaskFamily {
 public:
  explicit One(std::shared_ptr<const Task> task) : task_(std::move(task)) {}
  std::size_t size() const override { return 1; }
  const Task& task(std::size_t) const override { return *task_; }

 private:
  std::shared_ptr<const Task> task_;
};

template <class Component>
std::shared_ptr<const Component> plugin(Registry& registry, const std::string& spec) {
  SpecErrors errors;
  SpecNode resolved;
  auto made = registry.make(Component::kind, parse_spec(spec, "bench"), Component::kind, errors, resolved);
  errors.raise();
  return std::static_pointer_cast<const Component>(made);
}

struct Bench {
  Registry registry;
  int threads = static_cast<int>(std::thread::hardware_concurrency());

  OptimizerSource learned() {
    auto optimizer = plugin<LearnedOptimizer>(registry, "per_parameter_mlp");
    return [optimizer](const Tree& theta) -> std::shared_ptr<const Optimizer> { return optimizer->opt_fn(theta); };
  }
  Values theta() {
    auto optimizer = plugin<LearnedOptimizer>(registry, "per_parameter_mlp");
    Key key{make_input("key", {DType::uint32, {2}})};
    const Tree tree = optimizer->init(key);
    const Executable program = compile(make_program("theta", {key.bits}, tree.leaves()));
    return tree.with_leaves<Array>(program.run(std::vector<Array>{to_array(HostKey::from_seed(0))}));
  }

  /// A 3-64-2 network on each of n parameters: the update alone.
  double update_seconds(std::int64_t n) {
    const Values weights = theta();
    const Type vector{DType::float32, {n}};
    std::vector<Tensor> inputs;
    const Tree theta_in =
        map([&](const Array& a) { return inputs.emplace_back(make_input("theta", a.type())); }, weights);
    const auto optimizer = learned()(theta_in);
    const Tree start = optimizer->init({{"x", make_input("p", vector)}}, {});  // whose leaves are all of p's size
    const Tree state =
        map([&](const Tensor& leaf) { return inputs.emplace_back(make_input("state", leaf.type())); }, start);
    const Tensor g = inputs.emplace_back(make_input("g", vector));
    const Tree next = optimizer->update(state, {{"x", g}}, {Tensor(1.0), Tensor(Array::scalar(std::int32_t{3}))});
    const Executable program = compile(make_program("update", inputs, next.leaves()));
    std::vector<Array> in = weights.leaves(), out(next.leaves().size(), Array(vector));
    for (std::size_t i = 0; i <= out.size(); ++i) in.push_back(normal(HostKey::from_seed(i), {n}));
    std::vector<const void*> from;
    for (const Array& a : in) from.push_back(a.data());
    std::vector<void*> to;
    const InPlace in_place(program.plan());
    for (std::size_t i = 0; i < out.size(); ++i) {  // where the state lies, as far as a step may put it there
      const std::size_t leaf = weights.leaves().size() + i;
      to.push_back(in_place.allows(i, leaf) ? const_cast<void*>(from[leaf]) : out[i].mutable_data());
    }
    Arena arena;
    BlockTeam team(static_cast<std::size_t>(threads));
    std::vector<std::thread> helpers;
    for (int i = 1; i < threads; ++i) helpers.emplace_back([&] { team.help(); });
    const int runs = n > 1000000 ? 5 : 50;
    const double seconds = best_of(runs, [&] { program.run(from, to, arena, &team); });
    team.close();
    for (std::thread& helper : helpers) helper.join();
    return seconds;
  }

  /// Inner steps a second of many tiny problems with Adam.
  double tiny_steps(int lanes, int steps) {
    const Values none{std::vector<Values::Entry>{}};
    const auto adam = plugin<Optimizer>(registry, "adam");
    const LaneUnroller unroller(
        std::make_shared<One>(std::make_shared<Quadratic>(10)), [adam](const Tree&) { return adam; }, types_of(none),
        {}, threads, steps);
    std::vector<LaneStart> starts;
    for (int i = 0; i < lanes; ++i)
      starts.push_back({none, HostKey::from_seed(static_cast<std::uint64_t>(i)), static_cast<std::uint32_t>(i)});
    std::vector<Lane> running = unroller.start(starts);
    const std::vector<Values> thetas(static_cast<std::size_t>(lanes), none);
    UnrollOptions options;
    options.steps = steps;
    const double seconds = best_of(5, [&] { running = unroller.unroll(std::move(running), thetas, options).lanes; });
    return lanes * steps / seconds;
  }
};

double peak_of_all_threads(int threads) {
  std::vector<double> peaks(static_cast<std::size_t>(threads));
  std::vector<std::thread> pool;
  for (double& peak : peaks) pool.emplace_back([&peak] { peak = kernels::measured_peak_flops(); });
  for (std::thread& thread : pool) thread.join();
  double total = 0;
  for (double peak : peaks) total += peak;
  return total;
}

/// Cycles a second: a multiplication of integers that waits for the one before takes three, on all processors of
/// interest.
double cycles_per_second() {
  constexpr std::uint64_t steps = 20000000;
  volatile std::uint64_t sink = 3;
  const double seconds = best_of(5, [&] {
    std::uint64_t x = sink;
    for (std::uint64_t i = 0; i < steps; ++i) x = x * x + (x >> 63U);  // one sum more
    sink = x;
  });
  return 4.0 * steps / seconds;
}

/// Cycles an element of each function's kernel, on columns in the first cache.
nlohmann::ordered_json function_cycles() {
  constexpr std::size_t rows = 960;
  std::vector<float> x(rows), out(rows), exponents(rows, 0.7F);
  for (std::size_t i = 0; i < rows; ++i) x[i] = 0.01F + 3 * static_cast<float>(i) / rows;
  const double frequency = cycles_per_second();
  nlohmann::ordered_json result;
  for (const char* name : {"add", "divide", "sqrt", "rsqrt", "exp", "log", "log1p", "tanh", "sigmoid", "erf", "erf_inv",
                           "sin", "cos", "power"}) {
    std::array<kernels::ElementwiseStep, 2> steps;
    const bool of_two =
        std::string_view(name) == "power" || std::string_view(name) == "add" || std::string_view(name) == "divide";
    const std::array sources{kernels::Source::column, kernels::Source::column};
    if (!kernels::find_elementwise(steps[0], name, DType::float32, DType::float32,
                                   std::span(sources).first(of_two ? 2 : 1)))
      throw std::logic_error(fmt::format("{} has no kernel", name));
    kernels::end_sequence(steps[1]);
    steps[0].in = {x.data(), exponents.data(), nullptr};
    steps[0].out = out.data();
    constexpr int calls = 200;
    const double seconds = best_of(20, [&] {
      for (int i = 0; i < calls; ++i) kernels::run_sequence({steps.data(), 1, 0}, rows);
    });
    result[name] = seconds / calls / rows * frequency;
  }
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (const char* level = std::getenv("LOPT_SIMD"); level && !kernels::select_simd(level))
      throw std::invalid_argument(fmt::format("LOPT_SIMD: this processor has no level '{}'", level));
    Bench bench;
    bench.registry.add_path(LOPT_BINARY "/lib/lopt/plugins", "the test", true);
    nlohmann::ordered_json json;
    json["simd"] = kernels::simd_level();
    json["threads"] = bench.threads;
    const double peak = peak_of_all_threads(bench.threads);
    json["peak_gflops"] = peak / 1e9;
    if (argc > 1 && std::strcmp(argv[1], "--peak") == 0) {
      std::printf("%s\n", json.dump(2).c_str());
      return 0;
    }
    constexpr double flop_per_parameter = 2.0 * 64 * (3 + 2);
    const double update = bench.update_seconds(10000000);
    json["update_1e7_s"] = update;
    json["update_1e7_share_of_peak"] = 1e7 * flop_per_parameter / update / peak;
    json["tiny_steps_per_s"] = bench.tiny_steps(1000, 200);
    json["function_cycles"] = function_cycles();
    if (argc > 1 && std::strcmp(argv[1], "--growth") == 0)
      for (std::int64_t n = 100; n <= 10000000; n *= 10)
        json["update_ns_a_parameter"][std::to_string(n)] = bench.update_seconds(n) / static_cast<double>(n) * 1e9;
    json["resident_mb"] = resident_mb();
    std::printf("%s\n", json.dump(2).c_str());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "lopt-bench: %s\n", error.what());
    return 1;
  }
}
