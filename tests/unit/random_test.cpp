// Random numbers against JAX's: golden/random.npz.
#include "unit/support.h"

#include "catch.h"

using namespace lopt;
using namespace lopt::test;

namespace {

const std::uint64_t seeds[] = {0, 1, 42, (std::uint64_t{1} << 31) + 7, 1000};

/// A function of a key, traced and run by the planned executor.
template <class Function>
Array in_program(HostKey key, Function f) {
  Key input{make_input("key", {DType::uint32, {2}})};
  return compile(make_program("random", {input.bits}, {f(input)})).run(std::vector<Array>{to_array(key)})[0];
}

void require_normals(const Array& ours, const Array& jax) {
  REQUIRE(ours.size() >= jax.size());
  for (std::size_t i = 0; i < jax.size(); ++i) REQUIRE(ulps(ours.values<float>()[i], jax.values<float>()[i]) <= 2);
}

}  // namespace

TEST_CASE("host random numbers are JAX's") {
  const Values npz = golden("random");
  for (std::uint64_t seed : seeds) {
    const std::string s = "_" + std::to_string(seed);
    const HostKey key = HostKey::from_seed(seed);
    CHECK(to_array(key) == npz["key" + s].leaf());
    for (int count : {2, 5}) {
      std::vector<Array> rows;
      for (HostKey k : split(key, count)) rows.push_back(to_array(k));
      CHECK(stack_arrays(rows) == npz["split" + std::to_string(count) + s].leaf());
    }
    CHECK(to_array(fold_in(key, 0)) == npz["fold_in_0" + s].leaf());
    CHECK(to_array(fold_in(key, 7)) == npz["fold_in_7" + s].leaf());
    CHECK(random_bits(key, {3, 5}) == npz["bits" + s].leaf());
    CHECK(uniform(key, {33}) == npz["uniform" + s].leaf());
    CHECK(uniform(key, {17}, -2, 3) == npz["uniform_m2_3" + s].leaf());
    CHECK(randint(key, {16}, 0, 100) == npz["randint_0_100" + s].leaf());
    CHECK(randint(key, {32}, 0, 30) == npz["randint_0_30" + s].leaf());
    CHECK(permutation(key, 20) == npz["permutation_20" + s].leaf());
    require_normals(normal(key, {64, 128}), npz["normal" + s].leaf());
    require_normals(normal(key, {3, 64}), npz["normal_3x64" + s].leaf());
  }
}

TEST_CASE("random numbers in programs are JAX's") {
  const Values npz = golden("random");
  for (std::uint64_t seed : seeds) {
    const std::string s = "_" + std::to_string(seed);
    const HostKey key = HostKey::from_seed(seed);
    CHECK(in_program(key, [](const Key& k) { return split(k, 5)[3].bits; }) == npz["split5" + s].leaf().row(3));
    CHECK(in_program(key, [](const Key& k) { return fold_in(k, 7).bits; }) == npz["fold_in_7" + s].leaf());
    CHECK(in_program(key, [](const Key& k) { return random_bits(k, {3, 5}); }) == npz["bits" + s].leaf());
    CHECK(in_program(key, [](const Key& k) { return uniform(k, {33}); }) == npz["uniform" + s].leaf());
    CHECK(in_program(key, [](const Key& k) { return uniform(k, {17}, -2, 3); }) == npz["uniform_m2_3" + s].leaf());
    CHECK(in_program(key, [](const Key& k) { return randint(k, {16}, 0, 100); }) == npz["randint_0_100" + s].leaf());
    require_normals(in_program(key, [](const Key& k) { return normal(k, {64, 128}); }), npz["normal" + s].leaf());
    require_normals(in_program(key, [](const Key& k) { return normal(k, {3, 64}); }), npz["normal_3x64" + s].leaf());
  }
}

TEST_CASE("normal_like draws each leaf from its own key") {
  const Values like{{"a", Array(DType::float32, {3})}, {"b", {{"c", Array(DType::float32, {2, 2})}}}};
  const HostKey key = HostKey::from_seed(3);
  const Values noise = normal_like(key, like, 0.5F);
  Array expected = normal(fold_in(key, 1), {2, 2});
  for (float& x : expected.mutable_values<float>()) x *= 0.5F;
  CHECK(noise["b"]["c"].leaf() == expected);
}
