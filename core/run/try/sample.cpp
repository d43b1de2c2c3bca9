// lopt-run sample: which problems a task family draws.
#include "run/command_line.h"

#include <fmt/format.h>

#include <charconv>

namespace lopt {

int run_sample(int argc, char** argv) {
  Options o;
  const std::string usage = "lopt-run sample SPEC [COUNT] [key.path=value …] [options]";
  std::size_t count = 8;
  if (!parse_spec_call(argc, argv, spec_options(o), o, usage,
                       "Draws COUNT problems (8, unless it says otherwise) from a spec's task family, as a "
                       "meta-training draws them, and shows which members they are, with all settings."))
    return success;
  if (!o.overrides.empty() && o.overrides.front().find('=') == std::string::npos) {
    const std::string text = o.overrides.front();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc() || end != text.data() + text.size() || count < 1 || count > 1'000'000)
      throw UsageError(fmt::format("{}\n'{}' is no count", usage, text));
    o.overrides.erase(o.overrides.begin());
  }
  Registry registry;
  const Experiment experiment = experiment_of(o, registry);
  const TaskFamily& family = *experiment.family;
  fmt::print("{} of {} members\n", count, family.size());
  const std::vector<HostKey> keys = split(HostKey::from_seed(experiment.seed), static_cast<int>(count));
  for (const HostKey key : keys) {
    const std::size_t member = family.sample(key);
    const std::string text = family.description(member);
    fmt::print("  {:>4}  {}\n", member, text.empty() ? "(its family says nothing of it)" : text);
  }
  return success;
}

}  // namespace lopt
