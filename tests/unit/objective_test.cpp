// What is minimised: losses that count, and examples that are set apart.
#include "data/batch.h"
#include "data/validation_split.h"
#include "estimate/objective.h"
#include "unit/support.h"

#include "catch.h"

#include <algorithm>
#include <cmath>
#include <set>

using namespace lopt;

namespace {

using Over = MetaObjective::Over;

struct Counted {
  std::vector<float> losses, slopes;
  double mean() const {
    double sum = 0;
    for (float loss : losses) sum += static_cast<double>(loss);
    return sum / static_cast<double>(losses.size());
  }
};

/// Losses of a lane, a new problem beginning at `restart`.
Counted counted(const MetaObjective& objective, const std::vector<float>& losses, std::size_t restart, Lane& lane,
                float clip = std::numeric_limits<float>::infinity()) {
  Counted result{std::vector<float>(losses.size()), std::vector<float>(losses.size())};
  ObjectiveLosses what(objective, clip, result.losses, result.slopes);
  for (std::size_t k = 0; k < losses.size(); ++k) {
    const bool begins = k == restart;
    if (begins) lane.first_loss = Lane().first_loss, lane.least_loss = Lane().least_loss;
    what.add(lane, k, begins, losses[k]);
  }
  what.finish();
  return result;
}
Counted counted(const MetaObjective& objective, const std::vector<float>& losses, std::size_t restart) {
  Lane lane;
  return counted(objective, losses, restart, lane);
}

/// Examples that say which they are: training ones 0 … 99, test ones 1000 ….
class Numbered final : public Dataset {
 public:
  const Values& examples(Split split) const override { return split == Split::train ? train_ : test_; }

 private:
  static Values from(float first, std::int64_t count) {
    std::vector<float> images;
    std::vector<std::int32_t> labels;
    for (std::int64_t i = 0; i < count; ++i) {
      images.push_back(first + static_cast<float>(i));
      labels.push_back(static_cast<std::int32_t>(first) + static_cast<std::int32_t>(i));
    }
    return {{"image", Array({count, 1}, images)}, {"label", Array({count}, labels)}};
  }
  Values train_ = from(0, 100), test_ = from(1000, 20);
};

std::set<float> images(const Values& examples) {
  const Array array = examples["image"];
  return {array.values<float>().begin(), array.values<float>().end()};
}

}  // namespace

TEST_CASE("the losses that count are the mean, the last, or the least of each problem's part") {
  const std::vector<float> losses{4, 2, 3, 10, 8, 9};
  CHECK(counted({}, losses, 3).losses == losses);
  CHECK(counted({.over = Over::last}, losses, 3).losses == std::vector<float>{3, 3, 3, 9, 9, 9});
  CHECK(counted({.over = Over::least}, losses, 3).losses == std::vector<float>{2, 2, 2, 8, 8, 8});
  CHECK(counted({.over = Over::last}, losses, 6).losses == std::vector<float>(6, 9));
  CHECK(counted({.normalized = true}, losses, 3).losses == std::vector<float>{1, 0.5F, 0.75F, 1, 0.8F, 0.9F});
  CHECK(counted({.log = true}, losses, 3).losses[0] == std::log(4.0F));
  Lane lane;
  lane.first_loss = 8;
  lane.least_loss = 0.125F;  // of an earlier segment
  CHECK(counted({.over = Over::least, .normalized = true}, losses, 3, lane).losses[0] == 0.125F);
  CHECK(lane.first_loss == 10);
  CHECK(lane.least_loss == 0.8F);
  Lane diverged;
  CHECK(counted({.over = Over::least}, {5, std::nanf(""), 4}, 9, diverged, 3).losses == std::vector<float>{3, 3, 3});
}

TEST_CASE("slopes of the losses that count are those of finite differences") {
  const std::vector<float> losses{4, 2, 3, 10, 8, 9, 7};
  for (const Over over : {Over::mean, Over::last, Over::least})
    for (const bool normalized : {false, true})
      for (const bool log : {false, true})
        for (const std::size_t restart : {std::size_t{3}, std::size_t{9}}) {
          const MetaObjective objective{.over = over, .normalized = normalized, .log = log};
          const Counted at = counted(objective, losses, restart);
          for (std::size_t k = 0; k < losses.size(); ++k) {
            // A problem's first loss is before any update, so it counts as a constant where it divides.
            if (normalized && (k == 0 || k == restart)) continue;
            std::vector<float> moved = losses;
            constexpr float step = 0.01F;
            moved[k] += step;
            const double above = counted(objective, moved, restart).mean();
            moved[k] -= 2 * step;
            const double slope = (above - counted(objective, moved, restart).mean()) / (2 * static_cast<double>(step));
            CHECK(static_cast<double>(at.slopes[k]) / 7 == Approx(slope).margin(2e-4));
          }
        }
}

TEST_CASE("examples that are set apart are in no training batch, and no others in a validation batch") {
  const auto whole = std::make_shared<Numbered>();
  const ValidationSplit split(whole, 0.2, 10);
  std::vector<Array> first = batch_arrays(split.example_types(), 10), second = first;
  split.validation_batch(HostKey::from_seed(1), 0, 0, first);
  split.validation_batch(HostKey::from_seed(1), 0, 1, second);  // two batches pass over all
  const std::set<float> train = images(split.examples(Split::train));
  std::set<float> apart = images({{"image", first[0]}});
  apart.merge(images({{"image", second[0]}}));
  CHECK(train.size() == 80);
  CHECK(apart.size() == 20);
  for (float example : apart) CHECK(train.count(example) == 0);
  CHECK(images(split.examples(Split::test)) == images(whole->examples(Split::test)));
  // Labels go with their images.
  for (const std::vector<Array>& batch : {first, second})
    for (std::size_t i = 0; i < 10; ++i)
      CHECK(static_cast<float>(batch[1].values<std::int32_t>()[i]) == batch[0].values<float>()[i]);
  // Neither do they follow the order of the file.
  CHECK(apart != std::set<float>{80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99});
  for (const double share : {0.05, 0.95}) CHECK_THROWS_AS(ValidationSplit(whole, share, 10), DataError);
}

TEST_CASE("lengths are drawn log-uniformly between their bounds") {
  UnrollOptions options;
  CHECK(drawn_length(options, {}) == 0);
  options.problem_length = 1000;
  CHECK(drawn_length(options, {}) == 1000);
  options.least_length = 10;
  int short_ones = 0;
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const std::int64_t length = drawn_length(options, HostKey::from_seed(seed));
    REQUIRE((length >= 10 && length <= 1000));
    short_ones += length < 100;
  }
  CHECK(std::abs(short_ones - 1000) < 110);  // five standard deviations
}
