#include "../regression.h"

using namespace lopt;

/// Numbers from categories, each of which has a vector that is learned: users and items, columns of words. The dataset
/// has category int32 [n, columns], y, and x [n, …] where there are numbers too.
///   network  the vectors, and x, beside each other, through dense layers
///   product  Σ over the width of the product of all vectors, plus a number of each category, plus b; without x
///            (Koren, Bell, Volinsky, Matrix factorization techniques for recommender systems, 2009)
/// Parameters embedding0 [categories, width], embedding1, …; of the network w0, b0, …; of the product offset0
/// [categories], …, and b.
class EmbeddingRegression final : public Task {
 public:
  explicit EmbeddingRegression(Settings& s)
      : width_(s.integer("width", 8).between(1, 65536).doc("numbers that stand for a category")),
        join_(s.text("join", "network").one_of({"network", "product"}).doc("what is made of the vectors")),
        hidden_(s.integers("hidden", std::vector<std::int64_t>{32})
                    .between(1, 65536)
                    .doc("widths of the network's hidden layers")),
        activation_(s.text("activation", "relu").one_of(activation_names()).doc("between the layers")),
        embedding_scale_(
            s.real("embedding_scale", 0.1).at_least(0).doc("standard deviation of the vectors at the start")),
        regression_(s, "embedding_regression", "{plugin: synthetic, kind: ratings, classes: 50}") {}

  Tree init(Key key) const override {
    const std::int64_t columns = element_count(regression_.type("category", DType::int32).shape),
                       targets = regression_.targets();
    if (join_ == "product" && targets != 1)
      throw SettingsError("embedding_regression: `join: product` finds one number, and there are " +
                          std::to_string(targets));
    const Dataset::Range range = regression_.dataset().range("category");
    if (range.least < 0)
      refuse_data(regression_.dataset(), "has the category " + std::to_string(range.least) + "; they count from 0");
    const std::vector<Key> keys = split(key, static_cast<int>(columns) + 1);
    std::vector<Tree::Entry> params;
    for (std::int64_t i = 0; i < columns; ++i)
      params.emplace_back(named("embedding", i),
                          normal(keys[static_cast<std::size_t>(i)], {range.most + 1, width_}) * embedding_scale_);
    if (join_ == "product") {
      for (std::int64_t i = 0; i < columns; ++i) params.emplace_back(named("offset", i), zeros({range.most + 1}));
      params.emplace_back("b", zeros({}));
      return Tree(std::move(params));
    }
    std::vector<std::int64_t> widths{columns * width_ + (has_numbers() ? regression_.inputs() : 0)};
    widths.insert(widths.end(), hidden_.begin(), hidden_.end());
    widths.push_back(targets);
    for (Tree::Entry& entry : dense_params(keys.back(), widths, "fan_in", 1)) params.push_back(std::move(entry));
    return Tree(std::move(params));
  }
  Tensor loss(const Tree& params, const Tree& batch, Key) const override {
    return regression_.loss(prediction(params, batch), batch["y"]);
  }
  std::vector<Metric> metrics(const Tree& params, const Tree& batch, Key) const override {
    return regression_.metrics(prediction(params, batch), batch["y"]);
  }
  Tensor normalized(const Tensor& loss) const override { return regression_.normalized(loss); }
  Batches batches() const override { return regression_.batches(); }

 private:
  static std::string named(const char* name, std::int64_t column) { return name + std::to_string(column); }
  bool has_numbers() const { return regression_.dataset().example_types().contains("x"); }

  Tensor prediction(const Tree& params, const Tree& batch) const {
    const Tensor all = batch["category"];
    const std::int64_t n = all.dim(0);
    const Tensor category = reshape(all, {n, -1});
    std::vector<Tensor> vectors, offsets;
    for (std::int64_t i = 0; i < category.dim(1); ++i) {
      const Tensor numbers = reshape(slice(category, {0, i}, {n, i + 1}), {n});
      vectors.push_back(embedding(params[named("embedding", i)], numbers));
      if (join_ == "product") offsets.push_back(gather(params[named("offset", i)], numbers, 0));
    }
    if (join_ == "network") {
      if (batch.contains("x")) vectors.push_back(reshape(batch["x"], {n, -1}));
      return dense_of(params, hidden_.size() + 1, activation_, concatenate(vectors, 1));
    }
    Tensor product = vectors[0], total = params["b"];
    for (std::size_t i = 1; i < vectors.size(); ++i) product = product * vectors[i];
    for (const Tensor& offset : offsets) total = total + offset;
    return reshape(sum(product, {1}) + total, {n, 1});
  }

  int width_;
  std::string join_;
  std::vector<std::int64_t> hidden_;
  std::string activation_;
  double embedding_scale_;
  Regression regression_;
};

LOPT_PLUGIN(EmbeddingRegression, "embedding_regression",
            {.summary = "Numbers from categories, by a vector for each: users and items, columns of words",
             .paper = "Koren, Bell, Volinsky, Matrix factorization techniques for recommender systems, 2009"})
