// Tasks in lopt.h.
#include "embed/c_boundary.h"
#include "embed/embedded_task.h"

struct lopt_task {
  lopt::EmbeddedTask task;
};

using namespace lopt;

extern "C" {

int lopt_create_task(const char* spec, lopt_task** task, lopt_error* error) {
  return reported(error, [&] {
    require_argument(task, "lopt_create_task", "task");
    *task = nullptr;
    require_argument(spec, "lopt_create_task", "spec");
    select_simd_once();
    *task = new lopt_task{EmbeddedTask(spec)};
  });
}

void lopt_destroy_task(lopt_task* task) { delete task; }

size_t lopt_task_count(const lopt_task* task, int of) {
  if (!task) return 0;
  return of == LOPT_PARAMS ? task->task.param_types().size() : of == LOPT_BATCH ? task->task.batch_types().size() : 0;
}

int lopt_task_part(const lopt_task* task, int of, size_t i, const char** name, const int64_t** shape, size_t* rank,
                   int* type, lopt_error* error) {
  return reported(error, [&] {
    require_argument(task, "lopt_task_part", "task");
    if (i >= lopt_task_count(task, of))
      throw SettingsError(
          fmt::format("lopt_task_part: there is no array {} of {}; there are {}", i, of, lopt_task_count(task, of)));
    const bool params = of == LOPT_PARAMS;
    const Type& found = (params ? task->task.param_types() : task->task.batch_types())[i];
    if (name) *name = (params ? task->task.param_names() : task->task.batch_names())[i].c_str();
    if (shape) *shape = found.shape.data();
    if (rank) *rank = found.shape.size();
    if (type)
      *type = found.dtype == DType::float32  ? LOPT_FLOAT32
              : found.dtype == DType::int32  ? LOPT_INT32
              : found.dtype == DType::uint32 ? LOPT_UINT32
                                             : LOPT_BOOL32;
  });
}

int lopt_task_init(lopt_task* task, uint64_t seed, float* const* params, lopt_error* error) {
  return reported(error, [&] {
    require_argument(task, "lopt_task_init", "task");
    const std::size_t count = lopt_task_count(task, LOPT_PARAMS);
    require_all(params, count, "lopt_task_init", "params");
    task->task.init(seed, {params, count});
  });
}

int lopt_task_batch(lopt_task* task, uint64_t seed, int64_t step, void* const* parts, lopt_error* error) {
  return reported(error, [&] {
    require_argument(task, "lopt_task_batch", "task");
    const std::size_t count = lopt_task_count(task, LOPT_BATCH);
    require_all(parts, count, "lopt_task_batch", "parts");
    if (step < 0) throw SettingsError(fmt::format("lopt_task_batch: step {}; steps begin at 0", step));
    task->task.batch(seed, step, {parts, count});
  });
}

int lopt_task_loss(lopt_task* task, uint64_t seed, int64_t step, const float* const* params, const void* const* batch,
                   float* loss, float* const* grads, lopt_error* error) {
  return reported(error, [&] {
    require_argument(task, "lopt_task_loss", "task");
    require_argument(loss, "lopt_task_loss", "loss");
    const std::size_t count = lopt_task_count(task, LOPT_PARAMS), parts = lopt_task_count(task, LOPT_BATCH);
    require_all(params, count, "lopt_task_loss", "params");
    require_all(batch, parts, "lopt_task_loss", "batch");
    if (grads) require_all(grads, count, "lopt_task_loss", "grads");
    if (step < 0) throw SettingsError(fmt::format("lopt_task_loss: step {}; steps begin at 0", step));
    *loss = task->task.loss(seed, step, {params, count}, {batch, parts}, {grads, grads ? count : 0});
  });
}

}  // extern "C"
