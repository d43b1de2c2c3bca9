#include "trace/feature_table.h"

#include "spec/node.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <sstream>

namespace lopt {

struct Features::Request {
  const FeatureRow* row;
  std::vector<double> decays;
  bool normalized;

  std::vector<Accumulator> accumulators() const {
    return row->accumulators ? row->accumulators(decays) : std::vector<Accumulator>{};
  }
};

namespace {

constexpr const char* normalized_word = "normalized";
/// ε of "normalized", added to the mean square.
constexpr double normalized_epsilon = 1e-5;

const FeatureRow& row_of(const std::string& name) {
  std::vector<std::string> known;
  for (const FeatureRow& row : feature_table()) {
    if (row.name == name) return row;
    known.push_back(row.name);
  }
  std::string hint = did_you_mean(name, known);
  if (hint.empty()) hint = fmt::format("; there are: {}", fmt::join(known, ", "));
  throw std::invalid_argument(fmt::format(
      "must be a feature, as in `momentum 0.99` or `normalized gradient`, and there is no '{}'{}", name, hint));
}

double decay_in(const std::string& word, const std::string& feature, const std::string& number) {
  double value = 0;
  const auto [stop, code] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (code != std::errc() || stop != word.data() + word.size())
    throw std::invalid_argument(fmt::format("has '{}' where {} of {} should be: a number", word, number, feature));
  if (!(value >= 0 && value < 1))
    throw std::invalid_argument(
        fmt::format("has {} = {} of {}; a decay is at least 0 and below 1", number, word, feature));
  return value;
}

/// Accumulators that are asked for, each once.
std::vector<Accumulator> distinct(const std::vector<std::vector<Accumulator>>& lists) {
  std::vector<Accumulator> result;
  for (const std::vector<Accumulator>& list : lists)
    for (const Accumulator& a : list)
      if (std::find(result.begin(), result.end(), a) == result.end()) result.push_back(a);
  return result;
}
/// The share of a problem's steps that are done after `step`; of one without an end, a thousandth for each.
Tensor progress_of(const Tensor& step, const UpdateContext& context) {
  const Tensor of_endless = step * 0.001;
  if (!context.length)
    return context.num_steps > 0 ? minimum(step / static_cast<double>(context.num_steps), 1) : of_endless;
  const Tensor length = convert(context.length, DType::float32);
  return where(context.length > 0, minimum(step / maximum(length, 1), 1), of_endless);
}
/// How many steps a problem has, 0 where it is without an end.
Tensor length_of(const UpdateContext& context) {
  return context.length ? convert(context.length, DType::float32) : Tensor(static_cast<float>(context.num_steps));
}
std::string row_name(const Accumulator& a) { return a.name() + " row"; }
std::string column_name(const Accumulator& a) { return a.name() + " column"; }

/// f(i, moment) of each tensor's factored moment, as two entries.
template <class Moment>
void put_factored(Tree& tree, const Accumulator& a, const Tree& like, Moment moment) {
  std::vector<Tensor> rows, columns;
  for (std::size_t i = 0; i < like.leaf_count(); ++i) {
    const FactoredMoment of_tensor = moment(i);
    rows.push_back(of_tensor.row);
    columns.push_back(of_tensor.column);
  }
  tree.set(row_name(a), like.with_leaves<Tensor>(rows));
  tree.set(column_name(a), like.with_leaves<Tensor>(columns));
}

/// The words of a feature's name.
template <class Request>
Request parsed(const std::string& name, double momentum_decay) {
  std::istringstream words(name);
  std::vector<std::string> list;
  for (std::string word; words >> word;) list.push_back(word);
  const bool normalized = !list.empty() && list[0] == normalized_word;
  if (normalized) list.erase(list.begin());
  if (list.empty()) throw std::invalid_argument("must be a feature, as in `momentum 0.99`; it is empty");
  const FeatureRow& row = row_of(list[0]);
  if (normalized && row.shared > 0)
    throw std::invalid_argument(fmt::format("normalizes {}, which is one for the whole tensor already", row.name));
  if (list.size() - 1 > row.numbers.size())
    throw std::invalid_argument(row.numbers.empty() ? fmt::format("has a number behind {}, which takes none", row.name)
                                                    : fmt::format("has {} numbers; {} takes at most {}",
                                                                  list.size() - 1, row.name, row.numbers.size()));
  Request request{&row, {}, normalized};
  for (std::size_t i = 0; i < row.numbers.size(); ++i)
    request.decays.push_back(i + 1 < list.size()      ? decay_in(list[i + 1], row.name, row.numbers[i].name)
                             : row.name == "momentum" ? momentum_decay
                                                      : row.numbers[i].by_default);
  return request;
}
}  // namespace

Features::Features(const std::vector<std::string>& names, double momentum_decay) {
  for (const std::string& name : names) requests_.push_back(parsed<Request>(name, momentum_decay));
}
Features::Features(Settings& settings, std::vector<std::string> by_default, double momentum_decay)
    : Features(static_cast<std::vector<std::string>>(
                   settings.texts("features", std::move(by_default))
                       .not_empty()
                       .each([](const std::string& name) -> std::string {
                         try {
                           static_cast<void>(parsed<Request>(name, 0.9));
                           return "";
                         } catch (const std::invalid_argument& error) {
                           return error.what();
                         }
                       })
                       .doc("what the network sees; `lopt-run describe features` lists them")),
               momentum_decay) {}
Features::Features(const Features&) = default;
Features::Features(Features&&) noexcept = default;
Features::~Features() = default;

std::int64_t Features::own_count() const {
  return std::count_if(requests_.begin(), requests_.end(), [](const Request& r) { return r.row->shared == 0; });
}
std::int64_t Features::shared_count() const {
  std::int64_t count = 0;
  for (const Request& request : requests_) count += request.row->shared;
  return count;
}

std::vector<Accumulator> Features::accumulators() const {
  std::vector<std::vector<Accumulator>> lists;
  for (const Request& request : requests_) lists.push_back(request.accumulators());
  return distinct(lists);
}

Tree Features::start(const Tree& params) const {
  Tree result;
  for (const Accumulator& a : accumulators()) {
    if (a.kind == Accumulator::Kind::factored) {
      const std::vector<Tensor> leaves = params.leaves();
      put_factored(result, a, params, [&](std::size_t i) { return FactoredMoment::start(leaves[i]); });
    } else {
      result.set(a.name(), a.kind == Accumulator::Kind::loss ? Tree(zeros({})) : zeros_like(params));
    }
  }
  return result;
}

Tree Features::next(const Tree& old, const Tree& grads, const UpdateContext& context) const {
  Tree result;
  for (const Accumulator& a : accumulators()) {
    const auto mean = [&](const Tree& x) { result.set(a.name(), moving_mean(old[a.name()], x, a.decay)); };
    switch (a.kind) {
      case Accumulator::Kind::momentum: mean(grads); break;
      case Accumulator::Kind::second_moment: mean(square(grads)); break;
      case Accumulator::Kind::loss: mean(Tree(context.loss)); break;
      case Accumulator::Kind::factored: {
        const std::vector<Tensor> gradients = grads.leaves(), rows = old[row_name(a)].leaves(),
                                  columns = old[column_name(a)].leaves();
        put_factored(result, a, grads, [&](std::size_t i) {
          return FactoredMoment{rows[i], columns[i]}.updated(gradients[i], a.decay);
        });
      }
    }
  }
  return result;
}

std::vector<Features::OfTensor> Features::of(const Tree& params, const Tree& grads, const Tree& accumulators,
                                             const UpdateContext& context) const {
  const std::vector<Tensor> p = params.leaves(), g = grads.leaves();
  const Tensor step = convert(context.iteration, DType::float32) + 1;
  const Tensor progress = progress_of(step, context), length = length_of(context);
  std::vector<OfTensor> result;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const auto leaf = [&, i](const std::string& name) { return accumulators[name].leaves().at(i); };
    using Kind = Accumulator::Kind;
    const FeatureView view{p[i],
                           g[i],
                           [&](double decay) {
                             return leaf(Accumulator{Kind::momentum, decay}.name());
                           },
                           [&](double decay) {
                             return leaf(Accumulator{Kind::second_moment, decay}.name());
                           },
                           [&](double decay) {
                             return accumulators[Accumulator{Kind::loss, decay}.name()].leaf();
                           },
                           [&](double decay) {
                             const Accumulator a{Kind::factored, decay};
                             return FactoredMoment{leaf(row_name(a)), leaf(column_name(a))};
                           },
                           step,
                           progress,
                           length};
    OfTensor of_tensor;
    std::vector<Tensor> shared;
    for (const Request& request : requests_) {
      const Tensor feature = request.row->compute(view, request.decays);
      if (request.row->shared > 0)
        shared.push_back(feature);
      else
        of_tensor.own.push_back(request.normalized ? normalized_by_moment(feature, normalized_epsilon) : feature);
    }
    if (!shared.empty()) of_tensor.shared = shared.size() == 1 ? shared[0] : concatenate(shared, 0);
    result.push_back(std::move(of_tensor));
  }
  return result;
}

Tensor dense_network(const Features::OfTensor& features, const std::vector<Tensor>& weights,
                     const std::vector<Tensor>& biases, std::string_view activation_name) {
  if (!features.shared) return dense_network(stack(features.own, -1), weights, biases, activation_name);
  return dense_network(stack(features.own, -1), features.shared, weights, biases, activation_name);
}

Tensor dense_network(const Features::OfTensor& features, const Tree& theta, std::string_view activation_name) {
  const DenseLayers layers = layers_of(theta);
  return dense_network(features, layers.weights, layers.biases, activation_name);
}

std::vector<FeatureInfo> feature_list() {
  std::vector<FeatureInfo> result;
  for (const FeatureRow& row : feature_table()) {
    std::string usage = row.name, meaning = row.meaning;
    for (const FeatureRow::Number& number : row.numbers) {
      usage += fmt::format(" {}", number.name);
      meaning += fmt::format("{}{} = {}", &number == row.numbers.data() ? "; by default " : ", ", number.name,
                             number.by_default);
    }
    result.push_back({std::move(usage), std::move(meaning)});
  }
  return result;
}

}  // namespace lopt
