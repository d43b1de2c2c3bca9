// Updates of optimizers on one matrix, on one thread. Prints a line of JSON for each optimizer and size.
// usage: lopt-bench-optimizers PARAMETERS…
#include "execute/executor.h"
#include "plan/cost.h"
#include "plan/in_place.h"
#include "registry/registry.h"

#include <lopt/optimizer.h>

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>

using namespace lopt;

namespace {

struct Timed {
  const char *name, *spec;
  bool large = true;  // false: its products of matrices take minutes with 10⁷ parameters
};
constexpr Timed optimizers[] = {
    {"sgd", "sgd"},
    {"momentum", "momentum"},
    {"nesterov", "{plugin: momentum, nesterov: true}"},
    {"adam", "adam"},
    {"adam, cosine", "{plugin: adam, learning_rate: {plugin: cosine, value: 0.001}}"},
    {"rmsprop", "rmsprop"},
    {"adabelief", "adabelief"},
    {"adamw", "adamw"},
    {"nadamw", "nadamw"},
    {"radam", "radam"},
    {"yogi", "yogi"},
    {"lion", "lion"},
    {"adan", "adan"},
    {"fromage", "fromage"},
    {"lars", "lars"},
    {"lamb", "lamb"},
    {"adafactor", "adafactor"},
    {"schedule_free", "schedule_free"},
    {"prodigy", "prodigy"},
    {"muon", "muon", false},
    {"shampoo", "shampoo"},
    {"soap", "soap"},
    {"clip_by_norm, adam", "{plugin: clip_by_norm, inner: adam}"},
    {"weight_decay, adam", "{plugin: weight_decay, inner: adam}"},
    {"look_ahead, adam", "{plugin: look_ahead, inner: adam}"},
    {"averaged, adam", "{plugin: averaged, inner: adam}"},
};

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::shared_ptr<const Optimizer> made(Registry& registry, const std::string& spec) {
  SpecErrors errors;
  SpecNode resolved;
  auto optimizer = registry.make(Optimizer::kind, parse_spec(spec, "bench"), Optimizer::kind, errors, resolved);
  errors.raise();
  return std::static_pointer_cast<const Optimizer>(optimizer);
}

void measure(const Timed& named, Registry& registry, std::int64_t parameters) {
  const auto side = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(parameters))));
  const std::int64_t n = side * side;
  const auto optimizer = made(registry, named.spec);
  const Types like{{"w", Type{DType::float32, {side, side}}}};
  const Tree params = inputs_like("params", like);
  const Tree start = optimizer->init(params, {100, {zeros({2}, DType::uint32)}});
  std::vector<Array> state = compile(make_program("start", params.leaves(), start.leaves()))
                                 .run(std::vector<Array>{normal(HostKey::from_seed(1), {side, side})});
  const Types state_types = types_of(start);
  const Tree before = inputs_like("state", state_types), grads = inputs_like("grads", like);
  const Tensor loss = make_input("loss", {DType::float32, {}}), iteration = make_input("iteration", {DType::int32, {}});
  const Tree after = optimizer->update(before, grads, {loss, iteration, 100, {zeros({2}, DType::uint32)}, {}});
  std::vector<Tensor> inputs = before.leaves();
  inputs.insert(inputs.end(), {grads["w"], loss, iteration});
  const Program program = make_program("update", inputs, after.leaves());
  const Executable update = compile(program, all_outputs_have_room(program));

  const Array gradient = normal(HostKey::from_seed(2), {side, side});
  const Array no_loss = Array::scalar(1.0F), step = Array::scalar(std::int32_t{3});
  const std::vector<Type> types = state_types.leaves();
  std::vector<Array> next(types.begin(), types.end());
  // As JAX does where a state is given away.
  const InPlace allowed(update.plan());
  std::vector<bool> in_place;
  for (std::size_t leaf = 0; leaf < next.size(); ++leaf) in_place.push_back(allowed.allows(leaf, leaf));
  Arena arena;
  double best = INFINITY, formula = 4.0 * static_cast<double>(n), traffic = 0;
  for (const Type& type : state_types.leaves()) formula += 8.0 * static_cast<double>(element_count(type.shape));
  for (const Kernel& kernel : update.plan().kernels) traffic += cost_of(kernel, update.plan()).bytes;
  const double end = now() + 1;
  for (int run = 0; run < 5 || (now() < end && run < 2000); ++run) {
    std::vector<const void*> from;
    std::vector<void*> to;
    for (const Array& leaf : state) from.push_back(leaf.data());
    for (const Array* other : {&gradient, &no_loss, &step}) from.push_back(other->data());
    for (std::size_t leaf = 0; leaf < next.size(); ++leaf)
      to.push_back((in_place[leaf] ? state : next)[leaf].mutable_data());
    const double begin = now();
    update.run(from, to, arena);
    best = std::min(best, now() - begin);
    for (std::size_t leaf = 0; leaf < next.size(); ++leaf)
      if (!in_place[leaf]) std::swap(state[leaf], next[leaf]);
  }
  const double per_parameter = 1 / static_cast<double>(n);
  std::printf(
      "{\"optimizer\": \"%s\", \"parameters\": %ld, \"ns\": %.4f, \"formula_bytes\": %.2f, \"plan_bytes\": %.2f}\n",
      named.name, static_cast<long>(parameters), best * 1e9 * per_parameter, formula * per_parameter,
      traffic * per_parameter);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    Registry registry;
    registry.add_path(LOPT_BINARY "/lib/lopt/plugins", "the bench", true);
    for (int i = 1; i < argc; ++i)
      for (const Timed& named : optimizers) {
        const long parameters = std::atol(argv[i]);
        if (named.large || parameters <= 1'000'000) measure(named, registry, parameters);
      }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "lopt-bench-optimizers: %s\n", error.what());
    return 1;
  }
}
