#include "registry/elf_file.h"

#include "registry/registry.h"
#include "data/sha256.h"

#include <elf.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <span>

namespace lopt {
namespace {

/// lopt_add_plugin() ends a library with this and the SHA-256 of all before it (cmake/LoptSeal.cmake).
constexpr std::string_view seal_mark = "\nlopt-seal-sha256:";
constexpr std::size_t seal_size = seal_mark.size() + 64;

std::string read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const std::streamoff size = file ? std::streamoff{file.tellg()} : -1;
  if (size < 0) throw PluginError(fmt::format("{}: cannot be read: {}", path, std::strerror(errno)));
  std::string bytes(static_cast<std::size_t>(size), '\0');
  file.seekg(0);
  if (!file.read(bytes.data(), size)) throw PluginError(fmt::format("{}: cannot be read: it is no file", path));
  return bytes;
}

/// The processor that this program was built for, and the name of another.
Elf64_Half own_machine() {
  static const Elf64_Half machine = [] {
    Elf64_Ehdr header{};
    std::ifstream("/proc/self/exe", std::ios::binary).read(reinterpret_cast<char*>(&header), sizeof header);
    return header.e_machine;
  }();
  return machine;
}
std::string machine_name(Elf64_Half machine) {
  switch (machine) {
    case EM_X86_64: return "x86-64";
    case EM_386: return "32-bit x86";
    case EM_AARCH64: return "64-bit ARM";
    case EM_RISCV: return "RISC-V";
    case EM_PPC64: return "64-bit POWER";
    default: return fmt::format("the processor with ELF's number {}", machine);
  }
}

bool headers_fit(std::string_view bytes, const Elf64_Ehdr& header) {
  auto inside = [&](std::uint64_t offset, std::uint64_t length) {
    return offset <= bytes.size() && length <= bytes.size() - offset;
  };
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0 ||
      !inside(header.e_phoff, std::uint64_t{header.e_phnum} * sizeof(Elf64_Phdr)) ||
      !inside(header.e_shoff, std::uint64_t{header.e_shnum} * header.e_shentsize))
    return false;
  for (std::uint64_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment{};
    std::memcpy(&segment, bytes.data() + header.e_phoff + i * sizeof segment, sizeof segment);
    if (!inside(segment.p_offset, segment.p_filesz)) return false;
  }
  return true;
}

void check_seal(const std::string& path, std::string_view bytes) {
  if (bytes.size() < seal_size || bytes.compare(bytes.size() - seal_size, seal_mark.size(), seal_mark) != 0) return;
  const std::span content(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size() - seal_size);
  if (sha256(content) != bytes.substr(bytes.size() - 64))
    throw PluginError(
        fmt::format("{}: is damaged: its bytes are not those that were built; copy or build it again", path));
}

}  // namespace

void check_elf_file(const std::string& path) { check_elf_bytes(read_bytes(path), path); }

void check_elf_bytes(std::string_view bytes, const std::string& path) {
  Elf64_Ehdr header{};
  std::memcpy(&header, bytes.data(), std::min(bytes.size(), sizeof header));
  if (bytes.empty()) throw PluginError(fmt::format("{}: is an empty file", path));
  if (bytes.size() < sizeof header || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    throw PluginError(fmt::format("{}: is no shared library; a plugin is built with lopt_add_plugin() in CMake", path));
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_type != ET_DYN)
    throw PluginError(fmt::format("{}: is no 64-bit shared library of this kind of processor", path));
  if (header.e_machine != own_machine())
    throw PluginError(fmt::format("{}: was built for {}; this is {}", path, machine_name(header.e_machine),
                                  machine_name(own_machine())));
  if (!headers_fit(bytes, header))
    throw PluginError(fmt::format("{}: is cut short: its headers speak of more bytes than there are", path));
  check_seal(path, bytes);
}

}  // namespace lopt
