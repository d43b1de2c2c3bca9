// Any text as a spec: read or refused with sentences; what is read is the same after it was written and read again.
#include "spec/reader.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lopt;
  try {
    const SpecNode spec = parse_spec({reinterpret_cast<const char*>(data), size}, "input");
    const std::string text = to_yaml(spec);
    if (to_yaml(parse_spec(text, "written")) != text) std::abort();
    SpecErrors errors;
    SpecReader reader(spec, "", errors,
                      [](const std::string&, const SpecNode&, const std::string&, SpecErrors&, SpecNode&) {
                        return std::shared_ptr<const void>();
                      });
    Settings settings(reader);
    static_cast<void>(double{settings.real("a", 1).above(0)});
    static_cast<void>(std::int64_t{settings.integer("b", 1).between(0, 10)});
    static_cast<void>(bool{settings.boolean("c", false)});
    static_cast<void>(std::string(settings.text("d", "x").one_of({"x", "y"})));
    static_cast<void>(std::vector<std::int64_t>(settings.integers("e", std::vector<std::int64_t>{1})));
    reader.check_unknown();
    errors.raise();
  } catch (const SpecError& error) {
    if (error.messages().empty()) std::abort();
  }
  return 0;
}
