// A line as an override of the spec that follows it.
#include "spec/node.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lopt;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t line = std::min(text.find('\n'), text.size());
  try {
    SpecNode spec = parse_spec("a: 1\nb: {c: [1, 2, {d: x}], e: null}\n", "base");
    if (line < text.size()) spec = parse_spec(text.substr(line + 1), "input");
    apply_override(spec, std::string(text.substr(0, line)));
    static_cast<void>(to_yaml(spec));
  } catch (const SpecError& error) {
    if (error.messages().empty()) std::abort();
  }
  return 0;
}
