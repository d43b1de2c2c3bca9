#include <lopt/plugin.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <numbers>

using namespace lopt;

/// Examples that are made from a seed.
///   clusters           a class is a Gaussian around a centre of its own, N(0, separation²) in each direction
///   spirals            a class is an arm of a spiral in the plane, the other numbers noise
///   teacher            N(0, 1) numbers, classified by a random network of 32 tanh units
///   sparse_regression  x ~ N(0, 1), y = x · w + noise, where one in eight of w is not 0
///   teacher_regression N(0, 1) numbers, y the output of such a network, plus noise
///   ratings            a number for a user and an item, of which there are `classes`: the product of two vectors of
///                      three numbers, plus one for each, plus noise
///   characters         a Markov chain in which each of `classes` characters has four that may follow it
/// The first three give {"image": [n, features], "label": [n]}, then {"x": [n, features], "y": [n]}; ratings
/// {"category": [n, 2], "y": [n]}, and characters {"text": [n, features + 1]}.
class Synthetic final : public Dataset {
 public:
  explicit Synthetic(Settings& s)
      : kind_(s.text("kind", "clusters")
                  .one_of({"clusters", "spirals", "teacher", "sparse_regression", "teacher_regression", "ratings",
                           "characters"})
                  .doc("what is made")),
        train_(s.integer("examples", 2048).between(1, 10'000'000).doc("for training")),
        test_(s.integer("test_examples", 512).between(1, 10'000'000).doc("for testing")),
        features_(s.integer("features", 16)
                      .between(2, 100'000)
                      .doc("numbers of an example; characters that follow the first")),
        classes_(s.integer("classes", 10).between(2, 10'000).doc("different labels, characters, users and items")),
        noise_(s.real("noise", 0.1).at_least(0).doc("standard deviation of what is added")),
        separation_(s.real("separation", 1).above(0).doc("standard deviation of the centres of clusters")),
        seed_(s.integer("seed", 0).at_least(0).doc("from which all is made")) {}

  const Values& examples(Split split) const override {
    const std::lock_guard lock(mutex_);
    Values& values = split == Split::train ? train_examples_ : test_examples_;
    const HostKey key = HostKey::from_seed(static_cast<std::uint64_t>(seed_));
    if (values.entries().empty())
      values = split == Split::train ? make(key, fold_in(key, 1), train_) : make(key, fold_in(key, 2), test_);
    return values;
  }

 private:
  /// `world` makes what both splits have in common.
  Values make(HostKey world, HostKey key, std::int64_t n) const {
    if (kind_ == "characters") return characters(world, key, n);
    if (kind_ == "ratings") return ratings(world, key, n);
    const Array x = normal(fold_in(key, 0), {n, features_});
    if (kind_ == "sparse_regression") return regression(world, key, x, n);
    if (kind_ == "teacher_regression") return taught_regression(world, key, x, n);
    std::vector<std::int32_t> labels;
    std::vector<float> images(x.values<float>().begin(), x.values<float>().end());
    if (kind_ == "teacher")
      labels = taught(world, images);
    else {
      const Array drawn = randint(fold_in(key, 1), {n}, 0, classes_);
      labels.assign(drawn.values<std::int32_t>().begin(), drawn.values<std::int32_t>().end());
      kind_ == "clusters" ? into_clusters(world, labels, images) : into_spirals(key, labels, images);
    }
    return {{"image", Array({n, features_}, images)}, {"label", Array({n}, labels)}};
  }

  void into_clusters(HostKey world, const std::vector<std::int32_t>& labels, std::vector<float>& images) const {
    const Array centres = normal(fold_in(world, 3), {classes_, features_});
    const auto f = static_cast<std::size_t>(features_);
    for (std::size_t i = 0; i < images.size(); ++i)
      images[i] = static_cast<float>(noise_) * images[i] +
                  static_cast<float>(separation_) *
                      centres.values<float>()[static_cast<std::size_t>(labels[i / f]) * f + i % f];
  }
  void into_spirals(HostKey key, const std::vector<std::int32_t>& labels, std::vector<float>& images) const {
    const Array along = uniform(fold_in(key, 2), {static_cast<std::int64_t>(labels.size())});
    const auto f = static_cast<std::size_t>(features_);
    for (float& x : images) x *= static_cast<float>(noise_);
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const double radius = 0.1 + 0.9 * static_cast<double>(along.values<float>()[i]),
                   angle = 2 * std::numbers::pi * (static_cast<double>(labels[i]) / classes_ + 0.75 * radius);
      images[i * f] += static_cast<float>(radius * std::cos(angle));
      images[i * f + 1] += static_cast<float>(radius * std::sin(angle));
    }
  }
  /// The outputs of a random network of 32 tanh units, [n][outputs].
  std::vector<std::vector<double>> network(HostKey world, std::span<const float> images, std::int64_t outputs) const {
    constexpr std::size_t units = 32;
    const auto f = static_cast<std::size_t>(features_), width = static_cast<std::size_t>(outputs);
    const Array in = normal(fold_in(world, 4), {features_, units}), out = normal(fold_in(world, 5), {units, outputs});
    std::vector<std::vector<double>> all;
    for (std::size_t i = 0; i < images.size() / f; ++i) {
      std::vector<double> scores(width, 0);
      for (std::size_t u = 0; u < units; ++u) {
        double total = 0;
        for (std::size_t k = 0; k < f; ++k)
          total += static_cast<double>(images[i * f + k]) * static_cast<double>(in.values<float>()[k * units + u]);
        const double unit = std::tanh(total / std::sqrt(static_cast<double>(f)));
        for (std::size_t c = 0; c < width; ++c)
          scores[c] += unit * static_cast<double>(out.values<float>()[u * width + c]);
      }
      all.push_back(std::move(scores));
    }
    return all;
  }
  std::vector<std::int32_t> taught(HostKey world, const std::vector<float>& images) const {
    std::vector<std::int32_t> labels;
    for (const std::vector<double>& scores : network(world, images, classes_))
      labels.push_back(static_cast<std::int32_t>(std::max_element(scores.begin(), scores.end()) - scores.begin()));
    return labels;
  }
  Values taught_regression(HostKey world, HostKey key, const Array& x, std::int64_t n) const {
    const Array error = normal(fold_in(key, 1), {n});
    std::vector<float> y;
    for (const std::vector<double>& output : network(world, x.values<float>(), 1))
      y.push_back(static_cast<float>(output[0] + noise_ * static_cast<double>(error.values<float>()[y.size()])));
    return {{"x", x}, {"y", Array({n}, y)}};
  }
  Values ratings(HostKey world, HostKey key, std::int64_t n) const {
    constexpr std::int64_t width = 3;
    // Of each user, then of each item, its vector and its own number.
    const Array who = randint(fold_in(key, 0), {n, 2}, 0, classes_), error = normal(fold_in(key, 1), {n}),
                known = normal(fold_in(world, 7), {2, classes_, width + 1});
    const auto of = [&](std::size_t side, std::size_t i) {
      const auto index = side * static_cast<std::size_t>(classes_) +
                         static_cast<std::size_t>(who.values<std::int32_t>()[2 * i + side]);
      return known.values<float>().subspan(index * (width + 1), width + 1);
    };
    std::vector<float> y;
    for (std::size_t i = 0; i < error.size(); ++i) {
      const auto user = of(0, i), item = of(1, i);
      double rating = static_cast<double>(user[width]) + static_cast<double>(item[width]) +
                      noise_ * static_cast<double>(error.values<float>()[i]);
      for (std::size_t k = 0; k < width; ++k) rating += static_cast<double>(user[k]) * static_cast<double>(item[k]);
      y.push_back(static_cast<float>(rating));
    }
    return {{"category", who}, {"y", Array({n}, y)}};
  }
  Values regression(HostKey world, HostKey key, const Array& x, std::int64_t n) const {
    const Array w = normal(fold_in(world, 3), {features_}), error = normal(fold_in(key, 1), {n});
    const auto f = static_cast<std::size_t>(features_);
    std::vector<float> y;
    for (std::size_t i = 0; i < error.size(); ++i) {
      double total = noise_ * static_cast<double>(error.values<float>()[i]);
      for (std::size_t k = 0; k < f; k += 8)
        total += static_cast<double>(x.values<float>()[i * f + k]) * static_cast<double>(w.values<float>()[k]);
      y.push_back(static_cast<float>(total));
    }
    return {{"x", x}, {"y", Array({n}, y)}};
  }

  Values characters(HostKey world, HostKey key, std::int64_t n) const {
    const Array followers = randint(fold_in(world, 6), {classes_, 4}, 0, classes_),
                first = randint(fold_in(key, 0), {n}, 0, classes_),
                turns = randint(fold_in(key, 1), {n, features_}, 0, 4);
    const auto length = static_cast<std::size_t>(features_);
    std::vector<std::int32_t> text;
    for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
      text.push_back(first.values<std::int32_t>()[i]);
      for (std::size_t t = 0; t < length; ++t)
        text.push_back(
            followers.values<std::int32_t>()[static_cast<std::size_t>(text.back()) * 4 +
                                             static_cast<std::size_t>(turns.values<std::int32_t>()[i * length + t])]);
    }
    return {{"text", Array({n, features_ + 1}, text)}};
  }

  std::string kind_;
  std::int64_t train_, test_, features_;
  int classes_;
  double noise_, separation_;
  int seed_;
  mutable std::mutex mutex_;
  mutable Values train_examples_, test_examples_;
};

LOPT_PLUGIN(Synthetic, "synthetic",
            {.summary = "Examples made from a seed: clusters, spirals, a teacher's classes and numbers, sparse "
                        "regression, ratings, characters"})
