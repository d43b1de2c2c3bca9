#include "execute/plan_cache.h"

#include "trace/scan_body.h"

#include <algorithm>
#include <array>

namespace lopt {
namespace {

/// How much two programs must agree in: constants in their types, or in their elements too.
enum class Constants { types, elements };

bool same_plan(const Program& a, const Program& b, Constants constants);

Program program_of(const ScanBody& body) { return make_program("body", body.inputs(), body.outputs()); }

bool same_loop(const ScanBody& a, const ScanBody& b) {
  auto counts = [](const ScanBody& body) {
    return std::array{body.carry.size(),   body.slices.size(), body.constants.size(),
                      body.stacked.size(), body.summed.size(), body.products};
  };
  return a.length == b.length && a.reverse == b.reverse && a.counted == b.counted && counts(a) == counts(b) &&
         same_plan(program_of(a), program_of(b), Constants::elements);
}

bool same_attributes(const Attributes& a, const Attributes& b, Constants constants) {
  if (std::holds_alternative<InputName>(a)) return std::holds_alternative<InputName>(b);
  if (constants == Constants::types && std::holds_alternative<Constant>(a)) return std::holds_alternative<Constant>(b);
  if (const auto* loop_a = std::get_if<Loop>(&a), *loop_b = std::get_if<Loop>(&b); loop_a && loop_b)
    return loop_a->body == loop_b->body || same_loop(*loop_a->body, *loop_b->body);
  return a == b;
}

bool same_plan(const Program& a, const Program& b, Constants constants) {
  return a.inputs == b.inputs && a.outputs == b.outputs &&
         std::ranges::equal(a.operations, b.operations, [&](const Operation& x, const Operation& y) {
           return x.primitive == y.primitive && x.inputs == y.inputs && x.type == y.type &&
                  same_attributes(x.attributes, y.attributes, constants);
         });
}

std::size_t hash_of(const Program& program) {
  std::size_t hash = std::hash<std::string>()(program.name);
  auto mix = [&](std::size_t value) { hash = (hash ^ value) * 0x9E3779B97F4A7C15ULL + (hash >> 29U); };
  for (const Operation& operation : program.operations) {
    mix(std::hash<const void*>()(operation.primitive));
    for (const ValueId input : operation.inputs) mix(input);
    for (const std::int64_t length : operation.type.shape) mix(static_cast<std::size_t>(length));
  }
  return hash;
}

std::vector<Array> constants_of(const Program& program) {
  std::vector<Array> constants;
  for (const Operation& operation : program.operations)
    if (const auto* constant = std::get_if<Constant>(&operation.attributes)) constants.push_back(constant->value);
  return constants;
}

}  // namespace

Executable PlanCache::compile(const Program& program) {
  const std::lock_guard lock(mutex_);
  const std::size_t hash = hash_of(program);
  const auto [begin, end] = known_.equal_range(hash);
  for (auto it = begin; it != end; ++it)
    if (same_plan(it->second.program, program, Constants::types))
      return it->second.executable.with_constants(constants_of(program));
  return known_.emplace(hash, Known{program, lopt::compile(program, all_outputs_have_room(program))})
      ->second.executable;
}

}  // namespace lopt
