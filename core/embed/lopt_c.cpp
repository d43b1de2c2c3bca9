// lopt.h: nothing is thrown, printed or exited across it.
#include <lopt.h>

#include "embed/c_boundary.h"
#include "embed/embedded_optimizer.h"

#include <lopt/settings.h>

#include <fmt/format.h>

struct lopt_optimizer {
  lopt::EmbeddedOptimizer optimizer;
};

namespace lopt {
namespace {

EmbeddedParameter parameter_of(const lopt_tensor& tensor, std::size_t at) {
  EmbeddedParameter parameter{tensor.name ? tensor.name : fmt::format("parameter {}", at), {}, {}};
  if (tensor.rank > 32)
    throw SettingsError(
        fmt::format("the parameter '{}' has {} dimensions; 32 are the most", parameter.name, tensor.rank));
  if (tensor.rank > 0) require_argument(tensor.shape, "lopt_create", "the shape of a parameter");
  parameter.shape.assign(tensor.shape, tensor.shape + tensor.rank);
  for (std::size_t i = 0; tensor.axes && i < tensor.rank; ++i)
    parameter.axes.push_back(static_cast<std::size_t>(tensor.axes[i]));
  return parameter;
}

}  // namespace
}  // namespace lopt

using namespace lopt;

extern "C" {

const char* lopt_version() { return LOPT_VERSION; }

int lopt_create(const char* spec, const lopt_tensor* parameters, size_t count, int64_t num_steps,
                lopt_optimizer** optimizer, lopt_error* error) {
  return reported(error, [&] {
    require_argument(optimizer, "lopt_create", "optimizer");
    *optimizer = nullptr;
    require_argument(spec, "lopt_create", "spec");
    if (count > 0) require_argument(parameters, "lopt_create", "parameters");
    select_simd_once();
    std::vector<EmbeddedParameter> all;
    for (std::size_t i = 0; i < count; ++i) all.push_back(parameter_of(parameters[i], i));
    *optimizer = new lopt_optimizer{EmbeddedOptimizer(spec, all, num_steps)};
  });
}

void lopt_destroy(lopt_optimizer* optimizer) { delete optimizer; }

int lopt_set_threads(lopt_optimizer* optimizer, int threads, lopt_error* error) {
  return reported(error, [&] {
    require_argument(optimizer, "lopt_set_threads", "optimizer");
    if (threads < 1 || threads > 1024)
      throw SettingsError(fmt::format("lopt_set_threads: {} threads; from 1 to 1024 there can be", threads));
    optimizer->optimizer.set_threads(threads);
  });
}

int lopt_needs_loss(const lopt_optimizer* optimizer) { return optimizer && optimizer->optimizer.needs_loss() ? 1 : 0; }

int64_t lopt_steps(const lopt_optimizer* optimizer) { return optimizer ? optimizer->optimizer.steps() : 0; }

int lopt_step(lopt_optimizer* optimizer, float* const* params, const float* const* grads, const float* loss,
              const float* scales, lopt_error* error) {
  return reported(error, [&] {
    require_argument(optimizer, "lopt_step", "optimizer");
    EmbeddedOptimizer& o = optimizer->optimizer;
    require_all(params, o.count(), "lopt_step", "params");
    require_argument(grads, "lopt_step", "grads");
    const auto count_of_scales = scales ? o.count() : 0;
    o.step({params, o.count()}, {grads, o.count()}, loss ? std::optional(*loss) : std::nullopt,
           {scales, count_of_scales});
  });
}

int lopt_evaluation_params(lopt_optimizer* optimizer, const float* const* params, float* const* to, lopt_error* error) {
  return reported(error, [&] {
    require_argument(optimizer, "lopt_evaluation_params", "optimizer");
    EmbeddedOptimizer& o = optimizer->optimizer;
    require_all(params, o.count(), "lopt_evaluation_params", "params");
    require_all(to, o.count(), "lopt_evaluation_params", "to");
    o.evaluation_params({params, o.count()}, {to, o.count()});
  });
}

size_t lopt_state_size(const lopt_optimizer* optimizer) { return optimizer ? optimizer->optimizer.state_bytes() : 0; }

int lopt_save_state(lopt_optimizer* optimizer, void* memory, size_t size, lopt_error* error) {
  return reported(error, [&] {
    require_argument(optimizer, "lopt_save_state", "optimizer");
    require_argument(memory, "lopt_save_state", "memory");
    optimizer->optimizer.save_state({static_cast<std::byte*>(memory), size});
  });
}

int lopt_load_state(lopt_optimizer* optimizer, const void* memory, size_t size, lopt_error* error) {
  return reported(error, [&] {
    require_argument(optimizer, "lopt_load_state", "optimizer");
    require_argument(memory, "lopt_load_state", "memory");
    optimizer->optimizer.load_state({static_cast<const std::byte*>(memory), size});
  });
}

int lopt_continue_from(lopt_optimizer* optimizer, const lopt_optimizer* earlier, const float* const* params,
                       lopt_error* error) {
  return reported(error, [&] {
    require_argument(optimizer, "lopt_continue_from", "optimizer");
    require_argument(earlier, "lopt_continue_from", "earlier");
    require_all(params, optimizer->optimizer.count(), "lopt_continue_from", "params");
    optimizer->optimizer.continue_from(earlier->optimizer, {params, optimizer->optimizer.count()});
  });
}

}  // extern "C"
