#include "estimate/fault.h"

#include "estimate/shard.h"

#include "execute/non_finite.h"
#include "trace/origin.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace lopt {
namespace {

/// 8192 → "8,192".
std::string with_commas(std::int64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

/// What would help against an operation that breaks.
std::string advice(std::string_view primitive, bool in_derivative) {
  if (primitive == "sqrt")
    return in_derivative
               ? "add a small number under the root, or use rms, norm or normalize, whose derivative at 0 is 0"
               : "its argument must not be negative: take the maximum with 0, or use rms or norm";
  if (primitive == "rsqrt") return "add a small number to its argument";
  if (primitive == "log" || primitive == "log1p")
    return "its argument must be above the pole: add a small number, or take the maximum with one";
  if (primitive == "divide") return "add a small number to the divisor, or use where() on both sides of the division";
  if (primitive == "power") return "its base must be above 0 for this exponent: take the maximum with a small number";
  if (primitive == "exp" || primitive == "expm1") return "bound its argument, as in clamp(x, -20, 20)";
  if (primitive == "erf_inv") return "its argument must lie between −1 and 1";
  return "";
}

/// Finite operands of ordinary kind that became infinite: growth, not a formula that breaks.
bool is_overflow(const NonFiniteSource& source) {
  if (!std::isinf(source.element)) return false;
  const std::string_view name = source.value.node()->primitive->name;
  if (name == "log" || name == "log1p" || name == "rsqrt" || name == "erf_inv") return false;
  if (name == "divide" || name == "power") return source.operands.size() == 2 && source.operands[name == "divide"] != 0;
  return true;
}

std::string numbers(const std::vector<float>& values, const char* separator) {
  std::vector<std::string> texts;
  for (float value : values) texts.push_back(fmt::format("{:.4g}", value));
  return fmt::format("{}", fmt::join(texts, separator));
}

/// "derivative of sqrt", "derivative of divide in the derivative of log", "sqrt".
std::string operation_name(const NonFiniteSource& source, const OriginNotes& notes, bool& in_derivative) {
  const Origin* origin = notes.find(source.value);
  const std::string own(source.value.node()->primitive->name);
  in_derivative = origin && origin->derivative_of;
  if (!in_derivative) return own;
  const Tensor of = origin->derivative_of;
  const Origin* forward = notes.find(of);
  std::string text = fmt::format("derivative of {}", of.node()->primitive->name);
  if (forward && forward->derivative_of)
    text += fmt::format(", which is itself in the derivative of {}", forward->derivative_of.node()->primitive->name);
  return text;
}

/// What the operation was given. Of a derivative: the value at which it was taken, where it is a division by that
/// value.
std::string at_text(const NonFiniteSource& source, bool in_derivative) {
  if (source.operands.empty()) return "";
  if (in_derivative && source.value.node()->primitive->name == "divide")
    return fmt::format(" at {:.4g}", source.operands.back());
  return fmt::format(" of {}", numbers(source.operands, " and "));
}

}  // namespace

std::string sentence_of(const NonFiniteSource& source, const OriginNotes& notes, const LeafNames& leaves,
                        const std::vector<float>& losses) {
  bool in_derivative = false;
  std::string text = operation_name(source, notes, in_derivative);
  text += at_text(source, in_derivative);
  const Origin* origin = notes.find(source.value);
  if (origin && !origin->component.empty()) text += fmt::format(" in {}, {}", origin->component, origin->function);
  std::string leaf = leaves(source.value);
  if (leaf.empty() && in_derivative) leaf = leaves(origin->derivative_of);
  if (!leaf.empty()) text += ", leaf " + leaf;
  text +=
      fmt::format(": {} of {} elements {}", with_commas(source.count), with_commas(element_count(source.value.shape())),
                  std::isnan(source.element) ? "NaN" : "infinite");
  if (is_overflow(source)) {
    std::string grew = "numbers grew until they overflowed";
    const std::vector<float> last(losses.end() - std::min<std::ptrdiff_t>(4, std::ssize(losses)), losses.end());
    if (last.size() > 1) grew += fmt::format(" (losses {})", numbers(last, ", "));
    return fmt::format(
        "{}; {}: this is divergence, not a formula that breaks; smaller steps, or bounds on them, would help", text,
        grew);
  }
  const std::string_view broken =
      in_derivative ? origin->derivative_of.node()->primitive->name : source.value.node()->primitive->name;
  const std::string help = advice(broken, in_derivative);
  return help.empty() ? text : text + "; " + help;
}

LeafNames::LeafNames(const std::vector<Tensor>& outputs, const std::vector<std::string>& paths,
                     const std::vector<std::string>& params)
    : names_(params) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    int leaf = -1;
    for (std::size_t p = 0; p < params.size(); ++p)
      if (paths[i] == params[p] || paths[i].ends_with("/" + params[p])) leaf = static_cast<int>(p);
    if (leaf < 0) continue;
    std::vector<Tensor> pending{outputs[i]};
    while (!pending.empty()) {
      const Tensor value = pending.back();
      pending.pop_back();
      const auto [known, is_new] = leaf_.emplace(value.node().get(), leaf);
      if (!is_new && (known->second == leaf || known->second == -1)) continue;
      if (!is_new) known->second = -1;
      for (const Tensor& input : value.node()->inputs) pending.push_back(input);
    }
  }
}

std::string LeafNames::operator()(const Tensor& value) const {
  const auto found = leaf_.find(value.node().get());
  return found == leaf_.end() || found->second < 0 ? "" : names_[static_cast<std::size_t>(found->second)];
}

void FaultFinder::report(const Lane& lane, const InnerProblem& problem, const LaneWorker& worker,
                         const std::function<TracedProgram()>& trace, bool loss_first) {
  OriginNotes notes;
  TracedProgram program = trace();
  if (loss_first) {
    std::rotate(program.outputs.begin(), program.outputs.end() - 1, program.outputs.end());
    std::rotate(program.output_names.begin(), program.output_names.end() - 1, program.output_names.end());
  }
  const auto source = find_non_finite(program.outputs, program.inputs, worker.inputs);
  const std::string place = fmt::format(
      "{}problem {}{}, inner step {}",
      lane.stream < streams_a_shard ? "" : fmt::format("shard {}, ", lane.stream / streams_a_shard),
      lane.stream % streams_a_shard, lane.task > 0 ? fmt::format(" (task {})", lane.task) : "", lane.iteration);
  if (!source) {
    sentence_ = fmt::format("{}: θ or the state was not finite before", place);
    return;
  }
  if (!source->input.empty()) {
    sentence_ = fmt::format("{}: {} was not finite already when the meta-step began; an earlier step says why", place,
                            source->input);
    return;
  }
  const LeafNames leaves(program.state, problem.state_types().paths(), problem.params_types().paths());
  sentence_ = fmt::format("{}: {}", place, sentence_of(*source, notes, leaves, losses_));
}

void FaultFinder::after_start(const Lane& lane, const InnerProblem& problem, const LaneWorker& worker,
                              const std::vector<Array>& state) {
  losses_.clear();
  if (!sentence_.empty() || std::all_of(state.begin(), state.end(), all_finite)) return;
  report(
      lane, problem, worker, [&] { return problem.traced_start(); }, false);
}

void FaultFinder::after_step(const Lane& lane, const InnerProblem& problem, const LaneWorker& worker,
                             const std::vector<Array>& next, float loss) {
  if (!sentence_.empty()) return;
  const std::pair now{lane.stream, lane.position};
  if (now != std::pair{last_.first, last_.second + 1}) losses_.clear();
  last_ = now;
  losses_.push_back(loss);
  const bool finite = std::isfinite(loss);
  if (finite && std::all_of(next.begin(), next.end(), all_finite)) return;
  report(
      lane, problem, worker, [&] { return problem.traced_step(); }, !finite);
}

void FaultFinder::after_gradient(const Lane& lane, const InnerProblem& problem, InnerProblem::GradientForm form,
                                 const LaneWorker& worker, const std::vector<Array>& d_theta,
                                 const std::vector<Array>& d_state) {
  if (!sentence_.empty() || (std::all_of(d_theta.begin(), d_theta.end(), all_finite) &&
                             std::all_of(d_state.begin(), d_state.end(), all_finite)))
    return;
  report(
      lane, problem, worker, [&] { return problem.traced_gradient(form); }, false);
}

void FaultFinder::after_tangent(const Lane& lane, const InnerProblem& problem, InnerProblem::TangentForm form,
                                const LaneWorker& worker, std::span<const std::vector<Array>> d_next,
                                std::span<const float> d_loss) {
  const auto finite = [](const std::vector<Array>& leaves) {
    return std::all_of(leaves.begin(), leaves.end(), all_finite);
  };
  if (!sentence_.empty() || (std::all_of(d_next.begin(), d_next.end(), finite) &&
                             std::all_of(d_loss.begin(), d_loss.end(), [](float x) { return std::isfinite(x); })))
    return;
  report(
      lane, problem, worker, [&] { return problem.traced_tangent(form); }, false);
}

}  // namespace lopt
