/* lopt.h from C99: what it computes, what it refuses, and that nothing is thrown, printed or exited.
 * usage: lopt-c-tests PREFIX (of the installation or build, for a θ of another rule) */
#include <lopt.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int passed = 0, failed = 0;

static void check(int holds, const char* what) {
  if (holds)
    ++passed;
  else
    printf("FAILED: %s\n", what), ++failed;
}

static const int64_t matrix[] = {3, 4}, vector[] = {4};
static const lopt_tensor tensors[] = {{"w", matrix, 2, NULL}, {"b", vector, 1, NULL}};

/* Refused with this code, by a sentence that has these words. */
static void refuses(const char* spec, const lopt_tensor* parameters, size_t count, int64_t num_steps, int code,
                    const char* words) {
  lopt_optimizer* optimizer = (lopt_optimizer*)1;
  lopt_error error;
  const int status = lopt_create(spec, parameters, count, num_steps, &optimizer, &error);
  check(status == code && error.code == code && strstr(error.message, words) != NULL && optimizer == NULL, words);
  if (status != code || !strstr(error.message, words)) printf("  it said %d: %s\n", status, error.message);
  check(lopt_create(spec, parameters, count, num_steps, &optimizer, NULL) == code, "no place for the error is fine");
}

static lopt_optimizer* made(const char* spec) {
  lopt_optimizer* optimizer = NULL;
  lopt_error error;
  const int status = lopt_create(spec, tensors, 2, 100, &optimizer, &error);
  check(status == LOPT_SUCCESS && optimizer != NULL, spec);
  if (status) printf("  it said %d: %s\n", status, error.message);
  return optimizer;
}

static void moves_parameters(const char* spec) {
  float w[12] = {0}, b[4] = {0}, dw[12], db[4];
  float* const params[] = {w, b};
  const float* const grads[] = {dw, db};
  lopt_optimizer* optimizer = made(spec);
  lopt_error error;
  double first = 0, last = 0;
  int step, i;
  if (!optimizer) return;
  for (step = 0; step < 50; ++step) {
    float loss = 0;
    for (i = 0; i < 12; ++i) dw[i] = w[i] - 1, loss += dw[i] * dw[i];
    for (i = 0; i < 4; ++i) db[i] = b[i] + 2, loss += db[i] * db[i];
    if (step == 0) first = loss;
    last = loss;
    if (lopt_step(optimizer, params, grads, &loss, NULL, &error)) printf("  %s\n", error.message);
  }
  check(lopt_steps(optimizer) == 50 && last < first, spec);
  lopt_destroy(optimizer);
}

static void wrong_steps(void) {
  float w[12] = {0}, b[4] = {0}, dw[12], db[4], loss = 1;
  float* const params[] = {w, b};
  float* const missing[] = {w, NULL};
  const float* const grads[] = {dw, db};
  const float* const half[] = {NULL, db};
  const float scales[] = {0.5F, 1};
  lopt_optimizer* optimizer = made("{plugin: sgd, learning_rate: 1}");
  lopt_error error;
  int i;
  for (i = 0; i < 12; ++i) dw[i] = 1;
  for (i = 0; i < 4; ++i) db[i] = 1;
  if (!optimizer) return;
  check(lopt_step(NULL, params, grads, &loss, NULL, &error) == LOPT_WRONG_USAGE, "no optimizer");
  check(lopt_step(optimizer, NULL, grads, &loss, NULL, &error) == LOPT_WRONG_USAGE, "no parameters");
  check(lopt_step(optimizer, missing, grads, &loss, NULL, &error) == LOPT_WRONG_USAGE &&
            strstr(error.message, "params[1] is NULL") != NULL && w[0] == 0,
        "a parameter that is NULL, and nothing moved");
  check(lopt_step(optimizer, params, NULL, &loss, NULL, &error) == LOPT_WRONG_USAGE, "no gradients");
  check(lopt_step(optimizer, params, half, NULL, NULL, &error) == LOPT_SUCCESS && w[0] == 0 && b[0] == -1,
        "a gradient that is NULL leaves its parameter");
  check(lopt_step(optimizer, params, grads, NULL, scales, NULL) == LOPT_SUCCESS && w[0] == -0.5F && b[0] == -2,
        "scales multiply steps");
  dw[3] = NAN;
  check(lopt_step(optimizer, params, grads, NULL, NULL, &error) == LOPT_SUCCESS && isnan(w[3]) && !isnan(w[2]),
        "NaN goes through");
  check(lopt_set_threads(optimizer, 0, &error) == LOPT_WRONG_USAGE, "no threads");
  check(lopt_set_threads(optimizer, 2, &error) == LOPT_SUCCESS, "two threads");
  lopt_destroy(optimizer);
  lopt_destroy(NULL);
  optimizer = made("{plugin: learned, theta: general}");
  if (!optimizer) return;
  check(lopt_needs_loss(optimizer) == 1, "a rule that looks at the loss");
  check(lopt_step(optimizer, params, grads, NULL, NULL, &error) == LOPT_SUCCESS, "and can do without");
  lopt_destroy(optimizer);
  optimizer = made("{plugin: guard, inner: adam}");
  if (!optimizer) return;
  check(lopt_step(optimizer, params, grads, NULL, NULL, &error) == LOPT_WRONG_USAGE &&
            strstr(error.message, "loss") != NULL,
        "one that wants it");
  lopt_destroy(optimizer);
}

/* A parameter more: what was there goes on as if nothing had been added, and the new one begins. */
static void goes_on_with_more(void) {
  float w[12] = {0}, b[4] = {0}, alone[12] = {0}, dw[12], db[4];
  float* const params[] = {w, b};
  float* const one[] = {alone};
  const float* const grads[] = {dw, db};
  const float* const now[] = {w, b};
  lopt_optimizer *first = NULL, *both = made("adam"), *other = made("sgd");
  lopt_error error;
  int i, step;
  for (i = 0; i < 12; ++i) dw[i] = (float)i;
  for (i = 0; i < 4; ++i) db[i] = 1;
  check(lopt_create("adam", tensors, 1, 100, &first, &error) == LOPT_SUCCESS, "an optimizer of one");
  if (!first || !both || !other) return;
  for (step = 0; step < 3; ++step) check(lopt_step(first, one, grads, NULL, NULL, &error) == LOPT_SUCCESS, "a step");
  memcpy(w, alone, sizeof w);
  check(lopt_continue_from(other, first, now, &error) == LOPT_WRONG_USAGE, "another rule cannot go on from it");
  check(lopt_continue_from(both, NULL, now, &error) == LOPT_WRONG_USAGE, "nor from nothing");
  check(lopt_continue_from(both, first, now, &error) == LOPT_SUCCESS && lopt_steps(both) == 3, "one of more can");
  check(lopt_step(both, params, grads, NULL, NULL, &error) == LOPT_SUCCESS, "and goes on");
  check(lopt_step(first, one, grads, NULL, NULL, &error) == LOPT_SUCCESS, "as does the first");
  check(memcmp(w, alone, sizeof w) == 0 && b[0] < 0, "to the same bits, and the new one moves");
  lopt_destroy(first);
  lopt_destroy(both);
  lopt_destroy(other);
}

static void states(void) {
  float w[12] = {0}, b[4] = {0}, dw[12] = {1}, db[4] = {1}, w2[12], b2[4];
  float* const params[] = {w, b};
  float* const others[] = {w2, b2};
  const float* const grads[] = {dw, db};
  lopt_optimizer *one = made("adam"), *two = made("adam"), *sgd = made("sgd");
  lopt_error error;
  unsigned char* memory;
  size_t size;
  if (!one || !two || !sgd) return;
  size = lopt_state_size(one);
  memory = malloc(size);
  check(lopt_step(one, params, grads, NULL, NULL, &error) == LOPT_SUCCESS, "a step");
  check(lopt_state_size(one) == size, "the size of a state stays");
  check(lopt_save_state(one, memory, size - 1, &error) == LOPT_WRONG_USAGE, "too little room");
  check(lopt_save_state(one, memory, size, &error) == LOPT_SUCCESS, "a state is saved");
  check(lopt_load_state(two, memory, size, &error) == LOPT_SUCCESS && lopt_steps(two) == 1, "and loaded");
  memcpy(w2, w, sizeof w);
  memcpy(b2, b, sizeof b);
  lopt_step(one, params, grads, NULL, NULL, &error);
  lopt_step(two, others, grads, NULL, NULL, &error);
  check(memcmp(w, w2, sizeof w) == 0 && memcmp(b, b2, sizeof b) == 0, "and goes on with the same bits");
  check(lopt_load_state(sgd, memory, size, &error) == LOPT_BAD_DATA, "the state of another rule");
  check(lopt_load_state(two, memory, size - 1, &error) == LOPT_BAD_DATA, "a state that is cut short");
  memory[size - 9] ^= 1;
  check(lopt_load_state(two, memory, size, &error) == LOPT_BAD_DATA, "a damaged state");
  check(lopt_load_state(two, NULL, size, &error) == LOPT_WRONG_USAGE, "no state");
  free(memory);
  lopt_destroy(one);
  lopt_destroy(two);
  lopt_destroy(sgd);
}

int main(int argc, char** argv) {
  const int64_t negative[] = {-3}, huge[] = {1000000000, 1000000000};
  const int twice[] = {0, 0}, turned[] = {1, 0};
  const lopt_tensor bad[] = {{"w", negative, 1, NULL}}, large[] = {{"w", huge, 2, NULL}}, no_shape[] = {{"w", NULL, 2, NULL}},
                    axes[] = {{"w", matrix, 2, twice}}, same[] = {{"w", matrix, 2, turned}, {"w", vector, 1, NULL}};
  char other_rule[4096];
  check(strcmp(lopt_version(), "") != 0, "a version");
  refuses("adamm", tensors, 2, 0, LOPT_WRONG_USAGE, "there is no optimizer plugin 'adamm'");
  refuses("{plugin: adam, learning_rate: fast}", tensors, 2, 0, LOPT_WRONG_USAGE, "learning_rate");
  refuses("{plugin: adam", tensors, 2, 0, LOPT_WRONG_USAGE, "spec");
  refuses("", tensors, 2, 0, LOPT_WRONG_USAGE, "the name of an optimizer plugin");
  refuses(NULL, tensors, 2, 0, LOPT_WRONG_USAGE, "spec is NULL");
  refuses("adam", NULL, 2, 0, LOPT_WRONG_USAGE, "parameters is NULL");
  refuses("adam", tensors, 0, 0, LOPT_WRONG_USAGE, "at least one parameter");
  refuses("adam", tensors, 2, -1, LOPT_WRONG_USAGE, "num_steps");
  refuses("adam", bad, 1, 0, LOPT_WRONG_USAGE, "-3");
  refuses("adam", large, 1, 0, LOPT_WRONG_USAGE, "larger than any memory");
  refuses("adam", no_shape, 1, 0, LOPT_WRONG_USAGE, "NULL");
  refuses("adam", axes, 1, 0, LOPT_WRONG_USAGE, "axes");
  refuses("adam", same, 2, 0, LOPT_WRONG_USAGE, "two parameters 'w'");
  refuses("{plugin: adam, plugin_path: /nowhere}", tensors, 2, 0, LOPT_BAD_PLUGIN, "there is no such plugin file");
  refuses("{plugin: learned, theta: /nowhere.npz}", tensors, 2, 0, LOPT_BAD_DATA, "/nowhere.npz");
  snprintf(other_rule, sizeof other_rule, "{plugin: learned, theta: %s/share/lopt/configs/recipes/general/theta.npz, learned_optimizer: celo2_base}",
           argc > 1 ? argv[1] : "build");
  refuses(other_rule, tensors, 2, 0, LOPT_WRONG_USAGE, "is of the learned optimizer 'steered'");
  check(lopt_create("adam", tensors, 2, 0, NULL, NULL) == LOPT_WRONG_USAGE, "no place for the optimizer");
  moves_parameters("{plugin: adam, learning_rate: 0.05}");
  moves_parameters("{plugin: learned, theta: general}");
  moves_parameters("{plugin: schedule_free, learning_rate: 0.05}");
  wrong_steps();
  goes_on_with_more();
  states();
  printf("%d passed, %d failed\n", passed, failed);
  return failed > 0;
}
