#include <lopt/estimator.h>
#include <lopt/task.h>

#include <algorithm>
#include <cmath>

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

std::int64_t drawn_length(const UnrollOptions& options, HostKey key) {
  const std::int64_t most = options.problem_length.value_or(0), least = options.least_length;
  if (least <= 0 || least >= most) return most;
  constexpr std::uint32_t length_key = 0x6c656e67;  // "leng"
  const double share = static_cast<double>(uniform(fold_in(key, length_key), {1}).values<float>()[0]);
  const double drawn =
      std::exp(std::log(static_cast<double>(least)) +
               share * (std::log(static_cast<double>(most) + 1) - std::log(static_cast<double>(least))));
  return std::clamp(static_cast<std::int64_t>(drawn), least, most);
}

std::size_t TaskFamily::sample(HostKey key) const {
  const auto count = static_cast<std::int32_t>(size());
  return count == 1 ? 0 : static_cast<std::size_t>(randint(fold_in(key, 0x66616d), {}, 0, count).item<std::int32_t>());
}

}  // namespace lopt
