// lopt_trace.h.
#include "bridge/trace_handle.h"

#include "bridge/written_program.h"
#include "embed/c_boundary.h"
#include "execute/reference.h"
#include "program/program.h"

#include <lopt/scan.h>

#include <algorithm>

namespace lopt {

lopt_value add(lopt_trace& trace, Tensor value) {
  trace.values.push_back(std::move(value));
  return static_cast<lopt_value>(trace.values.size()) - 1;
}
const Tensor& value_at(const lopt_trace& trace, lopt_value value) {
  if (value < 0 || value >= static_cast<lopt_value>(trace.values.size()))
    throw SettingsError(fmt::format("there is no value {} in this trace", value));
  return trace.values[static_cast<std::size_t>(value)];
}

namespace {

DType dtype_of_code(int type) {
  if (type < LOPT_FLOAT32 || type > LOPT_BOOL32)
    throw SettingsError(
        fmt::format("{} is no type of elements: LOPT_FLOAT32, LOPT_INT32, LOPT_UINT32, LOPT_BOOL32", type));
  return static_cast<DType>(type);
}
static_assert(static_cast<int>(DType::float32) == LOPT_FLOAT32 && static_cast<int>(DType::int32) == LOPT_INT32 &&
              static_cast<int>(DType::uint32) == LOPT_UINT32 && static_cast<int>(DType::boolean) == LOPT_BOOL32);

std::vector<Tensor> values_at(const lopt_trace& trace, const lopt_value* values, std::size_t count) {
  std::vector<Tensor> result;
  for (std::size_t i = 0; i < count; ++i) result.push_back(value_at(trace, values[i]));
  return result;
}
Type type_of_arguments(int type, const int64_t* shape, std::size_t rank) {
  if (rank > 32) throw SettingsError(fmt::format("{} dimensions; 32 are the most", rank));
  if (rank > 0) require_argument(shape, "lopt_trace", "shape");
  return {dtype_of_code(type), rank ? Shape(shape, shape + rank) : Shape()};
}
void hand_out(lopt_trace& trace, const std::vector<Tensor>& made, lopt_value* results, std::size_t room,
              std::size_t* count) {
  if (count) *count = made.size();
  if (made.size() > room) throw SettingsError(fmt::format("{} results, and room for {}", made.size(), room));
  for (std::size_t i = 0; i < made.size(); ++i) results[i] = add(trace, made[i]);
}
Json settings_of(const char* text) {
  if (!text || !*text) return Json::object();
  Json settings = parse_json(text);
  if (!settings.is_object()) throw SettingsError("the settings of a function are an object of JSON");
  return settings;
}

/// What a function of the caller makes of values.
std::vector<Tensor> called(lopt_trace& trace, lopt_scan_step function, void* user, const std::vector<Tensor>& given) {
  std::vector<lopt_value> values, next(1024);
  for (const Tensor& value : given) values.push_back(add(trace, value));
  std::size_t there = 0;
  if (function(user, values.data(), values.size(), next.data(), next.size(), &there) != 0 || there > next.size())
    throw std::runtime_error("the step of a loop failed");
  return values_at(trace, next.data(), there);
}

/// Puts the numbers of results in the places of "$0", "$1", ….
void place_results(Json& json, const std::vector<std::size_t>& numbers) {
  if (json.is_string()) {
    const auto& text = json.get_ref<const std::string&>();
    if (text.starts_with("$") && text.size() > 1 &&
        std::all_of(text.begin() + 1, text.end(), [](char c) { return c >= '0' && c <= '9'; }))
      json = numbers.at(std::stoul(text.substr(1)));
    return;
  }
  if (json.is_structured())
    for (Json& below : json) place_results(below, numbers);
}

}  // namespace
}  // namespace lopt

using namespace lopt;

extern "C" {

lopt_trace* lopt_trace_begin() {
  try {
    return new lopt_trace;
  } catch (...) {
    return nullptr;
  }
}
void lopt_trace_end(lopt_trace* trace) { delete trace; }

int lopt_trace_input(lopt_trace* trace, int type, const int64_t* shape, size_t rank, lopt_value* value,
                     lopt_error* error) {
  return reported(error, [&] {
    require_argument(trace, "lopt_trace_input", "trace");
    require_argument(value, "lopt_trace_input", "value");
    trace->inputs.push_back(
        make_input(fmt::format("argument {}", trace->inputs.size()), type_of_arguments(type, shape, rank)));
    *value = add(*trace, trace->inputs.back());
  });
}

int lopt_trace_constant(lopt_trace* trace, int type, const int64_t* shape, size_t rank, const void* elements,
                        lopt_value* value, lopt_error* error) {
  return reported(error, [&] {
    require_argument(trace, "lopt_trace_constant", "trace");
    require_argument(value, "lopt_trace_constant", "value");
    Array array(type_of_arguments(type, shape, rank));
    if (array.size() > 0) {
      require_argument(elements, "lopt_trace_constant", "elements");
      std::memcpy(array.overwritten_data(), elements, array.size() * 4);
    }
    *value = add(*trace, Tensor(array));
  });
}

int lopt_trace_number(lopt_trace* trace, double number, lopt_value* value, lopt_error* error) {
  return reported(error, [&] {
    require_argument(trace, "lopt_trace_number", "trace");
    require_argument(value, "lopt_trace_number", "value");
    *value = add(*trace, Tensor(number));
  });
}

int lopt_trace_type(lopt_trace* trace, lopt_value value, int* type, const int64_t** shape, size_t* rank,
                    lopt_error* error) {
  return reported(error, [&] {
    require_argument(trace, "lopt_trace_type", "trace");
    const Type& found = value_at(*trace, value).type();
    if (type) *type = static_cast<int>(found.dtype);
    if (shape) *shape = found.shape.data();
    if (rank) *rank = found.shape.size();
  });
}

int lopt_trace_apply(lopt_trace* trace, const char* function, const lopt_value* values, size_t count,
                     const char* settings, lopt_value* results, size_t room, size_t* made, const char** structure,
                     lopt_error* error) {
  return reported(error, [&] {
    require_argument(trace, "lopt_trace_apply", "trace");
    require_argument(function, "lopt_trace_apply", "function");
    if (count > 0) require_argument(values, "lopt_trace_apply", "values");
    if (room > 0) require_argument(results, "lopt_trace_apply", "results");
    const FunctionResult result = apply_function(function, values_at(*trace, values, count), settings_of(settings));
    hand_out(*trace, result.values, results, room, made);
    trace->text = result.structure.is_null() ? "" : to_text(result.structure);
    if (structure) *structure = trace->text.c_str();
  });
}

int lopt_trace_cond(lopt_trace* trace, lopt_value condition, lopt_scan_step if_true, lopt_scan_step if_false,
                    void* user, const lopt_value* operands, size_t count, lopt_value* results, size_t room,
                    size_t* made, lopt_error* error) {
  return reported(error, [&] {
    require_argument(trace, "lopt_trace_cond", "trace");
    require_argument(reinterpret_cast<const void*>(if_true), "lopt_trace_cond", "if_true");
    require_argument(reinterpret_cast<const void*>(if_false), "lopt_trace_cond", "if_false");
    if (count > 0) require_argument(operands, "lopt_trace_cond", "operands");
    const auto branch_of = [&](lopt_scan_step function) {
      return [&, function](const std::vector<Tensor>& given) { return called(*trace, function, user, given); };
    };
    hand_out(
        *trace,
        cond(value_at(*trace, condition), branch_of(if_true), branch_of(if_false), values_at(*trace, operands, count)),
        results, room, made);
  });
}

int lopt_trace_component(lopt_trace* trace, const char* kind, const char* spec, const char* function,
                         const lopt_value* values, size_t count, const char* arguments, lopt_value* results,
                         size_t room, size_t* made, const char** structure, lopt_error* error) {
  return reported(error, [&] {
    require_argument(trace, "lopt_trace_component", "trace");
    require_argument(kind, "lopt_trace_component", "kind");
    require_argument(spec, "lopt_trace_component", "spec");
    require_argument(function, "lopt_trace_component", "function");
    if (count > 0) require_argument(values, "lopt_trace_component", "values");
    if (room > 0) require_argument(results, "lopt_trace_component", "results");
    const FunctionResult result =
        trace->components.apply(kind, spec, function, values_at(*trace, values, count), settings_of(arguments));
    hand_out(*trace, result.values, results, room, made);
    trace->text = result.structure.is_null() ? "" : to_text(result.structure);
    if (structure) *structure = trace->text.c_str();
  });
}

const char* lopt_trace_functions() {
  static const std::string names = fmt::format("{}", fmt::join(function_names(), "\n"));
  return names.c_str();
}

int lopt_trace_scan(lopt_trace* trace, lopt_scan_step step, void* user, const lopt_value* carry, size_t carries,
                    const lopt_value* sequences, size_t count, const char* settings, lopt_value* results, size_t room,
                    size_t* made, lopt_error* error) {
  return reported(error, [&] {
    require_argument(trace, "lopt_trace_scan", "trace");
    require_argument(reinterpret_cast<const void*>(step), "lopt_trace_scan", "step");
    if (carries > 0) require_argument(carry, "lopt_trace_scan", "carry");
    if (count > 0) require_argument(sequences, "lopt_trace_scan", "sequences");
    const Json options = settings_of(settings);
    const auto run_step = [&](const std::vector<Tensor>& at, const std::vector<Tensor>& x) {
      std::vector<Tensor> given = at;
      given.insert(given.end(), x.begin(), x.end());
      const std::vector<Tensor> all = called(*trace, step, user, given);
      if (all.size() < carries) throw SettingsError("the step of a loop gives fewer values than it carries");
      const auto end = all.begin() + static_cast<std::ptrdiff_t>(carries);
      return ScanStep{{all.begin(), end}, {end, all.end()}};
    };
    const ScanResult result = scan(run_step, values_at(*trace, carry, carries), values_at(*trace, sequences, count),
                                   {.reverse = options.value("reverse", false),
                                    .recompute = options.value("recompute", false),
                                    .length = options.value("length", std::int64_t{0})});
    std::vector<Tensor> all = result.carry;
    all.insert(all.end(), result.outputs.begin(), result.outputs.end());
    hand_out(*trace, all, results, room, made);
  });
}

int lopt_trace_evaluate(lopt_trace* trace, lopt_value value, void* elements, lopt_error* error) {
  return reported(error, [&] {
    require_argument(trace, "lopt_trace_evaluate", "trace");
    require_argument(elements, "lopt_trace_evaluate", "elements");
    const Tensor& wanted = value_at(*trace, value);
    for (const Tensor& node : nodes_in_order(std::vector<Tensor>{wanted}))
      if (node.node()->primitive == &input_primitive)
        throw SettingsError(
            "the value depends on arguments of the program: it is not known while the program is traced");
    const std::vector<Array> made = evaluate_reference(make_program("constant", {}, {wanted}), {});
    if (made[0].size() > 0) std::memcpy(elements, made[0].data(), made[0].size() * 4);
  });
}

int lopt_trace_message(lopt_trace* trace, const lopt_value* results, size_t count, const char* message,
                       const void** bytes, size_t* size, lopt_error* error) {
  return reported(error, [&] {
    require_argument(trace, "lopt_trace_message", "trace");
    require_argument(bytes, "lopt_trace_message", "bytes");
    require_argument(size, "lopt_trace_message", "size");
    if (count > 0) require_argument(results, "lopt_trace_message", "results");
    TracerMessage made{settings_of(message), ""};
    const std::vector<std::size_t> numbers = write_nodes(made, trace->inputs, values_at(*trace, results, count));
    Json nodes = std::move(made.json["nodes"]);  // has texts of its own
    made.json.erase("nodes");
    place_results(made.json, numbers);
    made.json["nodes"] = std::move(nodes);
    trace->text = encode(made);
    *bytes = trace->text.data();
    *size = trace->text.size();
  });
}

}  // extern "C"
