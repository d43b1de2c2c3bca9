#include "bridge/functions.h"

#include "bridge/host_workers.h"

#include <lopt/features.h>
#include <lopt/matrices.h>
#include <lopt/networks.h>
#include <lopt/random.h>

#include <fmt/format.h>

#include <cmath>
#include <map>

namespace lopt {
namespace {

using Tensors = std::vector<Tensor>;

/// The arguments of a call.
struct Call {
  const Tensors& x;
  const Json& settings;

  const Tensor& operator[](std::size_t i) const {
    if (i >= x.size()) throw SettingsError(fmt::format("argument {} is missing; {} are given", i + 1, x.size()));
    return x[i];
  }
  template <class Value>
  Value get(const char* name) const {
    if (!settings.contains(name)) throw SettingsError(fmt::format("the setting '{}' is missing", name));
    return settings.at(name).get<Value>();
  }
  template <class Value>
  Value get(const char* name, Value otherwise) const {
    const auto found = settings.find(name);
    return found == settings.end() || found->is_null() ? otherwise : found->get<Value>();
  }
  std::vector<int> axes() const { return get<std::vector<int>>("axes", {}); }
  Shape shape() const { return get<Shape>("shape"); }
  DType dtype(const char* otherwise) const { return dtype_named(get<std::string>("dtype", otherwise)); }
  Key key() const { return {(*this)[0]}; }
  /// The arguments from one on.
  Tensors from(std::size_t first) const {
    return first < x.size() ? Tensors(x.begin() + static_cast<std::ptrdiff_t>(first), x.end()) : Tensors{};
  }
};
using Function = FunctionResult (*)(const Call&);

FunctionResult one(Tensor value) { return {{std::move(value)}, nullptr}; }
template <Tensor (*f)(const Tensor&)>
FunctionResult unary(const Call& c) {
  return one(f(c[0]));
}
template <Tensor (*f)(const Tensor&, const Tensor&)>
FunctionResult binary(const Call& c) {
  return one(f(c[0], c[1]));
}
template <Tensor (*f)(const Tensor&, const std::vector<int>&)>
FunctionResult reduction(const Call& c) {
  return one(f(c[0], c.axes()));
}

Padded padded_named(const std::string& name) {
  if (name == "same") return Padded::same;
  if (name == "valid") return Padded::valid;
  if (name == "by") return Padded::by;
  throw SettingsError(fmt::format("the padding '{}' is none of same, valid and by", name));
}
Window window_of(const Call& c) {
  using Pair = std::vector<std::int64_t>;
  return {c.get<Pair>("stride", {1, 1}), c.get<Pair>("dilation", {1, 1}),
          padded_named(c.get<std::string>("padding", "same")), c.get<Pair>("before", {0, 0}),
          c.get<Pair>("after", {0, 0})};
}

/// A tree of arguments, of which the settings have the structure.
Tree tree_argument(const Call& c, const char* name) {
  return tree_from_json<Tensor>(c.get<Json>(name), [&](const Json& place) { return c[place.get<std::size_t>()]; });
}
UpdateContext context_argument(const Call& c) {
  UpdateContext context;
  const Json given = c.get<Json>("context", Json::object());
  const auto value = [&](const char* key) {
    return given.contains(key) ? c[given.at(key).get<std::size_t>()] : Tensor();
  };
  context.loss = value("loss");
  context.iteration = value("iteration");
  context.length = value("length");
  context.key = {value("key")};
  context.num_steps = given.value("num_steps", std::int64_t{0});
  return context;
}
Features features_of(const Call& c) {
  return Features(c.get<std::vector<std::string>>("names"), c.get<double>("momentum_decay", 0.9));
}
/// x, then layers as w0, b0, w1, b1, …, the first `first` arguments being something else.
DenseLayers layers_behind(const Call& c, std::size_t first) {
  DenseLayers layers;
  const Tensors all = c.from(first);
  for (std::size_t i = 0; i + 1 < all.size(); i += 2) {
    layers.weights.push_back(all[i]);
    layers.biases.push_back(all[i + 1]);
  }
  return layers;
}

void add_arithmetic(std::map<std::string, Function>& f) {
  f["add"] = [](const Call& c) { return one(c[0] + c[1]); };
  f["subtract"] = [](const Call& c) { return one(c[0] - c[1]); };
  f["multiply"] = [](const Call& c) { return one(c[0] * c[1]); };
  f["divide"] = [](const Call& c) { return one(c[0] / c[1]); };
  f["negate"] = [](const Call& c) { return one(-c[0]); };
  f["equal"] = [](const Call& c) { return one(c[0] == c[1]); };
  f["not_equal"] = [](const Call& c) { return one(c[0] != c[1]); };
  f["less"] = [](const Call& c) { return one(c[0] < c[1]); };
  f["less_equal"] = [](const Call& c) { return one(c[0] <= c[1]); };
  f["greater"] = [](const Call& c) { return one(c[0] > c[1]); };
  f["greater_equal"] = [](const Call& c) { return one(c[0] >= c[1]); };
  f["and"] = [](const Call& c) { return one(c[0] & c[1]); };
  f["or"] = [](const Call& c) { return one(c[0] | c[1]); };
  f["xor"] = [](const Call& c) { return one(c[0] ^ c[1]); };
  f["maximum"] = binary<maximum>;
  f["minimum"] = binary<minimum>;
  f["power"] = binary<power>;
  f["remainder"] = binary<remainder>;
  f["quotient"] = binary<quotient>;
  f["shift_left"] = binary<shift_left>;
  f["shift_right"] = binary<shift_right>;
  f["where_positive"] = binary<where_positive>;
  f["strong_zero"] = binary<strong_zero>;
  f["multiply_add"] = [](const Call& c) { return one(multiply_add(c[0], c[1], c[2])); };
  f["where"] = [](const Call& c) { return one(where(c[0], c[1], c[2])); };
  f["clamp"] = [](const Call& c) { return one(clamp(c[0], c.get<double>("low"), c.get<double>("high"))); };
  f["logical_not"] = unary<logical_not>;
  f["exp"] = unary<exp>;
  f["log"] = unary<log>;
  f["log1p"] = unary<log1p>;
  f["expm1"] = unary<expm1>;
  f["sqrt"] = unary<sqrt>;
  f["rsqrt"] = unary<rsqrt>;
  f["tanh"] = unary<tanh>;
  f["sin"] = unary<sin>;
  f["cos"] = unary<cos>;
  f["sigmoid"] = unary<sigmoid>;
  f["erf_inv"] = unary<erf_inv>;
  f["erf"] = unary<erf>;
  f["floor"] = unary<floor>;
  f["abs"] = unary<abs>;
  f["sign"] = unary<sign>;
  f["square"] = unary<square>;
  f["relu"] = unary<relu>;
  f["is_nan"] = unary<is_nan>;
  f["stop_gradient"] = unary<stop_gradient>;
  f["zeros_like"] = unary<zeros_like>;
  f["convert"] = [](const Call& c) { return one(convert(c[0], c.dtype("float32"))); };
  f["bitcast"] = [](const Call& c) { return one(bitcast(c[0], c.dtype("float32"))); };
}

void add_shapes(std::map<std::string, Function>& f) {
  f["reshape"] = [](const Call& c) { return one(reshape(c[0], c.shape())); };
  f["broadcast_to"] = [](const Call& c) { return one(broadcast_to(c[0], c.shape())); };
  f["expand_dims"] = [](const Call& c) { return one(expand_dims(c[0], c.get<int>("axis"))); };
  f["transpose"] = [](const Call& c) { return one(transpose(c[0], c.axes())); };
  f["slice"] = [](const Call& c) {
    return one(slice(c[0], c.get<Shape>("start"), c.get<Shape>("stop"), c.get<Shape>("stride", {})));
  };
  f["take"] = [](const Call& c) { return one(take(c[0], c.get<std::int64_t>("index"), c.get<int>("axis"))); };
  f["pad"] = [](const Call& c) { return one(pad(c[0], c.get<Shape>("before"), c.get<Shape>("after"))); };
  f["concatenate"] = [](const Call& c) { return one(concatenate(c.x, c.get<int>("axis", 0))); };
  f["stack"] = [](const Call& c) { return one(stack(c.x, c.get<int>("axis", 0))); };
  f["gather_rows"] = [](const Call& c) { return one(gather_rows(c[0], c[1])); };
  f["scatter_add_rows"] = [](const Call& c) { return one(scatter_add_rows(c[0], c[1], c.get<std::int64_t>("rows"))); };
  f["gather"] = [](const Call& c) { return one(gather(c[0], c[1], c.get<int>("axis", 0))); };
  f["scatter_add"] = [](const Call& c) {
    return one(scatter_add(c[0], c[1], c.get<std::int64_t>("length"), c.get<int>("axis", 0)));
  };
  f["take_along"] = binary<take_along>;
  f["lower_triangle"] = [](const Call& c) { return one(lower_triangle(c[0], c.get<int>("diagonal", 0))); };
  f["upper_triangle"] = [](const Call& c) { return one(upper_triangle(c[0], c.get<int>("diagonal", 0))); };
  f["full"] = [](const Call& c) { return one(full(c.shape(), c.get<double>("value"), c.dtype("float32"))); };
  f["arange"] = [](const Call& c) { return one(arange(c.get<std::int64_t>("n"))); };
  f["sum"] = reduction<sum>;
  f["mean"] = reduction<mean>;
  f["max"] = reduction<max>;
  f["min"] = reduction<min>;
  f["prod"] = reduction<prod>;
  f["variance"] = reduction<variance>;
  f["log_sum_exp"] = reduction<log_sum_exp>;
  f["norm"] = reduction<norm>;
  f["rms"] = reduction<rms>;
  f["normalize"] = reduction<normalize>;
  f["argmax"] = [](const Call& c) { return one(argmax(c[0], c.get<int>("axis", -1))); };
  f["argsort"] = [](const Call& c) {
    return one(argsort(c[0], c.get<int>("axis", -1), c.get<bool>("descending", false)));
  };
  f["sort"] = [](const Call& c) { return one(sort(c[0], c.get<int>("axis", -1), c.get<bool>("descending", false))); };
  f["reversed"] = [](const Call& c) { return one(reversed(c[0], c.get<int>("axis"))); };
  f["top_k"] = [](const Call& c) {
    const TopK top = top_k(c[0], c.get<std::int64_t>("k"));
    return FunctionResult{{top.values, top.places}, nullptr};
  };
  f["cumulative_sum"] = [](const Call& c) { return one(cumulative_sum(c[0], c.get<int>("axis"))); };
  f["cumulative_max"] = [](const Call& c) { return one(cumulative_max(c[0], c.get<int>("axis"))); };
  f["cumulative_prod"] = [](const Call& c) { return one(cumulative_prod(c[0], c.get<int>("axis"))); };
  f["matmul"] = binary<matmul>;
  f["gradient"] = [](const Call& c) { return FunctionResult{gradient(c[0], c.from(1)), nullptr}; };
}

void add_networks(std::map<std::string, Function>& f) {
  f["log_softmax"] = unary<log_softmax>;
  f["softmax"] = unary<softmax>;
  f["one_hot"] = [](const Call& c) { return one(one_hot(c[0], c.get<std::int64_t>("classes"))); };
  f["activation"] = [](const Call& c) { return one(activation(c.get<std::string>("name"), c[0])); };
  f["silu"] = unary<silu>;
  f["softplus"] = unary<softplus>;
  f["gelu"] = unary<gelu>;
  f["exact_gelu"] = unary<exact_gelu>;
  f["leaky_relu"] = [](const Call& c) { return one(leaky_relu(c[0], c.get<double>("slope", 0.01))); };
  f["convolution"] = [](const Call& c) {
    return one(convolution(c[0], c[1], window_of(c), c.get<std::int64_t>("groups", 1)));
  };
  f["max_pool"] = [](const Call& c) {
    return one(max_pool(c[0], c.get<std::int64_t>("height"), c.get<std::int64_t>("width"), window_of(c)));
  };
  f["mean_pool"] = [](const Call& c) {
    return one(mean_pool(c[0], c.get<std::int64_t>("height"), c.get<std::int64_t>("width"), window_of(c)));
  };
  f["dense_network"] = [](const Call& c) {
    const DenseLayers layers = layers_behind(c, 1);
    return one(dense_network(c[0], layers.weights, layers.biases, c.get<std::string>("activation", "relu")));
  };
  f["dense_network_shared"] = [](const Call& c) {
    const DenseLayers layers = layers_behind(c, 2);
    return one(dense_network(c[0], c[1], layers.weights, layers.biases, c.get<std::string>("activation", "relu")));
  };
  f["embedding"] = binary<embedding>;
  f["layer_norm"] = [](const Call& c) { return one(layer_norm(c[0], c[1], c[2], c.get<double>("epsilon", 1e-5))); };
  f["attention"] = [](const Call& c) { return one(attention(c[0], c[1], c[2], c.get<bool>("causal", false))); };
  f["multi_head_attention"] = [](const Call& c) {
    return one(multi_head_attention(c[0], c[1], c[2], c.get<std::int64_t>("heads"), c.get<bool>("causal", false)));
  };
  f["dropout"] = [](const Call& c) { return one(dropout(c.key(), c[1], c.get<double>("rate"))); };
  f["cross_entropy"] = binary<cross_entropy>;
  f["accuracy"] = binary<accuracy>;
  f["gru"] = [](const Call& c) { return one(gru(c[0], c[1], c[2], c[3])); };
  f["lstm"] = [](const Call& c) {
    const RecurrentState state = lstm(c[0], {c[1], c[2]}, c[3], c[4]);
    return FunctionResult{{state.hidden, state.cell}, nullptr};
  };
  f["initial_weights"] = [](const Call& c) {
    return one(initial_weights(c.get<std::string>("name"), c.key(), c.shape(), c.get<double>("scale", 1)));
  };
  f["fan_in_weights"] = [](const Call& c) {
    return one(fan_in_weights(c.key(), c.get<std::int64_t>("in"), c.get<std::int64_t>("out")));
  };
  f["dense_weights"] = [](const Call& c) {
    return named_result(dense_weights(c.key(), c.get<std::vector<std::int64_t>>("widths"),
                                      c.get<bool>("last_is_zero", false) ? LastLayer::zero : LastLayer::random));
  };
}

void add_matrices(std::map<std::string, Function>& f) {
  f["identity_matrix"] = [](const Call& c) {
    return one(identity_matrix(c.get<std::int64_t>("n"), c.get<double>("value", 1)));
  };
  f["newton_schulz"] = [](const Call& c) { return one(newton_schulz(c[0], c.get<int>("iterations", 5))); };
  f["orthogonal_factor"] = [](const Call& c) { return one(orthogonal_factor(c[0], c.get<double>("least", 1e-3))); };
  f["orthogonal_blocks"] = [](const Call& c) {
    return one(orthogonal_blocks(c[0], c.get<std::int64_t>("block", 64), c.get<double>("least", 1e-3)));
  };
  f["inverse_root"] = [](const Call& c) {
    return one(inverse_root(c[0], c.get<int>("p"), c.get<int>("iterations", 30)));
  };
  f["orthonormal_columns"] = unary<orthonormal_columns>;
}

void add_random(std::map<std::string, Function>& f) {
  f["split"] = [](const Call& c) { return one(split_rows(c.key(), c.get<std::int64_t>("count", 2))); };
  f["fold_in"] = [](const Call& c) { return one(fold_in(c.key(), c.get<std::uint32_t>("data")).bits); };
  f["random_bits"] = [](const Call& c) { return one(random_bits(c.key(), c.shape())); };
  f["uniform"] = [](const Call& c) {
    return one(uniform(c.key(), c.shape(), c.get<double>("low", 0), c.get<double>("high", 1)));
  };
  f["normal"] = [](const Call& c) { return one(normal(c.key(), c.shape())); };
  f["randint"] = [](const Call& c) {
    return one(randint(c.key(), c.shape(), c.get<std::int32_t>("low"), c.get<std::int32_t>("high")));
  };
}

void add_features(std::map<std::string, Function>& f) {
  f["step_embedding"] = unary<step_embedding>;
  f["moving_mean"] = [](const Call& c) { return one(moving_mean(c[0], c[1], c[2])); };
  f["normalized_by_moment"] = [](const Call& c) {
    return one(normalized_by_moment(c[0], c.get<double>("epsilon", 1e-5), c.axes()));
  };
  f["features_start"] = [](const Call& c) { return named_result(features_of(c).start(tree_argument(c, "params"))); };
  f["features_next"] = [](const Call& c) {
    return named_result(
        features_of(c).next(tree_argument(c, "accumulators"), tree_argument(c, "grads"), context_argument(c)));
  };
  // For each tensor its own features and, behind them, what it shares.
  f["features_of"] = [](const Call& c) {
    std::vector<Tree::Entry> tensors;
    for (const Features::OfTensor& of : features_of(c).of(tree_argument(c, "params"), tree_argument(c, "grads"),
                                                          tree_argument(c, "accumulators"), context_argument(c))) {
      std::vector<Tree::Entry> own;
      for (const Tensor& feature : of.own) own.emplace_back(std::to_string(own.size()), feature);
      Tree tensor{{"own", Tree(std::move(own))}};
      if (of.shared) tensor.set("shared", of.shared);
      tensors.emplace_back(std::to_string(tensors.size()), std::move(tensor));
    }
    return named_result(Tree(std::move(tensors)));
  };
  f["features_network"] = [](const Call& c) {
    Features::OfTensor of;
    const auto own = c.get<std::size_t>("own");
    for (std::size_t i = 0; i < own; ++i) of.own.push_back(c[i]);
    const bool shared = c.get<bool>("shared");
    if (shared) of.shared = c[own];
    const DenseLayers layers = layers_behind(c, own + (shared ? 1 : 0));
    return one(dense_network(of, layers.weights, layers.biases, c.get<std::string>("activation", "relu")));
  };
}

void add_host(std::map<std::string, Function>& f) {
  f["host"] = [](const Call& c) {
    return one(lopt::apply(std::make_shared<const HostFunction>(c.settings, nullptr), c.x));
  };
}

const std::map<std::string, Function>& all_functions() {
  static const std::map<std::string, Function> functions = [] {
    std::map<std::string, Function> f;
    for (auto* add : {add_arithmetic, add_shapes, add_networks, add_matrices, add_random, add_features, add_host})
      add(f);
    return f;
  }();
  return functions;
}

}  // namespace

FunctionResult named_result(const Tree& tree) {
  FunctionResult result{tree.leaves(), nullptr};
  std::size_t place = 0;
  result.structure = tree_json(tree, [&](const Tensor&) { return place++; });
  return result;
}

FunctionResult apply_function(const std::string& name, const std::vector<Tensor>& values, const Json& settings) {
  const auto found = all_functions().find(name);
  if (found == all_functions().end())
    throw SettingsError(fmt::format("there is no function '{}'{}", name, did_you_mean(name, function_names())));
  try {
    return found->second(Call{values, settings});
  } catch (const Json::exception& error) {
    throw SettingsError(fmt::format("{}: a setting is not as it should be: {}", name, error.what()));
  } catch (const BridgeError& error) {
    throw SettingsError(fmt::format("{}: {}", name, error.what()));
  }
}

std::vector<std::string> function_names() {
  std::vector<std::string> names;
  for (const auto& [name, function] : all_functions()) names.push_back(name);
  return names;
}

}  // namespace lopt
