#include <lopt/estimator.h>

#include <lopt/task.h>

namespace lopt {

std::vector<HostKey> task_keys(HostKey key, int count) {
  return count == 1 ? std::vector<HostKey>{key} : split(key, count);
}

void add_scaled(Values& target, float scale, const Values& source) {
  target = map(
      [&](Array sum, const Array& term) {
        auto to = sum.mutable_values<float>();
        auto from = term.values<float>();
        for (std::size_t i = 0; i < to.size(); ++i) to[i] += scale * from[i];
        return sum;
      },
      target, source);
}

Values zeros_like(const Values& tree) {
  return map([](const Array& array) { return Array(array.type()); }, tree);
}

std::size_t TaskFamily::sample(HostKey key) const {
  const auto count = static_cast<std::int32_t>(size());
  return count == 1 ? 0 : static_cast<std::size_t>(randint(fold_in(key, 0x66616d), {}, 0, count).item<std::int32_t>());
}

}  // namespace lopt
