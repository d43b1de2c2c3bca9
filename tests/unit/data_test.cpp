// Datasets: files, splits, and the order of batches.
#include "../../plugins/dataset/idx_images/resize.h"
#include "registry/registry.h"
#include "unit/support.h"

#include "catch.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <sys/resource.h>

using namespace lopt;
using namespace lopt::test;

namespace {

std::shared_ptr<const Dataset> dataset(const std::string& spec) {
  static Registry registry = [] {
    Registry made;
    made.add_path(LOPT_BINARY "/lib/lopt/plugins", "the test", true);
    return made;
  }();
  SpecErrors errors;
  SpecNode resolved;
  auto made = registry.make(Dataset::kind, parse_spec(spec, "test"), "dataset", errors, resolved);
  errors.raise();
  return std::static_pointer_cast<const Dataset>(made);
}

}  // namespace

TEST_CASE("images are resized as JAX resizes them") {
  const Values npz = golden("resize");
  const Array input = npz["input"];
  const auto pixels = input.values<std::int32_t>();
  for (std::size_t size : {8, 14}) {
    const Array expected = npz["output_" + std::to_string(size) + "x" + std::to_string(size)];
    std::vector<float> ours = resize_bilinear({pixels.begin(), pixels.end()}, 6, 28, 28, size);
    for (std::size_t i = 0; i < ours.size(); ++i)
      CHECK(ours[i] / 255.0F == Approx(expected.values<float>()[i]).margin(1e-6));
  }
}

TEST_CASE("digits are real, complete and split") {
  const auto digits = dataset("digits");
  const Values &train = digits->examples(Split::train), &test = digits->examples(Split::test);
  CHECK(train["image"].leaf().shape() == Shape{1500, 64});
  CHECK(test["image"].leaf().shape() == Shape{297, 64});
  const Array image = train["image"];
  const auto values = image.values<float>();
  CHECK(*std::max_element(values.begin(), values.end()) == 1.0F);
  CHECK(*std::min_element(values.begin(), values.end()) == 0.0F);
  std::set<std::int32_t> labels;
  for (std::int32_t label : train["label"].leaf().values<std::int32_t>()) labels.insert(label);
  CHECK(labels.size() == 10);
}

TEST_CASE("batches pass over all examples, endlessly, in an order of the seed alone") {
  const auto digits = dataset("digits");
  const HostKey key = HostKey::from_seed(3);
  std::vector<std::int32_t> first(100), again(100), other_stream(100), other_key(100), next_pass(100);
  std::set<std::int32_t> seen;
  for (std::int64_t step = 0; step < 15; ++step) {
    digits->batch(key, 2, step, again);
    seen.insert(again.begin(), again.end());
  }
  CHECK(seen.size() == 1500);  // each example once in a pass
  CHECK(*seen.begin() == 0);
  CHECK(*seen.rbegin() == 1499);
  digits->batch(key, 2, 0, first);
  digits->batch(key, 2, 0, again);
  digits->batch(key, 3, 0, other_stream);
  digits->batch(HostKey::from_seed(4), 2, 0, other_key);
  digits->batch(key, 2, 15, next_pass);
  CHECK(first == again);
  CHECK(first != other_stream);
  CHECK(first != other_key);
  CHECK(first != next_pass);
  // A batch larger than the dataset goes on into the next pass.
  std::vector<std::int32_t> large(4000);
  digits->batch(key, 0, 0, large);
  std::vector<int> counts(1500);
  for (std::int32_t index : large) ++counts[static_cast<std::size_t>(index)];
  CHECK(*std::min_element(counts.begin(), counts.end()) >= 2);
  CHECK(*std::max_element(counts.begin(), counts.end()) <= 3);
}

TEST_CASE("the order looks random") {
  const auto digits = dataset("digits");
  std::vector<std::int32_t> order(1500);
  digits->batch(HostKey::from_seed(1), 0, 0, order);
  // Neighbours of a random order differ by a third of its length on average.
  double total = 0;
  for (std::size_t i = 1; i < order.size(); ++i) total += std::abs(order[i] - order[i - 1]);
  CHECK(total / 1499 == Approx(500).epsilon(0.06));
}

TEST_CASE("npz files keep names, types and elements") {
  const std::string path = (std::filesystem::temp_directory_path() / "lopt-npz-test.npz").string();
  std::mt19937 random(4);
  const Values tree{{"a", random_array(random, {DType::float32, {3, 4}})},
                    {"b", {{"c", random_array(random, {DType::int32, {5}}, -9, 9)}}},
                    {"d", random_array(random, {DType::uint32, {}})}};
  write_npz(path, tree);
  const Values back = read_npz(path);
  CHECK(back["a"].leaf() == tree["a"].leaf());
  CHECK(back["b/c"].leaf() == tree["b"]["c"].leaf());
  CHECK(back["d"].leaf() == tree["d"].leaf());
  std::filesystem::remove(path);
}

TEST_CASE("damaged npy bytes are data errors, never crashes") {
  const std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
  auto npy = [](const std::string& text, std::size_t bytes) {
    std::string all("\x93NUMPY\x01\x00", 8);
    all += static_cast<char>(text.size());
    all += '\0';
    return all + text + std::string(bytes, '\0');
  };
  auto parse = [](const std::string& bytes) {
    const std::span all(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    static_cast<void>(parse_stored_npy(all, "test"));  // text too
    return parse_npy(all, "test");
  };
  CHECK(parse(npy(header, 24)).shape() == Shape{2, 3});
  const std::string whole = npy(header, 24);
  for (std::size_t length = 0; length < whole.size(); ++length)
    CHECK_THROWS_AS(parse(whole.substr(0, length)), DataError);
  // Bytes of a text that overflow what counts them.
  CHECK_THROWS_AS(parse(npy("{'descr': '<U4611686018427387905', 'fortran_order': False, 'shape': (2, 3), }", 24)),
                  DataError);
  CHECK_THROWS_AS(parse(npy("{'descr': '<c8', 'fortran_order': False, 'shape': (2, 3), }", 48)), DataError);
  CHECK_THROWS_AS(parse(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999, 99999999), }", 24)),
                  DataError);
  CHECK_THROWS_AS(parse(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, -3), }", 24)), DataError);
  std::mt19937 random(6);
  for (int i = 0; i < 5000; ++i) {
    std::string damaged = whole;
    for (int k = 0; k < 3; ++k) damaged[random() % damaged.size()] = static_cast<char>(random());
    try {
      static_cast<void>(parse(damaged));
    } catch (const DataError&) {}
  }
}

TEST_CASE("a spec that is written is the same when it is read again, control characters included") {
  for (const char* text : {"\"a\\rb\": \"c\\td\"\n", "a: \"x\\r\"\n", "a: b\n", "a: [1, \"2\", null]\n"}) {
    INFO(text);
    const std::string written = to_yaml(parse_spec(text, "first"));
    CHECK(to_yaml(parse_spec(written, "second")) == written);
  }
  // Found by fuzzing: such a scalar was written without quotes, and read with one of them less.
  const std::string written = to_yaml(parse_spec("# comment\n\r\r\r\r", "first"));
  CHECK(to_yaml(parse_spec(written, "second")) == written);
}

TEST_CASE("an array that speaks of more elements than follow takes no memory for them") {
  // Found by fuzzing: 278 bytes took 1.9 GB.
  std::string header = "{'descr': '|u1', 'fortran_order': False, 'shape': (400000000,), }";
  header.resize(118, ' ');
  std::string bytes = std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' + header + "abc";
  const auto peak = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss / 1024;
  };
  const long before = peak();
  CHECK_THROWS_AS(parse_npy({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, "it"), DataError);
  CHECK(peak() - before < 100);
}
