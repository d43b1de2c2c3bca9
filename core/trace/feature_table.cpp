#include "trace/feature_table.h"

#include <fmt/format.h>

#include <cmath>

namespace lopt {
namespace {

using Decays = std::span<const double>;
using Kind = Accumulator::Kind;

/// Bound of features that are ratios, far beyond what they are while a problem is well.
constexpr double most_ratio = 10;
constexpr double epsilon = 1e-8;

Tensor bounded(const Tensor& x) { return clamp(x, -most_ratio, most_ratio); }
Tensor over_root(const Tensor& x, const Tensor& second_moment) { return bounded(x / (sqrt(second_moment) + epsilon)); }
Tensor constant(std::initializer_list<float> values) {
  return Tensor(Array({std::ssize(values)}, std::span<const float>(values.begin(), values.size())));
}
Tensor one(const Tensor& scalar) { return reshape(scalar, {1}); }

std::vector<Accumulator> momentum(Decays d) { return {{Kind::momentum, d[0]}}; }
std::vector<Accumulator> second_moment(Decays d) { return {{Kind::second_moment, d[0]}}; }
std::vector<Accumulator> both_moments(Decays d) { return {{Kind::momentum, d[0]}, {Kind::second_moment, d[1]}}; }
std::vector<Accumulator> two_second_moments(Decays d) {
  return {{Kind::second_moment, d[0]}, {Kind::second_moment, d[1]}};
}
std::vector<Accumulator> factored(Decays d) { return {{Kind::factored, d[0]}}; }
std::vector<Accumulator> momentum_and_factored(Decays d) { return {{Kind::momentum, d[0]}, {Kind::factored, d[1]}}; }
std::vector<Accumulator> two_losses(Decays d) { return {{Kind::loss, d[0]}, {Kind::loss, d[1]}}; }

/// How much the fast mean of losses lies below the slow one, as a share of it, five times.
Tensor loss_trend(const FeatureView& v, Decays d) {
  const Tensor fast = v.unbiased_loss(d[0]), slow = v.unbiased_loss(d[1]);
  return one(clamp((slow - fast) / (abs(slow) + epsilon) * 5, -2, 2));
}
/// Cosine of gradient and momentum over the tensor.
Tensor gradient_alignment(const FeatureView& v, Decays d) {
  const Tensor momentum = v.momentum(d[0]);
  const auto over_length = [](const Tensor& x) { return rsqrt(sum(square(x)) + 1e-24); };
  return one(sum(v.gradient * momentum) * over_length(v.gradient) * over_length(momentum));
}
Tensor tensor_kind(const FeatureView& v, Decays) {
  const int rank = v.parameter.rank();
  return constant({rank < 2 ? 1.0F : 0.0F, rank == 2 ? 1.0F : 0.0F, rank > 2 ? 1.0F : 0.0F});
}
/// Of a matrix the rows are all dimensions but the last; of a vector its one dimension is the columns.
Tensor tensor_shape(const FeatureView& v, Decays) {
  const Shape& shape = v.parameter.shape();
  const auto columns = static_cast<double>(shape.empty() ? 1 : shape.back());
  const double rows = static_cast<double>(element_count(shape)) / columns;
  return constant({static_cast<float>(std::log10(rows) / 3), static_cast<float>(std::log10(columns) / 3)});
}
/// What is left of the gradients in their mean: its root mean square over that of the gradients.
Tensor signal(const FeatureView& v, Decays d) {
  const Tensor mean_square = mean(square(v.momentum(d[0]))) * square(v.correction(d[0])),
               square_mean = mean(v.second_moment(d[1])) * v.correction(d[1]);
  return one(clamp(log((mean_square + 1e-20) / (square_mean + 1e-20)) * 0.2, -2, 2));
}

const FeatureRow table[] = {
    {.name = "parameter", .meaning = "p", .compute = [](const FeatureView& v, Decays) { return v.parameter; }},
    {.name = "gradient", .meaning = "g", .compute = [](const FeatureView& v, Decays) { return v.gradient; }},
    {.name = "momentum",
     .numbers = {{"β", 0.9}},
     .meaning = "m, running mean of gradients",
     .accumulators = momentum,
     .compute = [](const FeatureView& v, Decays d) { return v.momentum(d[0]); }},
    {.name = "second_moment",
     .numbers = {{"β", 0.999}},
     .meaning = "v, running mean of squared gradients",
     .accumulators = second_moment,
     .compute = [](const FeatureView& v, Decays d) { return v.second_moment(d[0]); }},
    {.name = "adam",
     .numbers = {{"β1", 0.9}, {"β2", 0.999}},
     .meaning = "Adam's direction m/√v, both bias-corrected, between −10 and 10",
     .accumulators = both_moments,
     .compute = [](const FeatureView& v,
                   Decays d) { return over_root(v.unbiased_momentum(d[0]), v.unbiased_second_moment(d[1])); }},
    {.name = "scaled_gradient",
     .numbers = {{"β", 0.999}},
     .meaning = "g/√v, v bias-corrected, between −10 and 10",
     .accumulators = second_moment,
     .compute = [](const FeatureView& v, Decays d) { return over_root(v.gradient, v.unbiased_second_moment(d[0])); }},
    {.name = "moment_ratio",
     .numbers = {{"β fast", 0.9}, {"β slow", 0.999}},
     .meaning = "log of a fast over a slow second moment, times 0.3, between −1.5 and 1.5",
     .accumulators = two_second_moments,
     .compute =
         [](const FeatureView& v, Decays d) {
           return clamp(log((v.unbiased_second_moment(d[0]) + 1e-16) / (v.unbiased_second_moment(d[1]) + 1e-16)), -5,
                        5) *
                  0.3;
         }},
    {.name = "inverse_root",
     .numbers = {{"β", 0.999}},
     .meaning = "1/√(v + 1e-8)",
     .accumulators = second_moment,
     .compute = [](const FeatureView& v, Decays d) { return rsqrt(v.second_moment(d[0]) + epsilon); }},
    {.name = "adafactor",
     .numbers = {{"β", 0.999}},
     .meaning = "g over the root of Adafactor's second moment, a row times a column",
     .accumulators = factored,
     .compute = [](const FeatureView& v,
                   Decays d) { return v.gradient * v.factored(d[0]).inverse_root(v.gradient.shape()); }},
    {.name = "adafactor_momentum",
     .numbers = {{"β1", 0.9}, {"β2", 0.999}},
     .meaning = "m over the root of Adafactor's second moment",
     .accumulators = momentum_and_factored,
     .compute = [](const FeatureView& v,
                   Decays d) { return v.momentum(d[0]) * v.factored(d[1]).inverse_root(v.gradient.shape()); }},
    {.name = "row",
     .numbers = {{"β", 0.999}},
     .meaning = "Adafactor's row accumulator",
     .accumulators = factored,
     .compute = [](const FeatureView& v, Decays d) { return v.factored(d[0]).row_of(v.gradient.shape()); }},
    {.name = "column",
     .numbers = {{"β", 0.999}},
     .meaning = "Adafactor's column accumulator",
     .accumulators = factored,
     .compute = [](const FeatureView& v, Decays d) { return v.factored(d[0]).column_of(v.gradient.shape()); }},
    {.name = "step",
     .meaning = "tanh(t/s − 1) at s = 1, 3, 10, … 100,000, t the steps done",
     .shared = 11,
     .compute = [](const FeatureView& v, Decays) { return step_embedding(v.step - 1); }},
    {.name = "progress",
     .meaning = "share of the problem's steps that are done; of a problem without an end, t/1000",
     .shared = 1,
     .compute = [](const FeatureView& v, Decays) { return one(v.progress); }},
    {.name = "log_step",
     .meaning = "log of the step, times 0.2",
     .shared = 1,
     .compute = [](const FeatureView& v, Decays) { return one(log(v.step) * 0.2); }},
    {.name = "horizon",
     .meaning = "log₁₀ of how many steps the problem has, over 4; without an end, as for 1000",
     .shared = 1,
     .compute =
         [](const FeatureView& v, Decays) {
           return one(log(where(v.length > 0, maximum(v.length, 1), 1000)) * (0.25 / std::log(10.0)));
         }},
    {.name = "loss_trend",
     .numbers = {{"β fast", 0.9}, {"β slow", 0.98}},
     .meaning = "how fast the loss falls: the difference of a slow and a fast mean over the slow one, times 5",
     .shared = 1,
     .accumulators = two_losses,
     .compute = loss_trend},
    {.name = "alignment",
     .numbers = {{"β", 0.9}},
     .meaning = "cosine of gradient and momentum over the tensor",
     .shared = 1,
     .accumulators = momentum,
     .compute = gradient_alignment},
    {.name = "signal",
     .numbers = {{"β1", 0.9}, {"β2", 0.999}},
     .meaning = "log of the momentum's mean square over that of the gradients, in the tensor, times 0.2",
     .shared = 1,
     .accumulators = both_moments,
     .compute = signal},
    {.name = "tensor_rms",
     .meaning = "tanh(0.3 · log of the parameters' root mean square in the tensor)",
     .shared = 1,
     .compute = [](const FeatureView& v, Decays) { return one(tanh(log(mean(square(v.parameter)) + 1e-12) * 0.15)); }},
    {.name = "tensor_size",
     .meaning = "log₁₀ of how many parameters the tensor has, over 4",
     .shared = 1,
     .compute =
         [](const FeatureView& v, Decays) {
           return constant(
               {static_cast<float>(std::log10(static_cast<double>(element_count(v.parameter.shape()))) / 4)});
         }},
    {.name = "tensor_shape",
     .meaning = "log₁₀ of the tensor's rows and of its columns, over 3",
     .shared = 2,
     .compute = tensor_shape},
    {.name = "tensor_kind",
     .meaning = "which the tensor is: a vector or scalar, a matrix, or of more dimensions (a convolution)",
     .shared = 3,
     .compute = tensor_kind},
};

}  // namespace

std::span<const FeatureRow> feature_table() { return table; }

std::string Accumulator::name() const {
  constexpr const char* names[] = {"momentum", "second_moment", "factored", "loss"};
  return fmt::format("{} {}", names[static_cast<int>(kind)], decay);
}

Tensor FeatureView::correction(double decay) const {
  return decay > 0 ? 1 / (1 - exp(step * std::log(decay))) : Tensor(1);
}
Tensor FeatureView::unbiased_momentum(double decay) const { return momentum(decay) * correction(decay); }
Tensor FeatureView::unbiased_second_moment(double decay) const { return second_moment(decay) * correction(decay); }
Tensor FeatureView::unbiased_loss(double decay) const { return loss_mean(decay) * correction(decay); }

}  // namespace lopt
