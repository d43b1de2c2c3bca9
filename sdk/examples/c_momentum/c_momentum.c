/* An optimizer in C: m <- decay m + g, p <- p - rate m.
 *
 *   cc -shared -fPIC c_momentum.c -o c_momentum.so $(pkg-config --cflags --libs lopt-c)
 *   lopt-run train c_momentum.yaml */
#include <lopt_trace.h>
#include <string.h>

static int trace(lopt_call* c, const char* function) {
  const int starts = strcmp(function, "start") == 0, moves = strcmp(function, "update") == 0;
  const char* params = starts ? "params" : "state/params";
  const lopt_value rate = lopt_call_number(c, lopt_call_setting(c, "rate")),
                   decay = lopt_call_number(c, lopt_call_setting(c, "decay"));
  for (size_t i = 0; i < lopt_call_count(c, params); ++i) {
    lopt_value p = lopt_call_argument(c, params, i), m;
    if (strcmp(function, "params") == 0) {
      lopt_call_return(c, NULL, params, i, p);
      continue;
    }
    m = starts ? lopt_call_apply(c, "zeros_like", 1, p) : lopt_call_argument(c, "state/m", i);
    if (moves) {
      m = lopt_call_apply(c, "add", 2, lopt_call_apply(c, "multiply", 2, decay, m), lopt_call_argument(c, "grads", i));
      p = lopt_call_apply(c, "subtract", 2, p, lopt_call_apply(c, "multiply", 2, rate, m));
    }
    lopt_call_return(c, "params", params, i, p);
    lopt_call_return(c, "m", params, i, m);
  }
  return 0;
}

static const lopt_c_component components[] = {
    {"optimizer", "c_momentum", "Momentum, described in C",
     "[{\"name\": \"rate\", \"type\": \"real\", \"default\": 0.1, \"low\": 0, \"doc\": \"of the steps\"},"
     " {\"name\": \"decay\", \"type\": \"real\", \"default\": 0.9, \"low\": 0, \"high\": 1, \"doc\": \"of m\"}]",
     trace}};
const lopt_c_plugin_table lopt_c_plugin = {1, 1, components};
