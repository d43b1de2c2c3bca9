// A plugin's manifest made of any bytes: its numbers and texts come from them, its pointers are null or good.
#include "registry/library.h"

#include <cstdlib>
#include <cstring>
#include <deque>

namespace {

class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const std::uint8_t value = rest_[0];
    rest_ = rest_.subspan(1);
    return value;
  }
  /// A text of at most 15 bytes, one of those that are right, or null.
  const char* text(const std::deque<std::string>& right) {
    const std::uint8_t choice = byte();
    if (choice == 0) return nullptr;
    if (choice < 128 && !right.empty()) return right[choice % right.size()].c_str();
    std::string& text = texts_.emplace_back();
    for (int length = choice & 15; length > 0; --length) text += static_cast<char>(byte());
    return text.c_str();
  }

 private:
  std::span<const std::uint8_t> rest_;
  std::deque<std::string> texts_;
};

int create(void*, void**, char*, std::size_t) { return 1; }
void destroy(void*) {}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lopt;
  Bytes bytes(data, size);
  static const std::deque<std::string> kinds{"optimizer",         "task",     "task_family", "dataset",
                                             "learned_optimizer", "estimator"},
      names{"adam", "a_1", "x"}, fingerprints{fingerprint}, texts{"", "text"};
  lopt_manifest manifest{{}, sizeof(lopt_manifest), api_version, fingerprint, sizeof(lopt_component), 0, nullptr};
  std::memcpy(manifest.magic, manifest_magic, sizeof manifest.magic);
  const std::uint8_t wrong = bytes.byte();
  if (wrong == 1) manifest.magic[bytes.byte() % 8] = static_cast<char>(bytes.byte());
  if (wrong == 2) manifest.api_version = bytes.byte();
  if (wrong == 3) manifest.struct_size = bytes.byte();
  if (wrong == 4) manifest.component_size = bytes.byte();
  if (wrong == 5) manifest.fingerprint = bytes.text(fingerprints);
  std::vector<lopt_component> components(bytes.byte() % 8);
  for (lopt_component& c : components) {
    c = {bytes.text(kinds),
         bytes.text(names),
         bytes.text(texts),
         bytes.text(texts),
         bytes.text(texts),
         bytes.text(texts),
         bytes.text(texts),
         create,
         destroy};
    if (bytes.byte() == 255) c.create = nullptr;
  }
  manifest.components = components.empty() && bytes.byte() % 2 ? nullptr : components.data();
  manifest.component_count = static_cast<std::uint32_t>(components.size());
  const std::string problem = manifest_problem(manifest);
  // What is taken is what may be used.
  if (problem.empty())
    for (const lopt_component& c : components)
      if (!c.kind || !c.name || !*c.name || !c.summary || !c.version || !c.create) std::abort();
  return 0;
}
