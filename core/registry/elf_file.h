#pragma once
#include <string>
#include <string_view>

namespace lopt {

/// Compares a plugin file with its own headers and, where it has one, its seal. The dynamic loader asks for neither:
/// reading behind the end of a file that is cut short would end the process. Throws PluginError with a sentence.
void check_elf_file(const std::string& path);
/// The same for a file's bytes.
void check_elf_bytes(std::string_view bytes, const std::string& path);

}  // namespace lopt
