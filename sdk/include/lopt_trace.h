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

/* The program that computes `results` from the arguments, as a message that lopt reads (docs/plugins.md): `message` is
 * an object of JSON, in which "$0", "$1", … stand for the results; its bytes are the trace's, until the next call. */
int lopt_trace_message(lopt_trace* trace, const lopt_value* results, size_t count, const char* message,
                       const void** bytes, size_t* size, lopt_error* error);

#ifdef __cplusplus
}
#endif
#endif
