// Any bytes as a plugin file, before it is loaded.
#include "registry/elf_file.h"
#include "registry/registry.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    lopt::check_elf_bytes({reinterpret_cast<const char*>(data), size}, "input");
  } catch (const lopt::PluginError&) {}
  return 0;
}
