// What an embedded optimizer remembers, as bytes: a mark, the rule it is of, steps, leaves, and a sum over all that.
#include "embed/embedded_optimizer.h"

#include <lopt/dataset.h>

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>

namespace lopt {
namespace {

constexpr std::string_view state_mark = "lopt state 1\n";

std::uint32_t sum_of(std::span<const std::byte> bytes) {
  return static_cast<std::uint32_t>(
      ::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<z_size_t>(bytes.size())));
}

std::size_t bytes_of(const Type& type) { return static_cast<std::size_t>(element_count(type.shape)) * 4; }

class Writer {
 public:
  explicit Writer(std::span<std::byte> to) : to_(to) {}
  void put(const void* from, std::size_t size) {
    if (size > 0) std::memcpy(to_.subspan(at_, size).data(), from, size);
    at_ += size;
  }
  template <class T>
  void put(T value) {
    put(&value, sizeof value);
  }
  std::size_t at() const { return at_; }

 private:
  std::span<std::byte> to_;
  std::size_t at_ = 0;
};

}  // namespace

std::size_t EmbeddedOptimizer::state_bytes() const {
  std::size_t bytes = state_mark.size() + 8 + description_.size() + 8 + 1;
  for (std::size_t leaf = 0; leaf < state_types_.size(); ++leaf)
    if (!is_direct(leaf)) bytes += bytes_of(state_types_[leaf]);
  if (leaf_of_.empty())
    for (const Type& type : types_) bytes += bytes_of(type);
  return bytes + sizeof(std::uint32_t);
}

void EmbeddedOptimizer::save_state(std::span<std::byte> to) {
  take_memory();
  if (to.size() < state_bytes())
    throw SettingsError(fmt::format("the state has {} bytes, and there is room for {}", state_bytes(), to.size()));
  Writer writer(to);
  writer.put(state_mark.data(), state_mark.size());
  writer.put(static_cast<std::uint64_t>(description_.size()));
  writer.put(description_.data(), description_.size());
  writer.put(iteration_);
  writer.put(static_cast<std::uint8_t>(begun_ ? (without_loss_ ? 2 : 1) : 0));
  for (std::size_t leaf = 0; leaf < state_.size(); ++leaf)
    if (!is_direct(leaf)) writer.put(state_[leaf].data(), state_[leaf].size() * 4);
  for (const Array& array : made_) writer.put(array.data(), array.size() * 4);
  writer.put(sum_of(to.first(writer.at())));
}

void EmbeddedOptimizer::load_state(std::span<const std::byte> from) {
  const auto refuse = [](const std::string& what) { throw DataError("the saved state " + what); };
  std::size_t at = 0;
  const auto take = [&](void* to, std::size_t size) {
    if (from.size() - at < size) refuse("is cut short");
    if (size > 0) std::memcpy(to, from.data() + at, size);
    at += size;
  };
  std::string found(state_mark.size(), ' ');
  take(found.data(), found.size());
  if (found != state_mark) refuse("is none of lopt's");
  std::uint64_t length = 0;
  take(&length, sizeof length);
  if (length > from.size() - at) refuse("is damaged");
  std::string description(length, ' ');
  take(description.data(), length);
  if (description != description_) refuse(fmt::format("is of '{}'; this optimizer is '{}'", description, description_));
  if (from.size() < state_bytes()) refuse("is cut short");
  std::uint32_t sum = 0;
  std::memcpy(&sum, from.data() + state_bytes() - sizeof sum, sizeof sum);
  if (sum != sum_of(from.first(state_bytes() - sizeof sum))) refuse("is damaged: its check sum is another");
  take_memory();
  std::uint8_t begun = 0;
  take(&iteration_, sizeof iteration_);
  take(&begun, sizeof begun);
  begun_ = begun != 0;
  without_loss_ = begun == 2;
  for (std::size_t leaf = 0; leaf < state_.size(); ++leaf)
    if (!is_direct(leaf)) take(state_[leaf].mutable_data(), state_[leaf].size() * 4);
  for (Array& array : made_) take(array.mutable_data(), array.size() * 4);
}

void EmbeddedOptimizer::continue_from(const EmbeddedOptimizer& earlier, std::span<const float* const> params) {
  if (earlier.rule_ != rule_)
    throw SettingsError(fmt::format("this optimizer is '{}', and cannot go on from '{}'", rule_, earlier.rule_));
  if (!earlier.begun_) return;
  take_memory();
  const std::vector<float*> at = readable_params({const_cast<float* const*>(params.data()), params.size()}, nullptr);
  begin(at, nullptr);
  for (std::size_t leaf = 0; leaf < earlier.state_.size(); ++leaf) {
    if (earlier.is_direct(leaf)) continue;
    const auto same = std::find(state_paths_.begin(), state_paths_.end(), earlier.state_paths_[leaf]);
    const auto found = static_cast<std::size_t>(same - state_paths_.begin());
    if (same == state_paths_.end() || state_types_[found] != earlier.state_types_[leaf])
      throw SettingsError(
          fmt::format("the rule '{}' keeps '{}' of all parameters together: none can be added after the "
                      "first step; make another optimizer for all of them",
                      rule_, earlier.state_paths_[leaf]));
    state_[found] = earlier.state_[leaf];
  }
  for (std::size_t i = 0; i < made_.size(); ++i) {
    const auto same = std::find_if(earlier.parameters_.begin(), earlier.parameters_.end(),
                                   [&](const EmbeddedParameter& p) { return p.name == parameters_[i].name; });
    const auto found = static_cast<std::size_t>(same - earlier.parameters_.begin());
    const auto* value = same == earlier.parameters_.end() ? at[i] : earlier.made_[found].values<float>().data();
    std::copy_n(value, made_[i].size(), made_[i].mutable_values<float>().begin());
  }
  begun_ = true;
  iteration_ = earlier.iteration_;
  without_loss_ = earlier.without_loss_;
}

}  // namespace lopt
