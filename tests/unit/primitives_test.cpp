// Every primitive: planned against reference executor, gradient against finite differences in float64, second order
// too.
#include "gradient/gradient.h"
#include "unit/primitive_cases.h"
#include "unit/support.h"

#include "bridge/written_program.h"
#include "catch.h"

#include <set>

using namespace lopt;
using namespace lopt::test;

namespace {

struct Traced {
  std::vector<Tensor> inputs;
  std::vector<Array> values;
};
Traced inputs_of(const Case& c, std::mt19937& random) {
  Traced result;
  for (const Type& type : c.inputs) {
    result.inputs.push_back(make_input("x", type));
    result.values.push_back(random_array(random, type, c.low, c.high));
  }
  return result;
}

void require_planned_is_reference(const Program& program, const std::vector<Array>& values) {
  const std::vector<Array> planned = compile(program).run(values), reference = evaluate_reference(program, values);
  for (std::size_t i = 0; i < planned.size(); ++i) {
    INFO(to_text(program));
    REQUIRE(difference(planned[i], reference[i]) < 2e-5);
  }
}

/// Compares the gradient of a scalar function with central differences, all in float64.
void require_gradient(const Tensor& loss, const Traced& at, double tolerance) {
  std::vector<Tensor> reals;
  std::vector<std::size_t> which;
  for (std::size_t i = 0; i < at.inputs.size(); ++i)
    if (at.inputs[i].dtype() == DType::float32) {
      reals.push_back(at.inputs[i]);
      which.push_back(i);
    }
  const Program value = make_program("value", at.inputs, {loss});
  const Program slope = make_program("slope", at.inputs, gradient(loss, reals));
  std::vector<std::vector<double>> x;
  for (const Array& array : at.values) x.push_back(as_doubles(array));
  const auto gradients = evaluate_float64(slope, x);
  for (std::size_t k = 0; k < which.size(); ++k)
    for (std::size_t element = 0; element < x[which[k]].size(); element += 1 + x[which[k]].size() / 12) {
      const double step = 1e-5, centre = x[which[k]][element];
      x[which[k]][element] = centre + step;
      const double above = evaluate_float64(value, x)[0][0];
      x[which[k]][element] = centre - step;
      const double below = evaluate_float64(value, x)[0][0];
      x[which[k]][element] = centre;
      const double expected = (above - below) / (2 * step);
      INFO("input " << which[k] << " element " << element);
      REQUIRE(gradients[k][element] == Approx(expected).epsilon(tolerance).margin(tolerance));
    }
  require_planned_is_reference(slope, at.values);
}

/// Σ weights · y: a scalar in which every element of y counts differently.
Tensor weighted(const Tensor& y) {
  std::vector<float> weights;
  for (std::int64_t i = 0; i < element_count(y.shape()); ++i)
    weights.push_back(0.5F + 0.25F * static_cast<float>(i % 5));
  return sum(y * Tensor(Array(y.shape(), weights)));
}

}  // namespace

TEST_CASE("every primitive runs planned as in the reference executor") {
  std::mt19937 random(1);
  for (const Case& c : all_cases()) {
    INFO(c.name);
    const Traced traced = inputs_of(c, random);
    require_planned_is_reference(make_program(c.name, traced.inputs, {c.f(traced.inputs)}), traced.values);
  }
}

TEST_CASE("gradients equal finite differences in float64, of the second order too") {
  std::mt19937 random(2);
  for (const Case& c : all_cases()) {
    if (!c.smooth) continue;
    INFO(c.name);
    const Traced traced = inputs_of(c, random);
    const Tensor loss = weighted(c.f(traced.inputs));
    require_gradient(loss, traced, 2e-6);
    std::vector<Tensor> reals;
    for (const Tensor& x : traced.inputs)
      if (x.dtype() == DType::float32) reals.push_back(x);
    Tensor slope = Tensor(0.0);
    for (const Tensor& g : gradient(loss, reals)) slope = slope + sum(square(g)) * 0.1 + weighted(g);
    require_gradient(slope, traced, 2e-5);
  }
}

TEST_CASE("tangents equal finite differences in float64, and ⟨u, J v⟩ is ⟨Jᵀ u, v⟩") {
  std::mt19937 random(8);
  for (const Case& c : all_cases()) {
    const Traced traced = inputs_of(c, random);
    const Tensor y = c.f(traced.inputs);
    if (y.dtype() != DType::float32) continue;
    INFO(c.name);
    std::vector<Tensor> reals, directions;
    std::vector<Array> way;
    for (const Tensor& x : traced.inputs) {
      if (x.dtype() != DType::float32) continue;
      reals.push_back(x);
      way.push_back(random_array(random, x.type(), -1, 1));
      directions.emplace_back(way.back());
    }
    const Array u = random_array(random, y.type(), -1, 1);
    const std::vector<Tensor> forward = jacobian_vector({y}, reals, directions),
                              backward = vector_jacobian({y}, {Tensor(u)}, reals);
    Tensor inner = Tensor(0.0), expected = Tensor(0.0);
    if (forward[0]) {
      CHECK(forward[0].type() == y.type());
      inner = sum(forward[0] * Tensor(u));
    }
    for (std::size_t i = 0; i < reals.size(); ++i)
      if (backward[i]) expected = expected + sum(backward[i] * directions[i]);
    CHECK(static_cast<bool>(forward[0]) ==
          std::any_of(backward.begin(), backward.end(), [](const Tensor& g) { return static_cast<bool>(g); }));
    std::vector<std::vector<double>> at;
    for (const Array& value : traced.values) at.push_back(as_doubles(value));
    const auto products = evaluate_float64(make_program("products", traced.inputs, {inner, expected}), at);
    CHECK(products[0][0] == Approx(products[1][0]).epsilon(1e-9).margin(1e-9));
    if (!forward[0]) continue;
    require_planned_is_reference(make_program(c.name, traced.inputs, {forward[0]}), traced.values);
    if (!c.smooth) continue;
    constexpr double step = 1e-6;
    auto above = at, below = at;
    std::size_t real = 0;
    for (std::size_t i = 0; i < at.size(); ++i) {
      if (traced.inputs[i].dtype() != DType::float32) continue;
      const std::vector<double> along = as_doubles(way[real++]);
      for (std::size_t k = 0; k < along.size(); ++k) {
        above[i][k] += step * along[k];
        below[i][k] -= step * along[k];
      }
    }
    const Program value = make_program("value", traced.inputs, {y});
    const auto tangent = evaluate_float64(make_program("tangent", traced.inputs, {forward[0]}), at)[0],
               high = evaluate_float64(value, above)[0], low = evaluate_float64(value, below)[0];
    for (std::size_t k = 0; k < tangent.size(); ++k)
      CHECK(tangent[k] == Approx((high[k] - low[k]) / (2 * step)).epsilon(2e-6).margin(2e-6));
  }
}

TEST_CASE("forward over reverse gives the product with the Hessian that reverse over reverse gives") {
  std::mt19937 random(9);
  for (const Case& c : all_cases()) {
    if (!c.smooth) continue;
    INFO(c.name);
    const Traced traced = inputs_of(c, random);
    const Tensor loss = weighted(square(c.f(traced.inputs)));
    std::vector<Tensor> reals, directions;
    for (const Tensor& x : traced.inputs)
      if (x.dtype() == DType::float32) {
        reals.push_back(x);
        directions.emplace_back(random_array(random, x.type(), -1, 1));
      }
    const std::vector<Tensor> slopes = gradient(loss, reals), forward = jacobian_vector(slopes, reals, directions);
    Tensor along = Tensor(0.0);
    for (std::size_t i = 0; i < reals.size(); ++i) along = along + sum(slopes[i] * directions[i]);
    const std::vector<Tensor> expected = gradient(along, reals);
    std::vector<std::vector<double>> at;
    for (const Array& value : traced.values) at.push_back(as_doubles(value));
    for (std::size_t i = 0; i < reals.size(); ++i) {
      const auto both = evaluate_float64(
          make_program("both", traced.inputs, {forward[i] ? forward[i] : zeros_like(reals[i]), expected[i]}), at);
      for (std::size_t k = 0; k < both[0].size(); ++k)
        CHECK(both[0][k] == Approx(both[1][k]).epsilon(1e-8).margin(1e-8));
    }
  }
}

TEST_CASE("each primitive has a case") {
  std::set<std::string> covered;
  for (const Case& c : all_cases()) covered.insert(c.name);
  // What the functions of the SDK can put into programs, found by tracing all cases and their gradients.
  std::set<std::string> used;
  std::mt19937 random(3);
  for (const Case& c : all_cases()) {
    const Traced traced = inputs_of(c, random);
    for (const Operation& operation : make_program("p", traced.inputs, {c.f(traced.inputs)}).operations)
      used.insert(std::string(operation.primitive->name));
  }
  used.erase("input");
  used.erase("constant");
  for (const std::string& name : used) {
    INFO(name);
    CHECK(covered.contains(name));
  }
  CHECK(covered.size() >= 45);
}

TEST_CASE("programs that were written down and read again compute the same bits, and so do their gradients") {
  std::mt19937 random(5);
  for (const Case& c : all_cases()) {
    INFO(c.name);
    const Traced traced = inputs_of(c, random);
    const Tensor value = c.f(traced.inputs);
    TracerMessage message;
    const std::vector<std::size_t> numbers = write_nodes(message, traced.inputs, {value});
    std::vector<Tensor> inputs;
    for (const Tensor& x : traced.inputs) inputs.push_back(make_input("x", x.type()));
    const Tensor again = read_nodes(decode(encode(message)), inputs).at(numbers.at(0));
    const auto results = [&](const std::vector<Tensor>& given, const Tensor& result) {
      std::vector<Tensor> all{result};
      if (c.smooth)
        for (const Tensor& x : given)
          if (x.dtype() == DType::float32) all.push_back(gradient(sum(square(result)), std::vector<Tensor>{x})[0]);
      return evaluate_reference(make_program(c.name, given, all), traced.values);
    };
    CHECK(results(traced.inputs, value) == results(inputs, again));
  }
}

TEST_CASE("order: NaN comes last, and equal elements stay in their order") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor x(Array({6}, std::vector<float>{2, nan, 1, 2, -1, 1}));
  const auto places = [](const Tensor& t) {
    const Array made = evaluate_reference(make_program("p", {}, {t}), {})[0];
    return std::vector<std::int32_t>(made.values<std::int32_t>().begin(), made.values<std::int32_t>().end());
  };
  CHECK(places(argsort(x)) == std::vector<std::int32_t>{4, 2, 5, 0, 3, 1});
  CHECK(places(argsort(x, 0, true)) == std::vector<std::int32_t>{0, 3, 2, 5, 4, 1});
  CHECK(places(top_k(x, 2).places) == std::vector<std::int32_t>{0, 3});
}

TEST_CASE("ties of maximum share the gradient, as in JAX") {
  const Tensor x = make_input("x", {DType::float32, {2}}), y = make_input("y", {DType::float32, {2}});
  const Program program = make_program("p", {x, y}, gradient(sum(maximum(x, y)), {x, y}));
  const std::vector<Array> values{Array({2}, std::vector<float>{1, 3}), Array({2}, std::vector<float>{1, 2})};
  const std::vector<Array> g = compile(program).run(values);
  CHECK(g[0].values<float>()[0] == 0.5F);
  CHECK(g[1].values<float>()[0] == 0.5F);
  CHECK(g[0].values<float>()[1] == 1);
  CHECK(g[1].values<float>()[1] == 0);
}
