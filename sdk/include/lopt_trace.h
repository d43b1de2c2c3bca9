/* Programs traced from another language: what its functions compute on symbolic values becomes a program of lopt, with
 * its gradient, its plan and its speed. lopt for Python stands on it; docs/c.md has a rule in C.
 *
 * Values are numbers, which belong to their trace and go with it. Functions have the names of lopt's C++ headers
 * (tensor.h, networks.h, random.h, matrices.h, features.h); what is no value is in `settings`, an object of JSON.
 *
 * C99. As in lopt.h: what can fail returns a code and says why. A trace is used by one thread at a time. */
#ifndef LOPT_TRACE_H
#define LOPT_TRACE_H

#include "lopt.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lopt_trace lopt_trace;
typedef int64_t lopt_value;

/* NULL where there is no memory. */
lopt_trace* lopt_trace_begin(void);
/* NULL is fine. */
void lopt_trace_end(lopt_trace* trace);

/* An argument of the program; `type` is LOPT_FLOAT32, LOPT_INT32, LOPT_UINT32 or LOPT_BOOL32. */
int lopt_trace_input(lopt_trace* trace, int type, const int64_t* shape, size_t rank, lopt_value* value,
                     lopt_error* error);
/* Elements of four bytes, row-major, which are copied. */
int lopt_trace_constant(lopt_trace* trace, int type, const int64_t* shape, size_t rank, const void* elements,
                        lopt_value* value, lopt_error* error);
/* A number that takes the type of what it meets, as those of the language do. */
int lopt_trace_number(lopt_trace* trace, double number, lopt_value* value, lopt_error* error);

/* What a value is; `shape` is the trace's. */
int lopt_trace_type(lopt_trace* trace, lopt_value value, int* type, const int64_t** shape, size_t* rank,
                    lopt_error* error);

/* Applies a function, as in lopt_trace_apply(t, "sum", &x, 1, "{\"axes\": [0]}", &y, 1, &made, NULL, &error). `made`:
 * how many values came out; where there is no room for them it fails. `structure`, which may be NULL: for functions
 * whose result has names, the tree of it as JSON, in which values stand by their places in `results`; else "". It is
 * the trace's, until the next call. */
int lopt_trace_apply(lopt_trace* trace, const char* function, const lopt_value* values, size_t count,
                     const char* settings, lopt_value* results, size_t room, size_t* made, const char** structure,
                     lopt_error* error);
/* The names of all functions, on a line each. */
const char* lopt_trace_functions(void);

/* A loop over time (scan.h). `step` is called once, with the carries and the elements of the sequences; it puts the new
 * carries, and behind them what is kept of each step, into `next`, and their number into `made`. Another result than 0
 * ends the loop with LOPT_FAILED. `results`: the carries after the last step, then what was kept, [length, …]. */
typedef int (*lopt_scan_step)(void* user, const lopt_value* values, size_t count, lopt_value* next, size_t room,
                              size_t* made);
int lopt_trace_scan(lopt_trace* trace, lopt_scan_step step, void* user, const lopt_value* carry, size_t carries,
                    const lopt_value* sequences, size_t count, const char* settings, lopt_value* results, size_t room,
                    size_t* made, lopt_error* error);

/* The results of one of two branches (scan.h); `branch` is called with what `user` says is true or false, more than
 * once, as the step of a loop is, with the operands. */
int lopt_trace_cond(lopt_trace* trace, lopt_value condition, lopt_scan_step if_true, lopt_scan_step if_false,
                    void* user, const lopt_value* operands, size_t count, lopt_value* results, size_t room,
                    size_t* made, lopt_error* error);

/* Applies a function of a component of lopt, which `spec` describes as in a spec: of an optimizer init, update, params,
 * evaluation_params; of a learned one these with `theta`, and `weights`; of a task init and loss; of a schedule rate.
 * `arguments`: an object of JSON with trees of places in `values` under the names of the arguments (params, state,
 * grads, theta, loss, iteration, length, key, batch, step, steps), in which {"tree": [[name, tree], …]} is a tree; and
 * num_steps. `structure`: as of lopt_trace_apply. */
int lopt_trace_component(lopt_trace* trace, const char* kind, const char* spec, const char* function,
                         const lopt_value* values, size_t count, const char* arguments, lopt_value* results,
                         size_t room, size_t* made, const char** structure, lopt_error* error);

/* The elements of a value that depends on no argument, four bytes each. LOPT_WRONG_USAGE where it does. */
int lopt_trace_evaluate(lopt_trace* trace, lopt_value value, void* elements, lopt_error* error);

/* The program that computes `results` from the arguments, as a message that lopt reads (docs/c.md): `message` is
 * an object of JSON, in which "$0", "$1", … stand for the results; its bytes are the trace's, until the next call. */
int lopt_trace_message(lopt_trace* trace, const lopt_value* results, size_t count, const char* message,
                       const void** bytes, size_t* size, lopt_error* error);

/* A plugin in C, or in any language that makes libraries of C functions: one that exports `lopt_c_plugin`. It is found
 * as other plugins are, and its components stand in specs as others do. docs/c.md has a rule of ten lines. */
typedef struct lopt_call lopt_call;
typedef struct lopt_c_component {
  const char* kind; /* "optimizer", "learned_optimizer", "task" or "schedule" */
  const char* name; /* [a-z0-9_]+ */
  const char* summary;
  /* A list of JSON, as [{"name": "rate", "type": "real", "default": 0.01, "low": 0, "doc": "…"}]; NULL: no settings. */
  const char* settings;
  /* Describes a function by what it computes of the call's arguments, and returns 0, or another number where it fails:
   *   optimizer          start(params), update(state, grads, loss, iteration, key), params(state)
   *   learned_optimizer  init(key), and those of an optimizer with `theta`
   *   task               init(key), loss(params, batch, key)
   *   schedule           rate(step, steps)
   * Evaluated parameters are params, and training and evaluation losses loss. */
  int (*trace)(lopt_call* call, const char* function);
} lopt_c_component;
typedef struct lopt_c_plugin_table {
  uint32_t version; /* 1 */
  uint32_t count;
  const lopt_c_component* components;
} lopt_c_plugin_table;

/* Where a function of these fails it returns -1 (or 0), those after it too, and the call fails with its sentence. */

/* A setting that is a number; of a boolean 0 or 1. */
double lopt_call_setting(lopt_call* call, const char* name);
/* How many values an argument has, or a part of it, as in "state/momentum"; 0 where it has none. */
size_t lopt_call_count(lopt_call* call, const char* argument);
/* The value `i` of an argument. */
lopt_value lopt_call_argument(lopt_call* call, const char* argument, size_t i);
/* A function of `count` values, which follow; of those that lopt_trace_apply takes, without settings. */
lopt_value lopt_call_apply(lopt_call* call, const char* function, int count, ...);
lopt_value lopt_call_number(lopt_call* call, double number);
/* The result, or the part of it that has a name (NULL: the whole), gets the names of an argument or of a part of it,
 * and value `i` of it is `value`; for a result of one value `like` is NULL and i 0. */
void lopt_call_return(lopt_call* call, const char* part, const char* like, size_t i, lopt_value value);
/* The trace, for all that this does not do. */
lopt_trace* lopt_call_trace(lopt_call* call);

#ifdef __cplusplus
}
#endif
#endif
