/* lopt from C and from whatever calls C: optimizers, learned ones too, for parameters and gradients that live
 * elsewhere.
 *
 *   lopt_tensor tensors[] = {{"w", (const int64_t[]){784, 10}, 2, NULL}, {"b", (const int64_t[]){10}, 1, NULL}};
 *   lopt_optimizer* optimizer;
 *   lopt_error error;
 *   if (lopt_create("{plugin: learned, theta: general}", tensors, 2, 1000, &optimizer, &error)) puts(error.message);
 *   while (…) lopt_step(optimizer, params, grads, &loss, NULL, &error);
 *   lopt_destroy(optimizer);
 *
 * C99. Every function that can fail returns a code, 0 for success, and says why in `error`, which may be NULL. Nothing
 * is thrown, printed or exited. An optimizer is used by one thread at a time; different optimizers by as many as there
 * are. After fork() both processes may go on. */
#ifndef LOPT_H
#define LOPT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The codes are the exit codes of lopt-run. */
enum {
  LOPT_SUCCESS = 0,
  LOPT_FAILED = 1,      /* while running: memory, a computation */
  LOPT_WRONG_USAGE = 2, /* a spec, a shape, a null pointer */
  LOPT_BAD_PLUGIN = 3,
  LOPT_BAD_DATA = 4 /* a file of weights, a saved state */
};

typedef struct lopt_error {
  int code;
  char message[2044]; /* UTF-8, the sentence that lopt-run prints; cut where it is longer */
} lopt_error;

/* A parameter tensor: float32, row-major, without gaps. */
typedef struct lopt_tensor {
  const char* name;     /* UTF-8; NULL: its number */
  const int64_t* shape; /* lengths of the dimensions, outermost first; may be NULL where rank is 0 */
  size_t rank;
  /* How a rule that looks at shapes is to see it: its dimension i is dimension axes[i] of `shape`. lopt's own networks
   * have weights [in, out] and convolutions [height, width, in, out]; PyTorch's are [out, in], axes {1, 0}, and [out,
   * in, height, width], axes {2, 3, 1, 0}. NULL: as it is. */
  const int* axes;
} lopt_tensor;

typedef struct lopt_optimizer lopt_optimizer;

/* "1.0.0". */
const char* lopt_version(void);

/* Makes an optimizer for `count` parameters. `spec` is what stands behind `optimizer:` in a spec, as in "adam",
 * "{plugin: adam, learning_rate: 0.01}" or "{plugin: learned, theta: general}"; `plugin_path` among its keys names
 * folders or files of other people's plugins. `num_steps`: how many steps there will be; 0: not known. */
int lopt_create(const char* spec, const lopt_tensor* parameters, size_t count, int64_t num_steps,
                lopt_optimizer** optimizer, lopt_error* error);
/* NULL is fine. */
void lopt_destroy(lopt_optimizer* optimizer);

/* From the next step on at most so many threads work on large parameters; 1 at the beginning. */
int lopt_set_threads(lopt_optimizer* optimizer, int threads, lopt_error* error);
/* 1 where the rule looks at the loss; else 0. */
int lopt_needs_loss(const lopt_optimizer* optimizer);
/* How many steps were done. */
int64_t lopt_steps(const lopt_optimizer* optimizer);

/* One step: params[i] is read and written in place. `grads[i]` may be NULL: params[i] stays as it is, and the rule sees
 * a gradient of 0. `loss`: of the parameters before the step; NULL where the rule does not look at it. `scales[i]`
 * multiplies the step of params[i]; NULL: all are 1. Where it fails nothing has changed. A rule that looks at the loss
 * and can do without goes without where the first step has none; another refuses. */
int lopt_step(lopt_optimizer* optimizer, float* const* params, const float* const* grads, const float* loss,
              const float* scales, lopt_error* error);

/* The parameters to judge by, where a rule keeps others than those that gradients are wanted at (averages); else the
 * same. `to[i]` has room for params[i]. */
int lopt_evaluation_params(lopt_optimizer* optimizer, const float* const* params, float* const* to, lopt_error* error);

/* All that the optimizer remembers, without the parameters: the same number of bytes at any time. */
size_t lopt_state_size(const lopt_optimizer* optimizer);
int lopt_save_state(lopt_optimizer* optimizer, void* memory, size_t size, lopt_error* error);
/* Refuses what was saved by another optimizer, or for other shapes. */
int lopt_load_state(lopt_optimizer* optimizer, const void* memory, size_t size, lopt_error* error);
/* Goes on from where another optimizer of the same rule is, whose parameters, by their names, are among this one's; the
 * others begin now, at params. Refuses where the rule keeps something of all parameters together. */
int lopt_continue_from(lopt_optimizer* optimizer, const lopt_optimizer* earlier, const float* const* params,
                       lopt_error* error);

/* A task of a spec as functions: what `lopt-run train` does with the same task and seed. For tasks that keep nothing
 * beside their parameters from step to step. Used by one thread at a time. */
typedef struct lopt_task lopt_task;

/* `spec`: what stands behind `task:` in a spec, as in "{plugin: mlp_classifier, hidden: [32]}". */
int lopt_create_task(const char* spec, lopt_task** task, lopt_error* error);
void lopt_destroy_task(lopt_task* task);

enum { LOPT_PARAMS = 0, LOPT_BATCH = 1 };
enum { LOPT_FLOAT32 = 0, LOPT_INT32 = 1, LOPT_UINT32 = 2, LOPT_BOOL32 = 3 };
/* How many arrays the parameters are, or a batch; and what the array `i` of them is. What is pointed to is the task's.
 */
size_t lopt_task_count(const lopt_task* task, int of);
int lopt_task_part(const lopt_task* task, int of, size_t i, const char** name, const int64_t** shape, size_t* rank,
                   int* type, lopt_error* error);

/* The parameters at the start of the problem of a seed; the batch that step `step` of it sees, four bytes an element.
 */
int lopt_task_init(lopt_task* task, uint64_t seed, float* const* params, lopt_error* error);
int lopt_task_batch(lopt_task* task, uint64_t seed, int64_t step, void* const* parts, lopt_error* error);
/* The loss of the parameters on a batch, and its gradient; `grads` NULL: the loss alone. Seed and step are for tasks
 * that draw numbers. */
int lopt_task_loss(lopt_task* task, uint64_t seed, int64_t step, const float* const* params, const void* const* batch,
                   float* loss, float* const* grads, lopt_error* error);

#ifdef __cplusplus
}
#endif
#endif
