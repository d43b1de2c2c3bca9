// lopt.h: nothing is thrown, printed or exited across it.
#include <lopt.h>

#include "embed/embedded_optimizer.h"
#include "embed/failure.h"
#include "kernels/simd.h"

#include <lopt/settings.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>

struct lopt_optimizer {
  lopt::EmbeddedOptimizer optimizer;
};

namespace lopt {
namespace {

int report(lopt_error* error, int code, const std::string& message) {
  if (!error) return code;
  error->code = code;
  std::size_t size = std::min(message.size(), sizeof error->message - 1);
  while (size < message.size() && size > 0 && (static_cast<unsigned char>(message[size]) & 0xC0U) == 0x80U) --size;
  std::memcpy(error->message, message.data(), size);
  error->message[size] = '\0';
  return code;
}

/// Calls f, and says what it threw.
template <class Function>
int reported(lopt_error* error, Function f) noexcept {
  try {
    f();
    return report(error, LOPT_SUCCESS, "");
  } catch (...) {
    try {
      const Failure failure = failure_of(std::current_exception());
      return report(error, failure.code, fmt::format("{}", fmt::join(failure.messages, "\n")));
    } catch (...) {
      return LOPT_FAILED;  // no memory even for the sentence
    }
  }
}

void require_argument(const void* pointer, const char* function, const char* name) {
  if (!pointer) throw SettingsError(fmt::format("{}: {} is NULL", function, name));
}

/// LOPT_SIMD forces a SIMD level, as in the runner.
void select_simd() {
  if (kernels::simd_levels().empty())
    throw std::runtime_error("this processor is older than lopt supports: SSE4.2 and AES are needed (2010 and later)");
  static std::once_flag once;
  std::call_once(once, [] {
    const char* level = std::getenv("LOPT_SIMD");
    if (level && *level && !kernels::select_simd(level))
      throw SettingsError(fmt::format("LOPT_SIMD: this processor has no level '{}'; it has {}", level,
                                      fmt::join(kernels::simd_levels(), ", ")));
  });
}

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

void require_all(const float* const* tensors, std::size_t count, const char* function, const char* name) {
  require_argument(tensors, function, name);
  for (std::size_t i = 0; i < count; ++i)
    if (!tensors[i]) throw SettingsError(fmt::format("{}: {}[{}] is NULL", function, name, i));
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
    select_simd();
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

}  // extern "C"
